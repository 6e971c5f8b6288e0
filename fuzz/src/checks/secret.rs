//! A secret whose traces are looked for.

use std::fmt::Write;

use crate::config::ConfigOutcome;

/// Nothing that the program prints by itself.
pub const MARK: &str = "Zq7hunter2";

/// The byte for which the mark is put.
const PLACE: char = '\u{1}';

/// `text` with the mark in place of each byte 1.
pub fn put_into(text: &str) -> String {
    text.replace(PLACE, MARK)
}

/// Whether the mark stands where a password may: in a URL, or in or behind a
/// part that says `password`, which may have had a comma.
pub fn may_be_a_password_in(connection: &str) -> bool {
    let Some((before, _)) = connection.split_once(MARK) else { return false };
    let is_password = |part: &str| {
        part.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("password"))
    };
    let scheme = before.trim_start().split_once("://").map(|(scheme, _)| scheme);
    let is_url = scheme.is_some_and(|scheme| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    is_url || before.split(',').any(is_password)
}

/// All that an operator may be shown.
pub fn everything_printed(outcome: &ConfigOutcome) -> String {
    let mut printed = outcome.warnings.join("\n");
    for entry in &outcome.entries {
        write!(printed, "\n{}={} {}", entry.name, entry.value, entry.set_as)
            .expect("writing to a string");
    }
    for problem in outcome.config.as_ref().err().into_iter().flatten() {
        write!(printed, "\n{problem}").expect("writing to a string");
    }
    printed
}
