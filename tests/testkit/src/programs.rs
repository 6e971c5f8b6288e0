//! Programs that are not ours: whether they are there, and what they print.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What a command prints on standard output; it must succeed.
pub fn stdout(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.is_empty(), "{command:?}: {status}\n{said}");
    String::from_utf8(stdout).expect("text")
}

/// Where `tests/examples/install` puts the libraries.
pub fn libraries() -> PathBuf {
    crate::root().join(".cache/examples")
}

/// Whether `probe` succeeds; says so where it does not.
pub fn is_there(probe: &mut Command, what: &str) -> bool {
    must_be_there(probe.output().is_ok_and(|output| output.status.success()), what)
}

/// Says where something is not there that a test needs; that is a failure where
/// it was asked for.
pub fn must_be_there(is_there: bool, what: &str) -> bool {
    let required = std::env::var("PSG_EXAMPLES").is_ok_and(|value| value == "all");
    assert!(is_there || !required, "there is no {what}, and PSG_EXAMPLES=all asks for it");
    if !is_there {
        // Past the harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {what}");
    }
    is_there
}
