//! `doctor`: looks at the Redis of the settings in force for what goes wrong
//! most, and at the doors, and tells in a line each what it found and what to do. It
//! only reads, and pushes nothing.

mod doors;
mod embedded;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;

use clap::Args;
use psg_actors::settings::{GatewaySettings, StateFileSettings};
use psg_actors::source::redis::doctor::{Diagnosis, ElementVerdict, Severity, examine};
use psg_actors::state_file::missing_folder;

use crate::config::ConfigOutcome;
use crate::{exit, lint};

#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Print the findings as JSON, an array of objects.
    #[arg(long)]
    json: bool,
}

/// Prints the findings; 0, or 1 where something must be fixed.
pub fn run(options: &DoctorOptions, outcome: &ConfigOutcome) -> ExitCode {
    let config = match &outcome.config {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("bad configuration: {problem}"));
            return exit::bad_configuration();
        }
    };
    let mut findings = of_settings(&outcome.warnings);
    findings.extend(of_state_file(config.gateway.pipeline.state_file.as_ref()));
    match look(&config.gateway) {
        Ok(found) => {
            findings.extend(found);
            findings.extend(doors::look(&config.gateway));
        }
        Err(error) => {
            eprintln!("the doctor can't begin: {error}");
            return ExitCode::FAILURE;
        }
    }
    let stdout = io::stdout();
    let is_coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = if options.json { json(&findings) } else { lines(&findings, is_coloured) };
    // Where the reader of a pipe has gone, nobody is left to tell.
    let _ = stdout.lock().write_all(text.as_bytes());
    if count(&findings, Severity::Fail) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn of_settings(warnings: &[String]) -> Vec<Diagnosis> {
    if warnings.is_empty() {
        return vec![Diagnosis::ok("settings", "they are sound")];
    }
    let advice = "prom-stream-gateway check-config tells where each setting comes from";
    warnings.iter().map(|warning| Diagnosis::warn("settings", warning, advice)).collect()
}

fn of_state_file(settings: Option<&StateFileSettings>) -> Option<Diagnosis> {
    let folder = missing_folder(&settings?.path)?;
    Some(Diagnosis::fail(
        "state file",
        format!("Metrics.StateFile: there is no folder {}", folder.display()),
        "make it, or mount the volume there: the gateway does not start like this",
    ))
}

fn look(settings: &GatewaySettings) -> io::Result<Vec<Diagnosis>> {
    if let Some(embedded) = &settings.pipeline.embedded {
        return Ok(embedded::look(settings, embedded));
    }
    let judge = |element: &[u8]| ElementVerdict {
        refusals: lint::refusals(&settings.pipeline, element),
        is_plainly_sample: lint::is_plainly_sample(&settings.pipeline, element),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(examine(&settings.pipeline.queue, judge)))
}

/// A line for each finding, one below it with what to do, and what it comes to.
fn lines(findings: &[Diagnosis], is_coloured: bool) -> String {
    let mut text = String::new();
    let width = findings.iter().map(|finding| finding.topic.len()).max().unwrap_or_default();
    for finding in findings {
        let Diagnosis { severity, topic, text: found, advice } = finding;
        let word = word(*severity, is_coloured);
        writeln!(text, "{word}  {topic:width$}  {found}").expect("a string takes all");
        if let Some(advice) = advice {
            writeln!(text, "      {:width$}  -> {advice}", "").expect("a string takes all");
        }
    }
    let (fails, warns) = (count(findings, Severity::Fail), count(findings, Severity::Warn));
    let end = match (fails, warns) {
        (0, 0) => "all is well".to_owned(),
        (0, warns) => format!("no problem found, {warns} to look at"),
        (fails, 0) => problems(fails),
        (fails, warns) => format!("{}, {warns} to look at", problems(fails)),
    };
    writeln!(text, "{end}; nothing was changed").expect("a string takes all");
    text
}

fn problems(count: usize) -> String {
    match count {
        1 => "1 problem found".to_owned(),
        _ => format!("{count} problems found"),
    }
}

/// Of four letters, whatever its colour.
fn word(severity: Severity, is_coloured: bool) -> String {
    let word = severity.as_str();
    let colour = match severity {
        Severity::Ok => 32,
        Severity::Skipped => 90,
        Severity::Warn => 33,
        Severity::Fail => 31,
    };
    if is_coloured { format!("\x1b[{colour}m{word:4}\x1b[0m") } else { format!("{word:4}") }
}

fn json(findings: &[Diagnosis]) -> String {
    let object = |finding: &Diagnosis| {
        serde_json::json!({
            "verdict": finding.severity.as_str(),
            "topic": finding.topic,
            "text": finding.text,
            "advice": finding.advice,
        })
    };
    let all: Vec<_> = findings.iter().map(object).collect();
    format!("{:#}\n", serde_json::Value::from(all))
}

fn count(findings: &[Diagnosis], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Diagnosis> {
        vec![
            Diagnosis::ok("redis", "it is there"),
            Diagnosis::skipped("version", "not looked at"),
            Diagnosis::fail("rights", "no +rpop", "give it"),
        ]
    }

    #[test]
    fn findings_are_aligned_and_advice_stands_below() {
        let expected = "ok    redis    it is there\n\
                        skip  version  not looked at\n\
                        fail  rights   no +rpop\n      \
                        \x20        -> give it\n\
                        1 problem found; nothing was changed\n";
        assert_eq!(lines(&findings(), false), expected);
        let coloured = lines(&findings(), true);
        assert!(coloured.starts_with("\x1b[32mok  \x1b[0m  redis"), "{coloured}");
    }

    #[test]
    fn the_last_line_says_what_it_comes_to() {
        let check = |findings: &[Diagnosis], end: &str| {
            let text = lines(findings, false);
            assert_eq!(text.lines().last(), Some(end));
        };
        check(&findings()[..2], "all is well; nothing was changed");
        let warning = Diagnosis::warn("a", "b", "c");
        check(
            std::slice::from_ref(&warning),
            "no problem found, 1 to look at; nothing was changed",
        );
        let both = [warning, findings().remove(2)];
        check(&both, "1 problem found, 1 to look at; nothing was changed");
    }

    #[test]
    fn json_has_an_object_for_each() {
        let parsed: serde_json::Value = serde_json::from_str(&json(&findings())).expect("JSON");
        assert_eq!(parsed.as_array().map(Vec::len), Some(3));
        assert_eq!(parsed[2]["verdict"], "fail");
        assert_eq!(parsed[2]["advice"], "give it");
        assert_eq!(parsed[0]["advice"], serde_json::Value::Null);
    }
}
