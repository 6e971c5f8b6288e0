//! How it starts: command line, configuration, exit codes. In flow order:
//!
//! ```text
//! cli ─► config ─► logging ─► app
//! ```

#![forbid(unsafe_code)]

mod app;
mod check_config;
mod cli;
mod config;
mod demo;
mod doctor;
#[cfg(test)]
mod docs;
mod exit;
#[cfg(test)]
mod fuzz;
mod gateway_client;
mod healthcheck;
mod lint;
mod load;
mod logging;
mod own_gateway;
mod repartition;
mod signals;
mod stop_flag;
mod top;
mod view;

use std::process::ExitCode;

use cli::{Cli, Command};
use config::ConfigOutcome;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli) => dispatch(cli),
        Err(status) => status,
    }
}

fn dispatch(cli: Cli) -> ExitCode {
    let config = || config::load(cli.config.as_deref());
    match cli.command {
        None => run(config()),
        Some(Command::CheckConfig) => check_config::run(&config()),
        Some(Command::Doctor(options)) => doctor::run(&options, &config()),
        Some(Command::Healthcheck) => healthcheck::run(&config()),
        Some(Command::Lint(options)) => lint::run(&options, &config()),
        Some(Command::Load(options)) => load::run(&options),
        Some(Command::Repartition(options)) => repartition::run(&options, &config()),
        Some(Command::Demo(options)) => demo::run(&options),
        Some(Command::Top(options)) => top::run(&options, config),
    }
}

/// Runs the gateway; or says what is wrong with the configuration, on standard
/// error, since how to log is a part of it.
fn run(outcome: ConfigOutcome) -> ExitCode {
    match outcome.config {
        Ok(config) => {
            logging::init(config.log);
            outcome.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            app::run(config, &outcome.entries)
        }
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("bad configuration: {problem}"));
            exit::bad_configuration()
        }
    }
}
