//! Where a stage goes on. Stages say it; [`OnceSource`](super::OnceSource) alone acts on
//! it.

use super::interruption::Interruption;
use super::owned::Owned;

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

pub(super) type Outcome = Result<Transition, Interruption>;
