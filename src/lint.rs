//! `lint`: the verdicts that the gateway would give on payloads, before a
//! producer sends them. The payloads go the gateway's own way, with the
//! settings in force, so the verdicts can't differ.
//!
//! Each line is a payload, as it would be an element of the queue; what is one
//! JSON document from its beginning to its end is one payload however many
//! lines it has, so an array may be written a sample a line. A refused sample
//! is a line `file:line:column: reason: detail`, which editors and CI know how
//! to show. With `--strict` so is one that is taken and odd.

pub mod linter;
pub mod lines;
mod finding;
mod strict;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use psg_actors::clock::system_time;
use psg_actors::settings::PipelineSettings;
use psg_engine::catalog::Catalog;
use psg_engine::metric::Kind;
use psg_engine::wire::PayloadForm;

use crate::config::ConfigOutcome;
use crate::exit;
use finding::FindingFormat;
use linter::{LintPayload, LintTally, Linter};

/// What to lint.
#[derive(Debug, Args)]
pub struct LintOptions {
    /// File with a payload on each line, or one payload on several; standard input where not given,
    /// or -
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Report what is accepted but odd, too: unknown fields, counters without _total, metrics
    /// without help, an input with no payload
    #[arg(long)]
    strict: bool,

    /// Print a JSON object per line: file, line, column, reason, detail, refused
    #[arg(long)]
    json: bool,
}

