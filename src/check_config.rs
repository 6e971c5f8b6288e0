//! `check-config`: what is in force, where it comes from, and what is wrong.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use psg_actors::state_file;
use psg_engine::printable::{LONG, printable};

use crate::config::{Config, ConfigOutcome, EffectiveSetting, Origin, Problem};
use crate::exit;

/// Prints the outcome to standard output; 0 where it is sound, else 78.
pub fn run(outcome: &ConfigOutcome) -> ExitCode {
    // Where the reader of a pipe has gone, nobody is left to tell.
    let text = render(outcome) + &of_this_machine(outcome);
    let _ = std::io::stdout().write_all(text.as_bytes());
    status(outcome)
}

fn status(outcome: &ConfigOutcome) -> ExitCode {
    match outcome.config {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => exit::bad_configuration(),
    }
}

/// The report: a line for each setting, warning and problem.
pub fn render(outcome: &ConfigOutcome) -> String {
    let mut text = String::new();
    for entry in &outcome.entries {
        let EffectiveSetting { name, value, .. } = entry;
        writeln!(text, "{name} = {value} ({})", source(entry)).expect("a string takes all");
    }
    for warning in &outcome.warnings {
        writeln!(text, "warning: {warning}").expect("a string takes all");
    }
    let problems: &[Problem] = match &outcome.config {
        Ok(_) => &[],
        Err(problems) => problems,
    };
    for problem in problems {
        writeln!(text, "problem: {problem}").expect("a string takes all");
    }
    text
}

/// What is sound, but not here: the gateway may be meant to run elsewhere.
fn of_this_machine(outcome: &ConfigOutcome) -> String {
    let state_file = |config: &Config| config.gateway.pipeline.state_file.clone();
    let file = outcome.config.as_ref().ok().and_then(state_file);
    match file.and_then(|file| state_file::missing_folder(&file.path)) {
        Some(folder) => format!(
            "note: Metrics.StateFile: there is no folder {} on this machine\n",
            printable(&folder.display().to_string(), LONG)
        ),
        None => String::new(),
    }
}

fn source(entry: &EffectiveSetting) -> String {
    let origin = entry.origin.as_str();
    match entry.origin {
        Origin::Default => origin.to_owned(),
        Origin::Environment | Origin::File => format!("{origin}: {}", entry.set_as),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(origin: Origin, set_as: &str) -> EffectiveSetting {
        EffectiveSetting { name: "Shards.Count", value: "2".into(), origin, set_as: set_as.into() }
    }

    #[test]
    fn the_report_has_a_line_for_everything() {
        let outcome = ConfigOutcome {
            config: Err(vec![Problem {
                name: "Shards__Count".into(),
                message: "expected a, got b".into(),
            }]),
            warnings: vec!["odd".into()],
            entries: vec![
                entry(Origin::Environment, "Shards__Count"),
                entry(Origin::Default, "Shards.Count"),
            ],
        };
        let expected = "Shards.Count = 2 (environment: Shards__Count)\n\
                        Shards.Count = 2 (default)\n\
                        warning: odd\n\
                        problem: Shards__Count: expected a, got b\n";
        assert_eq!(render(&outcome), expected);
        assert_eq!(status(&outcome), exit::bad_configuration());
    }
}
