//! What is wrong with bytes that should be a state.

use std::borrow::Cow;

/// Bytes that are no state that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They don't begin as a blob of this kind does.
    #[error("expected {expected}, got something else")]
    NoState {
        /// What was expected.
        expected: &'static str,
    },
    /// A later version of the gateway wrote them.
    #[error("expected format version {newest} or less, got {version}: a newer gateway wrote it")]
    Newer {
        /// The newest version that is read.
        newest: u16,
        /// The version that came.
        version: u16,
    },
    /// They end too early.
    #[error("it is cut off: expected at least {expected} bytes, got {got}")]
    Short {
        /// Bytes that there should be at least.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// They are not what was written.
    #[error("it is damaged: its checksum does not match")]
    Checksum,
    /// The checksum matches, but the content makes no sense.
    #[error("it is malformed: {what}")]
    Malformed {
        /// What makes no sense.
        what: Cow<'static, str>,
    },
    /// Another segment than the one that was asked for.
    #[error("expected segment {expected}, got segment {got}")]
    OtherSegment {
        /// The number asked for.
        expected: usize,
        /// The number found.
        got: usize,
    },
}

impl StateError {
    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { what: what.into() }
    }
}
