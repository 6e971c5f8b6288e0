//! Deadlines of scrapes: nobody is waited for beyond the time that somebody has.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use psg_engine::store::ScrapeSeq;

use super::Request;
use crate::shard::Exposed;
use crate::shard_set::ShardsGone;

/// The next shard's part; `None` where it does not come in time.
pub(super) fn next_part(
    parts: &Receiver<Exposed>,
    deadline: Option<Instant>,
) -> Result<Option<Exposed>, ShardsGone> {
    let Some(deadline) = deadline else { return parts.recv().map(Some).map_err(|_| ShardsGone) };
    match parts.recv_deadline(deadline) {
        Ok(part) => Ok(Some(part)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(ShardsGone),
    }
}

/// Until when somebody waits; `None` is for ever.
pub(super) fn latest_deadline(waiting: &[(Option<ScrapeSeq>, Request)]) -> Option<Instant> {
    let deadlines: Option<Vec<Instant>> =
        waiting.iter().map(|(_, request)| request.ask.deadline).collect();
    deadlines?.into_iter().max()
}
