//! `lint`: the verdicts that the gateway would give on payloads, before a
//! producer sends them. The payloads go the gateway's own way, with the
//! settings in force, so the verdicts can't differ.
//!
//! Each line is a payload, as it would be an element of the queue; what is one
//! JSON document from its beginning to its end is one payload however many
//! lines it has, so an array may be written a sample a line. A refused sample
//! is a line `file:line:column: reason: detail`, which editors and CI know how
//! to show.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use psg_actors::settings::MetricSettings;
use psg_engine::catalog::Catalog;
use psg_engine::intake::{Intake, IntakeSettings, Refused};
use psg_engine::limits::PayloadLimits;
use psg_engine::reject::{Reason, Reject};
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::ShardCount;
use psg_engine::store::Store;
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::Decoder;

use crate::config::Outcome;
use crate::exit;

/// The only reader there is.
const READER: ReaderIndex = ReaderIndex(0);

/// What to lint.
#[derive(Debug, Args)]
pub struct LintOptions {
    /// File with a payload on each line, or one payload on several; standard input where not given.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Prints the verdicts; 0 where all samples are accepted, 1 where one is
/// refused or the input can't be read.
pub fn run(options: &LintOptions, outcome: &Outcome) -> ExitCode {
    let settings = match &outcome.config {
        Ok(config) => &config.gateway.metrics,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("bad configuration: {problem}"));
            return exit::bad_configuration();
        }
    };
    let name = options.file.as_deref().map_or("stdin".into(), |file| file.display().to_string());
    match lint(options.file.as_deref(), settings, &name, &mut io::stdout().lock()) {
        Ok(Tally { accepted, refused, mismatches }) => {
            eprintln!("{name}: {accepted} samples accepted, {refused} refused");
            if mismatches > 0 {
                eprintln!(
                    "{name}: {mismatches} samples have another layout than the first one of their name: they are aggregated into that"
                );
            }
            if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why one element would be refused, by sample: nothing where it would not be.
pub fn refusals(settings: &MetricSettings, element: &[u8]) -> Vec<String> {
    let mut printed = Vec::new();
    let mut linter = Linter::new(settings, "payload", &mut printed);
    let kept = &element[..element.len().min(settings.payload.max_payload_bytes)];
    let payload = Payload { bytes: kept, line: 1, length: element.len() };
    linter.payload(payload).expect("memory takes all");
    String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect()
}

fn lint(
    file: Option<&Path>,
    settings: &MetricSettings,
    name: &str,
    out: &mut impl Write,
) -> io::Result<Tally> {
    let input: Box<dyn Read> = match file {
        Some(file) => Box::new(File::open(file)?),
        None => Box::new(io::stdin()),
    };
    Linter::new(settings, name, out).lint(BufReader::new(input))
}

/// What came of the samples.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    accepted: u64,
    refused: u64,
    /// Of the accepted ones: those with another layout or other objectives
    /// than the first one of their name.
    mismatches: u64,
}

struct Linter<'a, W> {
    intake: Intake,
    store: Store,
    largest: usize,
    name: &'a str,
    out: W,
    tally: Tally,
}

/// A payload, and where in the input it begins.
#[derive(Clone, Copy)]
struct Payload<'a> {
    bytes: &'a [u8],
    line: usize,
    /// How many bytes it has, where not all of them are here.
    length: usize,
}

impl<'a, W: Write> Linter<'a, W> {
    fn new(settings: &MetricSettings, name: &'a str, out: W) -> Self {
        let intake = IntakeSettings {
            payload: settings.payload.clone(),
            drop_labels: settings.drop_labels.clone(),
            reader: READER,
            shards: ShardCount::new(1),
            cache_series: settings.reader_cache_series,
            sort_labels: settings.sort_labels,
            overflow: settings.overflow,
        };
        let catalog = Catalog::new(settings.series, settings.summary);
        Self {
            intake: Intake::new(intake, catalog),
            store: Store::default(),
            largest: settings.payload.max_payload_bytes,
            name,
            out,
            tally: Tally::default(),
        }
    }

