//! The totals of all shards as an owner's memory.

use futures_util::future::LocalBoxFuture;
use psg_engine::state::Head;

use super::memory::{LoadFailure, Memory, MemoryGone, Ownership, Snapshot, StoredState, Taking};
use super::stored::HeadCheck;
use crate::checkpoint::{Checkpoints, TakenSnapshot};
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::shard_set::ShardsGone;

impl Memory for Checkpoints {
    fn metrics(&self) -> &CheckpointMetrics {
        self.metrics()
    }

    fn head_check(&self) -> HeadCheck {
        check_head
    }

    fn begin(&mut self, all: bool) -> Result<Taking, MemoryGone> {
        let pending = self.begin(all)?;
        Ok(Box::pin(async move {
            let TakenSnapshot { number, head, segments } = pending.collect().await?;
            Ok(Snapshot { number, head: head.encode(), segments })
        }))
    }

    fn committed(&mut self, number: u64) {
        // Shards that have gone have nothing to remember.
        let _ = Checkpoints::committed(self, number);
    }

    fn load<'a>(
        &'a mut self,
        _ownership: Ownership<'a>,
        stored: StoredState,
    ) -> LocalBoxFuture<'a, Result<(), LoadFailure>> {
        Box::pin(async move { restore(self, stored).await.map_err(LoadFailure::Unreadable) })
    }

    fn caught_up(&self) {
        // Shards that have gone let nothing expire.
        let _ = self.let_expire();
    }
}

/// Whether that is a head of totals.
pub fn check_head(head: &[u8]) -> Result<(), String> {
    Head::decode(head).map(drop).map_err(|cause| cause.to_string())
}

async fn restore(checkpoints: &mut Checkpoints, stored: StoredState) -> Result<(), String> {
    checkpoints.clear().await.map_err(|gone| gone.to_string())?;
    let StoredState { head, segments } = stored;
    if head.is_empty() {
        return Ok(());
    }
    let head = Head::decode(&head).map_err(|cause| cause.to_string())?;
    let loaded = checkpoints.load(head, &segments, true).await;
    for name in &loaded.map_err(|cause| cause.to_string())?.left_out {
        tracing::warn!("left out of the state that was loaded: {name}");
    }
    Ok(())
}

impl From<ShardsGone> for MemoryGone {
    fn from(_: ShardsGone) -> Self {
        MemoryGone
    }
}
