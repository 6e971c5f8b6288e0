//! What the doctor reports: each diagnosis is one line, and what to do about it.
//! Neither can be forged, whatever the names in Redis are.

use psg_engine::printable::printable;

/// Characters of a line: some list rights, or keys.
const LINE: usize = 2000;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a word.
    pub topic: &'static str,
    /// What was found; without secrets.
    pub text: String,
    /// What to do, where there is something to do.
    pub advice: Option<String>,
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Skipped,
    /// It works, but is probably not meant so.
    Warn,
    /// It must be fixed.
    Fail,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Skipped => "skip",
            Severity::Warn => "warn",
            Severity::Fail => "fail",
        }
    }
}

impl Diagnosis {
    /// All is as it should be.
    pub fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, topic, text: shown(text), advice: None }
    }

    /// It could not be looked at, for want of a right.
    pub fn skipped(topic: &'static str, text: impl Into<String>) -> Self {
        Self { severity: Severity::Skipped, ..Self::ok(topic, text) }
    }

    /// It works, but is probably not meant so.
    pub fn warn(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, advice: Some(shown(advice)), ..Self::ok(topic, text) }
    }

    /// It must be fixed.
    pub fn fail(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Fail, ..Self::warn(topic, text, advice) }
    }
}

fn shown(text: impl Into<String>) -> String {
    printable(&text.into(), LINE)
}