    fn lint(mut self, mut input: impl BufRead) -> io::Result<Tally> {
        let mut beginning = Vec::new();
        (&mut input).take(self.largest as u64 + 1).read_to_end(&mut beginning)?;
        if beginning.len() <= self.largest && is_document(&beginning) {
            let length = beginning.len();
            self.payload(Payload { bytes: &beginning, line: 1, length })?;
            return Ok(self.tally);
        }
        let mut lines = Lines { input: beginning.as_slice().chain(input), largest: self.largest };
        let mut line = 0;
        let mut bytes = Vec::new();
        while let Some(length) = lines.next(&mut bytes)? {
            line += 1;
            if !bytes.trim_ascii().is_empty() {
                self.payload(Payload { bytes: &bytes, line, length })?;
            }
        }
        Ok(self.tally)
    }

    fn ask_for_unknown(&mut self) {
        for unknown in self.intake.unknown() {
            let (keys, asked) = unknown.ask();
            let answers =
                keys.into_iter().map(|key| self.store.define(key, READER, Moment(0))).collect();
            self.intake.answer(asked, answers);
        }
    }

    /// Gives the verdict on one payload, as a page of its own.
    fn payload(&mut self, payload: Payload<'_>) -> io::Result<()> {
        if payload.length > payload.bytes.len() {
            let (most, came) = (self.largest, payload.length);
            let detail = format!("expected at most {most} bytes, came {came}");
            return self.refuse(payload, 0, &Reject::new(Reason::PayloadTooLarge, detail));
        }
        self.intake.begin(now());
        let mut refused: Vec<(usize, Reject)> = Vec::new();
        self.intake.route(payload.bytes, |sample, reject| {
            refused.push((sample.as_ptr() as usize - payload.bytes.as_ptr() as usize, reject));
        });
        self.ask_for_unknown();
        self.intake.fold_refused();
        self.ask_for_unknown();
        let outcome = self.intake.finish();
        let place = |refused: &Refused| refused.part.as_ref().map_or(0, |part| part.start);
        refused.extend(outcome.refused.into_iter().map(|one| (place(&one), one.reject)));
        refused.sort_by_key(|(at, _)| *at);
        for batch in &outcome.batches {
            self.tally.accepted += batch.values.len() as u64;
            self.store.apply(batch, Moment(0));
        }
        self.tally.mismatches += outcome.layout_mismatches;
        refused.iter().try_for_each(|(at, reject)| self.refuse(payload, *at, reject))
    }

    /// Tells of a sample that begins at a byte of its payload.
    fn refuse(&mut self, payload: Payload<'_>, at: usize, reject: &Reject) -> io::Result<()> {
        self.tally.refused += 1;
        let before = &payload.bytes[..at];
        let line = payload.line + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        writeln!(self.out, "{}:{line}:{column}: {reject}", self.name)
    }
}

/// Whether all of `bytes` is one JSON document that may hold samples.
fn is_document(bytes: &[u8]) -> bool {
    let unbounded = PayloadLimits { max_payload_bytes: usize::MAX, ..PayloadLimits::default() };
    let mut decoder = Decoder::new(unbounded);
    let judged = decoder.decode(bytes, now()).map(drop);
    judged.err().is_none_or(|reject| reject.reason != Reason::InvalidJson)
}

/// Lines, of which no more is kept than a payload may have bytes.
struct Lines<R> {
    input: R,
    largest: usize,
}

impl<R: BufRead> Lines<R> {
    /// Puts the next line into `line`, without its end and no more of it than
    /// may be; how long it was, or `None` at the end of the input.
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
        line.clear();
        let mut length = 0;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok((length > 0).then_some(length));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            line.extend_from_slice(&part[..part.len().min(self.largest + 1 - line.len())]);
            length += part.len();
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use psg_engine::labels::DropLabels;
    use psg_engine::limits::SeriesLimits;
    use psg_engine::metric::summary::SummarySettings;
    use psg_engine::store::ExpirySettings;

