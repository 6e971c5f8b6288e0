//! The command line: which command, and which configuration file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::document;
use crate::demo::DemoOptions;
use crate::doctor::DoctorOptions;
use crate::lint::LintOptions;
use crate::load::LoadOptions;
use crate::repartition::RepartitionOptions;
use crate::top::TopOptions;

/// Takes metric samples from a Redis list, adds them up and shows the totals to Prometheus.
///
/// Without a command it runs until it is stopped.
#[derive(Debug, Parser)]
#[command(name = "prom-stream-gateway", version, after_long_help = document::help())]
pub struct Cli {
    /// Configuration file; appsettings.json in the working directory where not given.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do other than run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print every setting, where it comes from, and every problem; exit 0 or 78.
    CheckConfig,
    /// Check Redis, its rights and the queue for the usual mistakes; exit 1 if there is a problem.
    Doctor(DoctorOptions),
    /// Ask the gateway at the configured address whether it is healthy; exit 0 or 1.
    Healthcheck,
    /// Check payloads: which would be rejected, and why; exit 1 if any.
    Lint(LintOptions),
    /// Push made-up samples at a steady rate, to see how much a gateway can take.
    Load(Box<LoadOptions>),
    /// Give the queue another number of partitions while no gateway runs; exit 0 or 1.
    Repartition(RepartitionOptions),
    /// Try it out, without a Redis: a gateway that is its own queue, some load, a live view.
    Demo(DemoOptions),
    /// Watch a running gateway: a live view on a terminal, else a line a second.
    Top(TopOptions),
}

/// Parses the process' arguments. Help and version are printed and end it
/// with 0, wrong arguments with 1.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let is_wrong = error.use_stderr();
        // There is nobody left to tell where even this can't be printed.
        let _ = error.print();
        if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    fn cli(arguments: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(arguments.split(' '))
    }

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_runs() {
        let run = cli("psg --config a.json").expect("valid");
        assert!(run.command.is_none());
        assert_eq!(run.config.as_deref(), Some(Path::new("a.json")));
    }

    #[test]
    fn the_file_may_follow_the_command() {
        let check = cli("psg check-config --config a.json").expect("valid");
        assert!(matches!(check.command, Some(Command::CheckConfig)));
        assert_eq!(check.config.as_deref(), Some(Path::new("a.json")));
        assert!(matches!(
            cli("psg healthcheck").expect("valid").command,
            Some(Command::Healthcheck)
        ));
    }

    #[test]
    fn a_load_has_defaults_and_its_options_are_checked() {
        assert!(matches!(cli("psg load").expect("valid").command, Some(Command::Load(_))));
        let all = "psg load --rate 0 --count 5 --series 9 --mix counter=1,bad=1 --batch 7 \
                   --connections 2 --redis localhost:6390 --key queue --seed 1 --timestamps";
        assert!(cli(all).is_ok());
        for wrong in ["--duration 0s", "--count 0", "--mix meter=1", "--batch 0", "--connections 0"]
        {
            assert!(cli(&format!("psg load {wrong}")).is_err(), "{wrong}");
        }
        assert!(cli("psg load --count 1 --duration 1s").is_err());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(cli("psg chek-config").is_err());
        assert!(cli("psg --confg a.json").is_err());
    }

    #[test]
    fn long_help_names_every_setting_in_both_forms() {
        let help = Cli::command().render_long_help().to_string();
        for setting in crate::config::document::names() {
            assert!(help.contains(setting), "{setting}");
        }
        assert!(help.contains("Redis.MetricQueueKey or Redis__MetricQueueKey"));
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}
