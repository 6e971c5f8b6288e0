//! An input of the linter: in whatever pieces it is read, its payloads are
//! found, each gets the verdicts that the engine gives on it, at its place, no
//! more of a line is held than a payload may have, and the exit status says
//! whether there was a refusal.

use std::io::BufReader;

use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::intake::IntakeSettings;
use psg_engine::limits::{PayloadLimits, SeriesLimits};
use psg_engine::reject::Reason;
use serde_json::value::RawValue;

use super::pipeline::{Pipeline, PipelineSettings};
use super::show::{now, small_limits};
use super::{begins_as_array, oracle};
use crate::lint::lines::LimitedLines;
use crate::lint::linter::{LintTally, Linter};

/// What only the payloads before and the catalog know: of buckets, whether counts come
/// with the metric's.
const OF_THE_CATALOG: [Reason; 6] = [
    Reason::BadBuckets,
    Reason::TypeConflict,
    Reason::SuffixConflict,
    Reason::ReservedName,
    Reason::SeriesLimit,
    Reason::MetricSeriesLimit,
];

/// So few that inputs reach them.
const SERIES: SeriesLimits =
    SeriesLimits { max_series: 5, max_series_per_metric: 3, max_series_bytes: usize::MAX };

/// More than place, reason and detail of a refusal take, which may show two layouts.
const LONGEST_VERDICT: usize = 1000;

/// The first byte says how large payloads may be, whether series over the limit
/// are folded, and how many bytes are read at once; the rest is the input.
pub fn check(data: &[u8]) {
    let [how, input @ ..] = data else { return };
    let limits = if how & 1 == 0 { PayloadLimits::default() } else { small_limits() };
    let settings = PipelineSettings {
        shards: 1,
        payload: limits,
        cache_series: 0,
        limits: SERIES,
        overflow: how & 2 == 2,
        ..PipelineSettings::default()
    };
    let piece = 1 + usize::from(how >> 2);
    check_lines(input, settings.payload.max_payload_bytes, piece);
    let expected = expect(input, &settings);
    for piece in [piece, input.len() + 1] {
        let (printed, tally) = lint(input, &settings, piece);
        assert_eq!(tally, expected.tally, "left: of the linter, {piece} bytes at once");
        assert_eq!(tally.is_clean(), printed.is_empty(), "the exit status");
        let found: Vec<Verdict> = printed.lines().map(|line| verdict(line, input)).collect();
        assert_eq!(found, expected.refused, "left: of the linter, {piece} bytes at once");
    }
}

/// Where in the input a refused sample begins, and why it was refused.
type Verdict = (usize, String);

struct Expected {
    refused: Vec<Verdict>,
    tally: LintTally,
}

fn lint(input: &[u8], settings: &PipelineSettings, piece: usize) -> (String, LintTally) {
    let intake = IntakeSettings {
        payload: settings.payload.clone(),
        names: settings.names,
        cache_series: 100,
        overflow: settings.overflow,
        ..IntakeSettings::default()
    };
    let catalog =
        Catalog::new(CatalogSettings { limits: settings.limits, ..CatalogSettings::default() });
    let mut printed = Vec::new();
    let linter = Linter::new(intake, catalog, now, "in", &mut printed);
    let tally = linter.lint(BufReader::with_capacity(piece, input)).expect("memory can be read");
    (String::from_utf8(printed).expect("verdicts are UTF-8"), tally)
}

/// Reads `in:2:7: reason: detail`.
fn verdict(line: &str, input: &[u8]) -> Verdict {
    assert!(line.len() <= LONGEST_VERDICT && !line.chars().any(char::is_control), "{line:?}");
    let mut words = line.splitn(5, ':');
    assert_eq!(words.next(), Some("in"), "{line}");
    let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
    let (row, column): (usize, usize) = (number(), number());
    let before: usize =
        input.split_inclusive(|byte| *byte == b'\n').take(row - 1).map(<[u8]>::len).sum();
    let reason = words.next().expect("a reason").trim_ascii();
    assert!(words.next().is_some_and(|detail| detail.starts_with(' ')), "no detail: {line}");
    (before + column - 1, reason.to_owned())
}

