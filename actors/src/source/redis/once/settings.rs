//! What exactly-once delivery is given by the application.

use std::time::Duration;

use super::lease::Holding;
use crate::checkpoint_requests::CheckpointRequests;
use crate::dead_letters::DeadLetterQueue;
use crate::fatal::FatalSignal;
use crate::serving_gate::ServingGate;
use crate::stop::{StopSignal, Stopper};

/// What exactly-once delivery needs besides the queue.
#[derive(Debug)]
pub struct OnceSettings {
    /// The time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// After that long without its owner, a standby takes the queue over.
    pub lease: Duration,
    /// Whether the queue is held, for who looks after the lease.
    pub holding: Holding,
    /// Opened while totals may be shown.
    pub gate: ServingGate,
    /// Where refused samples go, if anywhere: written before the checkpoint that
    /// covers them.
    pub dead_letters: Option<DeadLetterQueue>,
    /// Who asks for a checkpoint out of turn.
    pub checkpoint_requests: CheckpointRequests,
    /// Raised when the process must end.
    pub fatal: FatalSignal,
    /// When the queue is given back at the end.
    pub handshake: ShutdownHandshake,
}

/// The end of an owner: it writes a last checkpoint and says so, and keeps the
/// queue until that is wanted. So as long as its totals are shown,
/// nobody else's are.
#[derive(Debug, Clone)]
pub struct ShutdownHandshake {
    /// Set once the last checkpoint is written.
    pub saved: Stopper,
    /// When the queue is to be given back.
    pub release: StopSignal,
}
