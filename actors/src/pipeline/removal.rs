//! The removal of a metric with all that belongs to it, so that one bad deploy is
//! not for ever. Under exactly-once delivery it is safe only once a checkpoint has
//! it, so that no crash brings it back.

use std::time::Duration;

use psg_engine::store::Removed;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handle::{PipelineHandle, Services};
use crate::serving_gate::Permit;
use crate::shard::ShardMessage;
use crate::shard_set::ShardsGone;

/// Why a removal is not done.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Nothing can be removed at present.
    #[error("{0}; ask again")]
    Unavailable(String),
    /// It is done, but not safe.
    #[error(
        "removed, but no checkpoint was written within {} s: until one is, a crash may \
         bring it back; ask again, 404 says that it is safe",
        .0.as_secs()
    )]
    Uncommitted(Duration),
}

impl PipelineHandle {
    /// Removes the metric of that name; `None` where there is none. Answers when
    /// every shard is done, and where that takes a checkpoint, when that is safe.
    pub async fn remove(&self, name: &str) -> Result<Option<Removed>, RemoveError> {
        let permit = match self.gate().permit() {
            Ok(permit @ Permit::Everything(_)) => permit,
            Ok(Permit::OwnMetrics) => return Err(unavailable("another gateway owns the queue")),
            Err(closed) => return Err(unavailable(closed)),
        };
        let (handle, name) = (self.clone(), name.to_owned());
        let removed = spawn_blocking(move || handle.services().remove(&name)).await;
        let removed = removed.map_err(unavailable)?.map_err(unavailable)?;
        self.commit(permit, removed.is_some()).await?;
        Ok(removed)
    }

    /// Waits until everything that was removed so far is safe, where that takes a
    /// checkpoint. That nothing has the name is not said before either: it may be
    /// what a removal whose answer did not come in time has left.
    async fn commit(&self, permit: Permit, is_removed: bool) -> Result<(), RemoveError> {
        let Some((requester, patience)) = &self.services().commits else { return Ok(()) };
        if !is_removed && !requester.is_pending() {
            return Ok(());
        }
        match timeout(*patience, requester.request()).await {
            // A memory that was reloaded meanwhile has the family again.
            Ok(Ok(())) => self.gate().still(permit).map_err(unavailable),
            Ok(Err(gone)) => Err(unavailable(gone)),
            Err(_) => Err(RemoveError::Uncommitted(*patience)),
        }
    }
}

impl Services {
    /// First the name is free, so that nothing new comes in under the old family;
    /// then each shard drops what it has of it.
    fn remove(&self, name: &str) -> Result<Option<Removed>, ShardsGone> {
        let Some(family) = self.catalog.retire(name) else { return Ok(None) };
        let mut all = Removed::default();
        for removed in
            self.shards.ask(|reply| ShardMessage::Remove { family: family.clone(), reply })?
        {
            let removed = removed?;
            all.series += removed.series;
            all.tombstones += removed.tombstones;
        }
        let Removed { series, tombstones } = all;
        tracing::info!(name, series, tombstones, "a metric was removed");
        Ok(Some(all))
    }
}

fn unavailable(why: impl std::fmt::Display) -> RemoveError {
    RemoveError::Unavailable(why.to_string())
}
