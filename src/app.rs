//! The only file that wires actors together.

use std::process::ExitCode;

use crate::config::Config;

/// Runs the gateway until it is stopped.
pub fn run(config: Config) -> ExitCode {
    tracing::error!(
        listen = ?config.gateway.http.listen,
        "the actors are not wired yet, so the gateway can't run"
    );
    ExitCode::FAILURE
}
