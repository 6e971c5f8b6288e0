//! Why a stage of an owner can't go on.

use crate::fatal::FatalError;
use crate::source::SourceError;

/// Why a stage can't go on.
#[derive(Debug)]
pub enum Interruption {
    /// The connection or the server failed: it is tried again over a new one.
    Failed(SourceError),
    /// The memory is not what Redis says, and why: it is loaded again.
    Reload(String),
    /// The record has gone, or is damaged in that way, and this process
    /// was the last that held it.
    RecordLost(Option<String>),
    /// The process must end, before anything else is done.
    Fatal(FatalError),
}

impl From<SourceError> for Interruption {
    fn from(failure: SourceError) -> Self {
        Interruption::Failed(failure)
    }
}

impl From<FatalError> for Interruption {
    fn from(error: FatalError) -> Self {
        Interruption::Fatal(error)
    }
}
