//! What the benches that run the real binary share. Each uses its own part.
#![allow(dead_code, reason = "each bench uses its own part")]

pub mod child;
#[allow(unused_imports, reason = "the load tool uses more of it, and it brings its own tests")]
#[path = "../../src/load/corpus/mod.rs"]
pub mod corpus;
pub mod gateway;
pub mod redis_server;

use std::process::ExitCode;

/// What goes wrong ends a bench with a message.
pub type Failure = Box<dyn std::error::Error>;

/// The gateway of this build.
pub const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

/// Runs the bench of that name, unless `filters`, which `cargo test` gives to
/// select tests by name, leave it out.
pub fn main(name: &str, filters: &[String], run: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    if !filters.is_empty() && !filters.iter().any(|part| name.contains(part)) {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
