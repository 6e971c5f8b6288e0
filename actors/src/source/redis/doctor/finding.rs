//! What the doctor tells: one finding is one line, and what to do about it.
//! Neither can be forged, whatever the names that it met are.

use psg_engine::printable::printable;

/// Characters of a line: some list rights, or keys.
const LINE: usize = 2000;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it comes to.
    pub verdict: Verdict,
    /// What was looked at, in a word.
    pub topic: &'static str,
    /// What was found; without secrets.
    pub text: String,
    /// What to do, where there is something to do.
    pub advice: Option<String>,
}

/// What a finding comes to, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Skipped,
    /// It works, but is probably not meant so.
    Warn,
    /// It must be mended.
    Fail,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Skipped => "skip",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

impl Finding {
    /// As it should be.
    pub fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, topic, text: shown(text), advice: None }
    }

    /// It could not be looked at, for want of a right.
    pub fn skipped(topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, topic, text: shown(text), advice: None }
    }

    /// It works, but is probably not meant so.
    pub fn warn(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(shown(advice));
        Self { verdict: Verdict::Warn, topic, text: shown(text), advice }
    }

    /// It must be mended.
    pub fn fail(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(shown(advice));
        Self { verdict: Verdict::Fail, topic, text: shown(text), advice }
    }
}

fn shown(text: impl Into<String>) -> String {
    printable(&text.into(), LINE)
}
