//! Exactly-once delivery from a Redis list: nothing is popped; the backlog is
//! set aside, read, and unlinked when its effect is safe.
//!
//! Read in this order: `keys` names what is kept in Redis, `record` is what the
//! owner hash says, `stored` judges what stands there, `scripts` change it; `ledger` keeps the books of claimed
//! lists, `verdict` decides what a record means for the memory, `watch` when a
//! standby may take over, `holder` whether the process that held the queue is gone, `checkpoint` leads from a snapshot to a commit,
//! `preflight` judges the server. These are pure. `link` is the owner's
//! connection, `lease` renews what it holds when the reader can't; `owned` is what
//! an owner knows; `source` puts them together:
//! `entering` becomes the owner, `loading` fills the memory, `owning` claims and
//! reads, `saving` writes checkpoints, `recovering` is for a record that has
//! gone.

mod keys;
mod record;
mod stored;
mod scripts;
mod ledger;
mod verdict;
mod watch;
mod holder;
mod checkpoint;
mod preflight;
mod link;
mod lease;
mod owned;
mod source;
mod entering;
mod loading;
mod owning;
mod saving;
mod recovering;
mod guard;

use std::time::Duration;

use crate::checkpoint::Checkpoints;
use crate::checkpoint_requests::CheckpointRequests;
use crate::dead_letters::DeadLetterQueue;
use crate::fatal::FatalSignal;
use crate::serving_gate::ServingGate;
use crate::stop::{StopSignal, Stopper};

pub use guard::{refusal as uncovered, refuse_uncovered};
pub use keys::Keys;
pub use lease::Holding;
pub(super) use lease::LeaseKeeper;
pub use preflight::Server;
pub use source::OnceSource;
pub use stored::{FIELDS, Stored};

/// What exactly-once delivery needs besides the queue.
#[derive(Debug)]
pub struct OnceSettings {
    /// The time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// After that long without its owner, a standby takes the queue over.
    pub lease: Duration,
    /// Whether the queue is held, for who looks after the lease.
    pub holding: Holding,
    /// What is kept safe.
    pub checkpoints: Checkpoints,
    /// Opened while totals may be shown.
    pub gate: ServingGate,
    /// Where refused samples go, if anywhere: written before the checkpoint that
    /// covers them.
    pub dead_letters: Option<DeadLetterQueue>,
    /// Who asks for a checkpoint out of turn.
    pub checkpoint_requests: CheckpointRequests,
    /// Told when the process must end.
    pub fatal: FatalSignal,
    /// When the queue is given back at the end.
    pub handshake: ShutdownHandshake,
}

/// The end of an owner: it writes a last checkpoint and says so, and keeps the
/// queue until it is told to give it back. So as long as its totals are shown,
/// nobody else's are.
#[derive(Debug, Clone)]
pub struct ShutdownHandshake {
    /// Told once the last checkpoint is written.
    pub saved: Stopper,
    /// When the queue is to be given back.
    pub release: StopSignal,
}
