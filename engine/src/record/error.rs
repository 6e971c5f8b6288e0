//! What is wrong with bytes that should be a state.

use std::borrow::Cow;

/// Bytes that are no state that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StateError {
    /// They don't begin as a blob of this kind does.
    #[error("expected {expected}, got something else")]
    NoState { expected: &'static str },
    #[error("expected format version {newest} or less, got {version}: a newer gateway wrote it")]
    Newer { newest: u16, version: u16 },
    /// A record is of a kind that is not known here: a later version of the gateway
    /// wrote it.
    #[error("{what} holds a kind of record that is not known here: a newer gateway wrote it")]
    NewerRecord { what: &'static str },
    /// Another hash says which segment a series belongs to.
    #[error("expected series placed by hash {expected}, got hash {got}")]
    OtherHash { expected: u8, got: u8 },
    #[error("it is cut off: expected at least {expected} bytes, got {got}")]
    Short { expected: usize, got: usize },
    #[error("it is damaged: its checksum does not match")]
    Checksum,
    /// The checksum matches, but the content makes no sense.
    #[error("it is malformed: {what}")]
    Malformed { what: Cow<'static, str> },
    #[error("expected segment {expected}, got segment {got}")]
    OtherSegment { expected: usize, got: usize },
}

impl StateError {
    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { what: what.into() }
    }
}