/// The verdicts of the engine on each payload, and those that a payload alone
/// decides held to the oracle.
fn expect(input: &[u8], settings: &PipelineSettings) -> Expected {
    let limits = &settings.payload;
    let mut pipeline = Pipeline::new(settings);
    let mut expected = Expected { refused: Vec::new(), tally: LintTally::default() };
    for (start, payload) in payloads(input, limits) {
        let samples = samples(payload, limits);
        let refused = refusals(&mut pipeline, payload, &samples);
        let of_the_payload = refused.iter().filter(|(_, reason)| !OF_THE_CATALOG.contains(reason));
        let own: Vec<(usize, Reason)> = of_the_payload.copied().collect();
        assert_eq!(own, refused_by_the_oracle(payload, &samples, limits), "right: the oracle");
        // Of these it is not known where they stand in the payload.
        let by_series = vec![(0, Reason::NonFinite); pipeline.refused_by_shards().len()];
        let mut refused = [refused, by_series].concat();
        refused.sort_by_key(|(at, _)| *at);
        expected.tally.accepted += (samples.len() - refused.len()) as u64;
        let told = refused.iter().map(|(at, reason)| (start + at, reason.as_str().to_owned()));
        expected.refused.extend(told);
    }
    expected.tally.refused = expected.refused.len() as u64;
    expected.tally.mismatches = pipeline.layout_mismatches;
    expected
}

/// Where payloads begin, and what they are: all of the input, or its lines.
fn payloads<'i>(input: &'i [u8], limits: &PayloadLimits) -> Vec<(usize, &'i [u8])> {
    let largest = limits.max_payload_bytes;
    let unbounded = PayloadLimits { max_payload_bytes: usize::MAX, ..PayloadLimits::default() };
    let is_json = || oracle::decode(input, &unbounded) != Err(Reason::InvalidJson);
    if input.len() <= largest && is_json() {
        return vec![(0, input)];
    }
    let mut start = 0;
    let mut found = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        if line.len() > largest || line.iter().any(|byte| !b" \t\r".contains(byte)) {
            found.push((start, line));
        }
        start += line.len() + 1;
    }
    found
}

/// The samples of a payload and where they begin in it: the elements of an
/// array that can be read, else all of it.
fn samples<'p>(payload: &'p [u8], limits: &PayloadLimits) -> Vec<(usize, &'p [u8])> {
    if !begins_as_array(payload) || oracle::decode_array(payload, limits).is_err() {
        return vec![(0, payload)];
    }
    let elements: Vec<&RawValue> = serde_json::from_slice(payload).expect("an array");
    let place =
        |text: &'p str| (text.as_ptr() as usize - payload.as_ptr() as usize, text.as_bytes());
    elements.into_iter().map(|element| place(element.get())).collect()
}

/// The samples that the engine refuses, in their order.
fn refusals(
    pipeline: &mut Pipeline,
    payload: &[u8],
    samples: &[(usize, &[u8])],
) -> Vec<(usize, Reason)> {
    let mut refused = pipeline.batch_of_arrays(&[payload]);
    let mut refusal = |(at, sample): &(usize, &[u8])| {
        let place = refused.iter().position(|(_, bytes, _)| bytes == sample)?;
        Some((*at, refused.remove(place).2))
    };
    let found = samples.iter().filter_map(&mut refusal).collect();
    assert!(refused.is_empty(), "of no sample: {refused:?}");
    found
}

fn refused_by_the_oracle(
    payload: &[u8],
    samples: &[(usize, &[u8])],
    limits: &PayloadLimits,
) -> Vec<(usize, Reason)> {
    let verdicts = if begins_as_array(payload) {
        oracle::decode_array(payload, limits).unwrap_or_else(|reason| vec![Err(reason)])
    } else {
        vec![oracle::decode(payload, limits)]
    };
    let refused = samples.iter().zip(verdicts);
    let refused = refused.filter_map(|((at, _), verdict)| Some((*at, verdict.err()?)));
    refused.filter(|(_, reason)| !OF_THE_CATALOG.contains(reason)).collect()
}

/// Of each line its beginning is kept, and how long it was; no more.
fn check_lines(input: &[u8], largest: usize, piece: usize) {
    let mut lines = LimitedLines::new(BufReader::with_capacity(piece, input), largest);
    let mut kept = Vec::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let length = lines.next(&mut kept).expect("memory can be read");
        assert_eq!(length, Some(line.len()));
        assert_eq!(kept, &line[..line.len().min(largest + 1)]);
        assert!(kept.capacity() <= 2 * (largest + 1), "{} bytes held", kept.capacity());
    }
    assert_eq!(lines.next(&mut kept).expect("memory can be read"), None);
}
