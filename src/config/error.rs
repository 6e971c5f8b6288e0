//! Problems: what is wrong with the configuration, all of it at once.

use std::fmt;

use psg_engine::printable::printable;

/// Longest value that a message repeats, in characters.
const LONGEST_SHOWN: usize = 80;

const LONGEST: usize = 1000;

/// One thing that is wrong. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting as it was set (`Redis__X` or `Redis.X`), or the file.
    pub name: String,
    /// What was expected and what came; lower case, no full stop.
    pub message: String,
}

impl Problem {
    /// A problem of `name`.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}", self.name, self.message);
        f.write_str(&printable(&line, LONGEST))
    }
}

impl std::error::Error for Problem {}

pub fn expected(expected: &str, got: &str) -> String {
    format!("expected {expected}, got {}", shown(got))
}

/// A value in quotes, cut where it is long, with nothing that could upset a
/// terminal or a log.
pub fn shown(text: &str) -> String {
    format!("\"{}\"", printable(text, LONGEST_SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_cut() {
        assert_eq!(shown("two"), r#""two""#);
        assert_eq!(shown("a\n\u{1b}[2J"), r#""a\n\u{1b}[2J""#);
        let long = "ä".repeat(LONGEST_SHOWN + 1);
        assert_eq!(shown(&long), format!("\"{}…\"", "ä".repeat(LONGEST_SHOWN - 1)));
    }
}
