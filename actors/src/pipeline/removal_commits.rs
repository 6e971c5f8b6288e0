//! What makes removals safe under exactly-once delivery. Apart from them, since
//! the handle that removes has it.

use std::time::Duration;

use crate::checkpoint_requests::CheckpointRequester;

/// Leases for which the commit of a removal is waited for.
const COMMIT_PATIENCE: u32 = 3;

/// Whom to ask for a checkpoint, and for how long.
#[derive(Debug)]
pub(super) struct RemovalCommits {
    pub(super) requester: CheckpointRequester,
    /// How long a checkpoint is waited for.
    pub(super) patience: Duration,
}

impl RemovalCommits {
    pub(super) fn new(requester: CheckpointRequester, lease: Duration) -> Self {
        Self { requester, patience: lease * COMMIT_PATIENCE }
    }
}
