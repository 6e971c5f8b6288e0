//! Payloads on their whole way to the exposition, one on each line: verdicts
//! are the oracle's but for what only the catalog knows, and neither templates
//! nor the sizes of caches and batches nor K show in what comes out. A line like
//! `+5000` says that so many milliseconds pass, in which series expire.

use psg_engine::exposition::Format;
use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::store::ExpirySettings;

use super::pipeline::{Pipeline, PipelineSettings};
use super::{begins_as_array, exposition, oracle};

/// So many lines at most: each is routed often.
const MOST_LINES: usize = 10;

/// From the fourth time on a spelling is recognised by its template.
const TIMES: usize = 5;

const SERIES_TTL_MS: u64 = 60_000;
const GAUGE_TTL_MS: u64 = 10_000;
const TOMBSTONE_TTL_MS: u64 = 150_000;

/// Some three hundred years: more than any clock jumps.
const LONGEST_MS: u64 = 10_000_000_000_000;

/// Routes the lines again and again, through pipelines that differ only in what
/// must not show.
pub fn check(lines: &[u8]) {
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').take(MOST_LINES).collect();
    let mut alternating: Vec<&[u8]> = lines.iter().flat_map(|line| [*line; TIMES]).collect();
    alternating.extend(&lines);
    let settings = |shards, cache_series| PipelineSettings {
        shards,
        cache_series,
        expiry: ExpirySettings::new(SERIES_TTL_MS, GAUGE_TTL_MS),
        tombstone_ttl_ms: TOMBSTONE_TTL_MS,
        ..PipelineSettings::default()
    };
    let mut expected = run(&settings(1, 0), &alternating, 1);
    judge(&alternating, &expected.refused);
    exposition::check(&mut expected.pipeline);
    for (shards, cache_series, batch) in [(2, 1000, 3), (3, 2, 7)] {
        let mut found = run(&settings(shards, cache_series), &alternating, batch);
        assert_eq!(found.refused, expected.refused, "left: K {shards}, cache {cache_series}");
        assert_eq!(found.details(), expected.details());
        assert_eq!(found.by_shards, expected.by_shards);
        let (found, expected) = (&mut found.pipeline, &mut expected.pipeline);
        assert_eq!(found.layout_mismatches, expected.layout_mismatches);
        assert_eq!(found.newest, expected.newest);
        for format in Format::ALL {
            assert_eq!(found.lines(format), expected.lines(format));
        }
    }
}

struct Routed {
    pipeline: Pipeline,
    /// For each payload the samples of it that were refused.
    refused: Vec<Vec<(Vec<u8>, Reason)>>,
    /// What series refused, sorted, since its order depends on K.
    by_shards: Vec<String>,
}

impl Routed {
    /// What samples said besides their value, in no order: that depends on K.
    fn details(&self) -> Vec<String> {
        let mut details = self.pipeline.details.clone();
        details.sort_unstable();
        details
    }
}

fn run(settings: &PipelineSettings, lines: &[&[u8]], batch: usize) -> Routed {
    let mut pipeline = Pipeline::new(settings);
    let mut refused = Vec::new();
    for lines in lines.chunk_by(|line, next| time(line).is_none() && time(next).is_none()) {
        if let Some(milliseconds) = time(lines[0]) {
            refused.push(Vec::new());
            pass(&mut pipeline, milliseconds);
            continue;
        }
        for batch in lines.chunks(batch) {
            let first = refused.len();
            refused.resize_with(first + batch.len(), Vec::new);
            for (number, sample, reason) in pipeline.batch_of_arrays(batch) {
                refused[first + number].push((sample, reason));
            }
        }
    }
    let mut by_shards = pipeline.refused_by_shards();
    by_shards.sort_unstable();
    Routed { pipeline, refused, by_shards }
}

/// The milliseconds of a line that says that time passes.
fn time(line: &[u8]) -> Option<u64> {
    let milliseconds: u64 = str::from_utf8(line.strip_prefix(b"+")?).ok()?.parse().ok()?;
    Some(milliseconds.min(LONGEST_MS))
}

fn pass(pipeline: &mut Pipeline, milliseconds: u64) {
    pipeline.now.0 += milliseconds;
    pipeline.expire();
    pipeline.tell();
}

/// Compares the refusals with those of the oracle, which knows of no other
/// payload: they are its own, and such as the catalog gives.
fn judge(payloads: &[&[u8]], refused: &[Vec<(Vec<u8>, Reason)>]) {
    let mut judged: Option<(&[u8], Vec<Reason>)> = None;
    let payloads = payloads.iter().zip(refused).filter(|(line, _)| time(line).is_none());
    for (payload, refused) in payloads {
        let own = match judged.take() {
            Some((same, own)) if same == *payload => own,
            Some(_) | None => refused_by_the_oracle(payload),
        };
        let reasons = refused.iter().map(|(_, reason)| *reason);
        let reasons: Vec<Reason> = reasons.filter(is_of_the_payload).collect();
        assert_eq!(reasons, own, "right: the oracle on {:?}", payload.escape_ascii().to_string());
        judged = Some((payload, own));
    }
}

/// Whether the catalog has no say in it; in buckets it has where counts come with
/// others than the metric's.
fn is_of_the_payload(reason: &Reason) -> bool {
    let of_the_catalog =
        [Reason::TypeConflict, Reason::SuffixConflict, Reason::ReservedName, Reason::BadBuckets];
    !of_the_catalog.contains(reason)
}

fn refused_by_the_oracle(payload: &[u8]) -> Vec<Reason> {
    let limits = PayloadLimits::default();
    let mut refused: Vec<Reason> = if !begins_as_array(payload) {
        oracle::decode(payload, &limits).err().into_iter().collect()
    } else {
        match oracle::decode_array(payload, &limits) {
            Ok(samples) => samples.into_iter().filter_map(Result::err).collect(),
            Err(reason) => vec![reason],
        }
    };
    refused.retain(is_of_the_payload);
    refused
}
