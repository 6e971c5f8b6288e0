//! What the fuzzers call; see `checks`.

pub mod checks;

#[allow(dead_code, reason = "the program uses more of it")]
#[path = "../../src/config/mod.rs"]
mod config;

#[allow(dead_code, reason = "the program uses more of it")]
#[path = "../../src/lint"]
mod lint {
    pub mod lines;
    pub mod finding;
    pub mod linter;
    mod strict;
}

/// Runs the check of that name.
pub fn run(name: &str, data: &[u8]) {
    let check = checks::CHECKS.iter().find(|check| check.name == name);
    (check.expect("a check of the list").run)(data);
}