    use super::*;

    fn settings() -> MetricSettings {
        MetricSettings {
            payload: PayloadLimits { max_payload_bytes: 200, ..PayloadLimits::default() },
            series: SeriesLimits::default(),
            overflow: false,
            summary: SummarySettings::default(),
            expiry: ExpirySettings::default(),
            tombstone_ttl_ms: 0,
            max_tombstones: 0,
            drop_labels: DropLabels::default(),
            sort_labels: true,
            disable_meta_metrics: false,
            empty_instance: false,
            created_timestamps: false,
            reader_cache_series: 100,
            state_file: None,
            exact_first_increment: false,
        }
    }

    fn check(input: &str, expected: &[&str], accepted: u64) {
        let mut out = Vec::new();
        let linter = Linter::new(&settings(), "f", &mut out);
        let tally = linter.lint(input.as_bytes()).expect("memory can be read");
        let printed = String::from_utf8(out).expect("UTF-8");
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{input}");
        assert_eq!((tally.accepted, tally.refused), (accepted, expected.len() as u64), "{input}");
    }

    const NEGATIVE: &str =
        "negative_counter: expected a counter's value of at least 0, came a negative one";

    #[test]
    fn each_line_is_a_payload() {
        check("", &[], 0);
        check("{\"name\":\"a\"}\n\n{\"name\":\"b\"}\r\n", &[], 2);
        let input = "{\"name\":\"a\",\"value\":-1}\n{\"name\":\"a\"}\n[{\"name\":\"a\"}, 7]";
        let not_a_sample = "f:3:16: not_a_sample: expected an object, came a number";
        check(input, &[&format!("f:1:1: {NEGATIVE}"), not_a_sample], 2);
    }

    #[test]
    fn an_element_is_judged_by_itself() {
        assert_eq!(refusals(&settings(), br#"{"name":"a"}"#), [""; 0]);
        let found = refusals(&settings(), br#"[{"name":"a"}, {"name":"b","value":-1}, 7]"#);
        assert_eq!(found[0], format!("payload:1:16: {NEGATIVE}"));
        assert_eq!(found.len(), 2);
        let found = refusals(&settings(), &[b'x'; 201]);
        assert_eq!(found, ["payload:1:1: payload_too_large: expected at most 200 bytes, came 201"]);
    }

    #[test]
    fn one_document_may_have_many_lines() {
        check(
            "[\n {\"name\":\"a\"},\n {\"name\":\"a\",\n  \"value\":-1}\n]\n",
            &[&format!("f:3:2: {NEGATIVE}")],
            1,
        );
        check("{\n\"name\":\n\"a\"}", &[], 1);
    }

    #[test]
    fn samples_meet_those_before_them() {
        let input = "{\"name\":\"a\"}\n{\"name\":\"a\",\"type\":\"gauge\"}";
        let mut out = Vec::new();
        let tally = Linter::new(&settings(), "f", &mut out).lint(input.as_bytes());
        assert_eq!(tally.expect("memory can be read").refused, 1);
        let printed = String::from_utf8(out).expect("UTF-8");
        assert!(printed.starts_with("f:2:1: type_conflict: "), "{printed}");
    }

    #[test]
    fn long_lines_are_refused_and_those_behind_them_read() {
        let long = format!("{{\"name\":\"a\",\"pad\":\"{}\"}}", "x".repeat(100_000));
        let detail = format!("payload_too_large: expected at most 200 bytes, came {}", long.len());
        check(
            &format!("{long}\n{{\"name\":\"b\"}}\n{long}"),
            &[&format!("f:1:1: {detail}"), &format!("f:3:1: {detail}")],
            1,
        );
    }
}
