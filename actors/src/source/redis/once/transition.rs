//! Where a stage goes on, and what interrupts it. Stages say it; [`OnceSource`](super::OnceSource) alone acts on
//! it.

use super::owned::Owned;
use crate::fatal::FatalError;
use crate::source::SourceError;

/// Where a stage goes on.
pub(super) enum Transition {
    /// In the same stage.
    Stay,
    /// In the same stage, over a new connection.
    Reconnect,
    /// The link holds a page, which is to be handed out.
    Page,
    /// Nothing is known of the queue: its owner is looked for.
    StandBy,
    /// The queue was taken over; its last checkpoint has to be loaded.
    Load,
    /// The last checkpoint is loaded.
    Own(Box<Owned>),
    /// Nothing more comes.
    End,
}

/// What a step comes to.
pub(super) type Outcome = Result<Transition, Interruption>;

/// Why a stage can't go on.
#[derive(Debug)]
pub(super) enum Interruption {
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
