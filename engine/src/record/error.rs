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
    /// A record is of a kind that is not known here: a later version of the gateway
    /// wrote it.
    #[error("{what} holds a kind of record that is not known here: a newer gateway wrote it")]
    NewerRecord {
        /// In what it was found.
        what: &'static str,
    },
    /// Another hash says which segment a series belongs to.
    #[error("expected series placed by hash {expected}, got hash {got}")]
    OtherHash {
        /// The hash that places them here.
        expected: u8,
        /// The hash that placed them.
        got: u8,
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