/// Prints the verdicts; 0 where all samples are accepted, 1 where one is
/// refused, or odd where that is asked for, or the input can't be read.
pub fn run(options: &LintOptions, outcome: &ConfigOutcome) -> ExitCode {
    let settings = match &outcome.config {
        Ok(config) => &config.gateway.pipeline,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("bad configuration: {problem}"));
            return exit::bad_configuration();
        }
    };
    let file = options.file.as_deref().filter(|file| *file != Path::new("-"));
    let name = file.map_or("stdin".into(), |file| file.display().to_string());
    match lint(file, options, settings, &name) {
        Ok(tally) => {
            sum_up(&tally, options.strict).for_each(|line| eprintln!("{name}: {line}"));
            let is_missing = options.strict && tally.is_empty();
            if tally.is_clean() && !is_missing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What it comes to.
fn sum_up(tally: &LintTally, is_strict: bool) -> impl Iterator<Item = String> {
    let LintTally { accepted, refused, mismatches, oddities } = tally;
    let samples = |count: u64| format!("{count} {}", if count == 1 { "sample" } else { "samples" });
    let odd = if is_strict { format!(", {oddities} odd") } else { String::new() };
    let all = if tally.is_empty() {
        "there is no payload in it".to_owned()
    } else {
        format!("{} accepted, {refused} refused{odd}", samples(*accepted))
    };
    let others = (*mismatches > 0).then(|| {
        format!(
            "{} with another layout than the first one of the name: aggregated into that",
            samples(*mismatches)
        )
    });
    [all].into_iter().chain(others)
}

/// Why one element would be refused, by sample: nothing where it would not be.
pub fn refusals(settings: &PipelineSettings, element: &[u8]) -> Vec<String> {
    let mut printed = Vec::new();
    let mut linter = linter(settings, "payload", &mut printed);
    let kept = &element[..element.len().min(settings.intake.payload.max_payload_bytes)];
    let payload = LintPayload { bytes: kept, line: 1, length: element.len() };
    linter.payload(payload).expect("memory takes all");
    String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect()
}

/// Whether an element is a sample, or an array that begins with one, and hardly
/// anything else that has a name: it says a value or a type, and nothing that no field
/// of a sample is for.
pub fn is_plainly_sample(settings: &PipelineSettings, element: &[u8]) -> bool {
    let mut decoder = settings.intake.decoder();
    let sample = match PayloadForm::of(element) {
        PayloadForm::JsonSample => element,
        PayloadForm::JsonArray => {
            let mut places = Vec::new();
            // One that can't be read has no places.
            let _ = decoder.elements(element, &mut places);
            places.first().map_or(&[][..], |first| &element[first.clone()])
        }
    };
    let says_more = decoder.decode(sample, system_time()).is_ok_and(|decoded| {
        // A metric may be called so, and hardly any is.
        let is_of_words = decoded.sample.name.contains(char::is_whitespace);
        !is_of_words && (decoded.places.value.is_some() || decoded.sample.kind != Kind::Counter)
    });
    says_more && decoder.take_unknown_fields().is_empty()
}

fn lint(
    file: Option<&Path>,
    options: &LintOptions,
    settings: &PipelineSettings,
    name: &str,
) -> io::Result<LintTally> {
    let input: Box<dyn Read> = match file {
        Some(file) => Box::new(File::open(file)?),
        None => Box::new(io::stdin()),
    };
    let form = if options.json { FindingFormat::Json } else { FindingFormat::Text };
    let linter = linter(settings, name, io::stdout().lock()).with(form, options.strict);
    linter.lint(BufReader::new(input))
}

fn linter<'a, W: Write>(settings: &PipelineSettings, name: &'a str, out: W) -> Linter<'a, W> {
    Linter::new(
        settings.intake.clone(),
        Catalog::new(settings.catalog.clone()),
        system_time,
        name,
        out,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> PipelineSettings {
        let outcome = crate::config::from_settings(&[("Metrics__MaxPayloadBytes", "200")]);
        outcome.config.expect("sound settings").gateway.pipeline
    }

    fn check(input: &str, expected: &[&str], accepted: u64) {
        let mut out = Vec::new();
        let linter = linter(&settings(), "f", &mut out);
        let tally = linter.lint(input.as_bytes()).expect("memory can be read");
        let printed = String::from_utf8(out).expect("UTF-8");
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{input}");
        assert_eq!((tally.accepted, tally.refused), (accepted, expected.len() as u64), "{input}");
    }

    const NEGATIVE: &str =
        "negative_counter: expected a counter's value of at least 0, got a negative one";

    #[test]
    fn each_line_is_a_payload() {
        check("", &[], 0);
        check("{\"name\":\"a\"}\n\n{\"name\":\"b\"}\r\n", &[], 2);
        let input = "{\"name\":\"a\",\"value\":-1}\n{\"name\":\"a\"}\n[{\"name\":\"a\"}, 7]";
        let not_a_sample = "f:3:16: not_a_sample: expected an object, got a number";
        check(input, &[&format!("f:1:1: {NEGATIVE}"), not_a_sample], 2);
    }

    #[test]
    fn an_element_is_judged_by_itself() {
        assert_eq!(refusals(&settings(), br#"{"name":"a"}"#), [""; 0]);
        let found = refusals(&settings(), br#"[{"name":"a"}, {"name":"b","value":-1}, 7]"#);
        assert_eq!(found[0], format!("payload:1:16: {NEGATIVE}"));
        assert_eq!(found.len(), 2);
        let found = refusals(&settings(), &[b'x'; 201]);
        assert_eq!(found, ["payload:1:1: payload_too_large: expected at most 200 bytes, got 201"]);
    }

    #[test]
    fn what_else_has_a_name_is_not_plainly_a_sample() {
        for (element, expected) in [
            (r#"{"name":"a","value":1}"#, true),
            (r#"[{"type":"gauge","name":"a","labels":{"b":"c"}}, 7]"#, true),
            (r#"{"name":"a"}"#, false),
            (r#"{"name":"jane","value":1,"email":"x"}"#, false),
            (r#"{"name":"Jane Doe","value":1}"#, false),
            (r#"{"uuid":"1","displayName":"App\\Jobs\\Mail","job":"x"}"#, false),
            ("[]", false),
            ("[7]", false),
            ("7", false),
            ("", false),
            ("[", false),
        ] {
            assert_eq!(is_plainly_sample(&settings(), element.as_bytes()), expected, "{element}");
        }
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
    fn what_it_comes_to_is_told_in_numbers_that_agree() {
        let check = |tally: LintTally, is_strict: bool, expected: &[&str]| {
            assert_eq!(sum_up(&tally, is_strict).collect::<Vec<_>>(), expected);
        };
        let nothing = LintTally::default();
        check(nothing, false, &["there is no payload in it"]);
        let one = LintTally { accepted: 1, mismatches: 1, ..LintTally::default() };
        let layout =
            "1 sample with another layout than the first one of the name: aggregated into that";
        check(one, false, &["1 sample accepted, 0 refused", layout]);
        let more = LintTally { accepted: 2, refused: 1, oddities: 3, ..LintTally::default() };
        check(more, true, &["2 samples accepted, 1 refused, 3 odd"]);
    }

    #[test]
    fn strict_and_json_are_a_line_each() {
        let mut out = Vec::new();
        let linter = linter(&settings(), "f", &mut out).with(FindingFormat::Json, true);
        let input =
            "{\"name\":\"a\",\"value\":-1}\n{\"tpye\":1,\"name\":\"b_total\",\"help\":\"h\"}";
        let tally = linter.lint(input.as_bytes()).expect("memory can be read");
        assert_eq!((tally.accepted, tally.refused, tally.oddities), (1, 1, 1));
        assert!(!tally.is_clean());
        let lines: Vec<serde_json::Value> = String::from_utf8(out)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines[0]["reason"], "negative_counter");
        assert_eq!(lines[0]["refused"], true);
        assert_eq!((&lines[1]["line"], &lines[1]["reason"]), (&2.into(), &"unknown_field".into()));
    }

    #[test]
    fn samples_meet_those_before_them() {
        let input = "{\"name\":\"a\"}\n{\"name\":\"a\",\"type\":\"gauge\"}";
        let mut out = Vec::new();
        let tally = linter(&settings(), "f", &mut out).lint(input.as_bytes());
        assert_eq!(tally.expect("memory can be read").refused, 1);
        let printed = String::from_utf8(out).expect("UTF-8");
        assert!(printed.starts_with("f:2:1: type_conflict: "), "{printed}");
    }

    #[test]
    fn long_lines_are_refused_and_those_behind_them_read() {
        let long = format!("{{\"name\":\"a\",\"pad\":\"{}\"}}", "x".repeat(100_000));
        let detail = format!("payload_too_large: expected at most 200 bytes, got {}", long.len());
        check(
            &format!("{long}\n{{\"name\":\"b\"}}\n{long}"),
            &[&format!("f:1:1: {detail}"), &format!("f:3:1: {detail}")],
            1,
        );
    }
}
