//! Checkpoints: the state of all shards at one point, and the way back.
//!
//! A snapshot is a barrier through the shards' in-order inboxes: it has all
//! that was put into them before, and nothing that came after. Shards go on
//! applying meanwhile (see [`psg_engine::store::SnapshotOrder`]).
//!
//! Who takes snapshots
//!
//! 1. calls [`Checkpoints::begin`], on the thread that puts samples into the
//!    inboxes where the point must be exact, and [`PendingSnapshot::collect`];
//! 2. makes the [`TakenSnapshot`] safe: its head, and its segments in place of
//!    those from before;
//! 3. calls [`Checkpoints::committed`]. Where it never does, the next snapshot
//!    has those segments too, so nothing is lost by giving one up.
//!
//! [`Checkpoints::load`] is the way back: at the start, or after
//! [`Checkpoints::clear`], while nothing else is sent to the shards.

use std::sync::Arc;

use psg_engine::catalog::Catalog;
use psg_engine::printable::{SHORT, printable};
use psg_engine::reject::Reject;
use psg_engine::sharding::ShardIndex;
use psg_engine::state::{Head, Instants, LoadError, Loading, RunTime, StateError, StoredSegment};
use psg_engine::store::{Restored, SnapshotOrder, TombstoneKey};
use tokio::sync::mpsc::{Receiver, channel};

use crate::clock::{Clock, UnixClock};
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::shard::{RestoredPart, ShardMessage};
use crate::shard_set::{ShardSet, ShardsGone};

/// Takes and restores the state of all shards of a pipeline, which has one.
#[derive(Debug)]
pub struct Checkpoints {
    shards: ShardSet,
    catalog: Catalog,
    clock: Clock,
    /// What gauges go by; the next process goes on from it.
    unix: UnixClock,
    /// A past instant on the clocks of the process and of the state.
    since: Instants,
    tombstone_key: [u8; 16],
    next_number: u64,
    metrics: Arc<CheckpointMetrics>,
}

/// A snapshot that the shards are writing.
#[derive(Debug)]
pub struct PendingSnapshot {
    number: u64,
    head: Head,
    parts: Receiver<Vec<StoredSegment>>,
    missing: usize,
}

/// The state at one point, or what changed of it.
#[derive(Debug)]
pub struct TakenSnapshot {
    /// For [`Checkpoints::committed`].
    pub number: u64,
    /// What belongs to all segments; to be stored with each checkpoint.
    pub head: Head,
    /// In order of their numbers.
    pub segments: Vec<StoredSegment>,
}

/// A state that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Series that are there again, and those that had to be left out.
    pub restored: Restored,
    /// The names that could not be claimed, and why not.
    pub left_out: Vec<String>,
}

/// A state can't be loaded. Shards may have part of it by then.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RestoreError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("a segment of shard {shard}: {error}", shard = shard.get())]
    Series { shard: ShardIndex, error: StateError },
    #[error(transparent)]
    Gone(#[from] ShardsGone),
}

impl Checkpoints {
    /// Of shards without series, whose tombstones are made under this key.
    pub fn new(
        shards: ShardSet,
        catalog: Catalog,
        (clock, unix): (Clock, UnixClock),
        tombstone_key: [u8; 16],
        metrics: Arc<CheckpointMetrics>,
    ) -> Self {
        let since = Instants { now: clock.now(), run_time: RunTime(0) };
        Self { shards, catalog, clock, unix, since, tombstone_key, next_number: 1, metrics }
    }

    /// What is counted of them.
    pub fn metrics(&self) -> &CheckpointMetrics {
        &self.metrics
    }

    /// Puts a snapshot into every inbox, and waits where one is full: of `all`
    /// segments, or of those that have changed since a committed one.
    pub fn begin(&mut self, all: bool) -> Result<PendingSnapshot, ShardsGone> {
        let (number, taken) = (self.next_number, self.since.at(self.clock.now()));
        self.next_number += 1;
        let order = SnapshotOrder { number, all, taken };
        let shards = self.shards.count();
        let (reply, parts) = channel(shards.get());
        self.shards.broadcast(|| ShardMessage::Snapshot { order, shards, reply: reply.clone() })?;
        let Self { tombstone_key, ref unix, .. } = *self;
        let head = Head { run_time: taken.run_time, tombstone_key, time: Some(unix.now()) };
        Ok(PendingSnapshot { number, head, parts, missing: shards.get() })
    }

    /// The snapshot with this number is safe.
    pub fn committed(&self, number: u64) -> Result<(), ShardsGone> {
        self.shards.broadcast(|| ShardMessage::SnapshotCommitted(number))
    }

    /// Lets series expire again after [`Checkpoints::clear`], once what came
    /// after the state that was loaded is applied.
    pub fn let_expire(&self) -> Result<(), ShardsGone> {
        self.shards.broadcast(|| ShardMessage::LetExpire)
    }

    /// Drops the series of all shards. What readers know of slots is void then.
    pub async fn clear(&self) -> Result<(), ShardsGone> {
        let (reply, mut answers) = channel(self.shards.count().get());
        self.shards.broadcast(|| ShardMessage::Clear { reply: reply.clone() })?;
        for _ in self.shards.count().all() {
            answers.recv().await.ok_or(ShardsGone)?;
        }
        Ok(())
    }

    /// Gives a state back to shards without series: its head and all of its
    /// segments. `is_whole` says whether it has, or will have before it is shown,
    /// all that was ever shown.
    pub async fn load(
        &mut self,
        head: Head,
        segments: &[StoredSegment],
        is_whole: bool,
    ) -> Result<Loaded, RestoreError> {
        let shards = self.shards.count();
        // Held until all series are back.
        let loading = Loading::new(segments, &self.catalog, shards)?;
        let loading = if is_whole { loading } else { loading.without_created() };
        let Loading { shards: claimed, left_out } = loading;
        let at = Instants { now: self.clock.now(), run_time: head.run_time };
        (self.since, self.tombstone_key) = (at, head.tombstone_key);
        head.time.into_iter().for_each(|time| self.unix.go_on_from(time));
        let key = TombstoneKey(head.tombstone_key);
        let (reply, mut answers) = channel(shards.get());
        for (shard, segments) in shards.all().zip(claimed) {
            let reply = reply.clone();
            self.shards.send(shard, ShardMessage::Restore { segments, at, key, reply })?;
        }
        let mut restored = Restored::default();
        for _ in shards.all() {
            let RestoredPart { shard, outcome } = answers.recv().await.ok_or(ShardsGone)?;
            let part = outcome.map_err(|error| RestoreError::Series { shard, error })?;
            restored.series += part.series;
            restored.left_out += part.left_out;
        }
        let told =
            |(name, why): &(String, Reject)| format!("{}: {}", printable(name, SHORT), why.detail);
        Ok(Loaded { restored, left_out: left_out.iter().map(told).collect() })
    }
}

impl PendingSnapshot {
    /// Waits for the parts of all shards.
    pub async fn collect(mut self) -> Result<TakenSnapshot, ShardsGone> {
        let mut segments = Vec::new();
        for _ in 0..self.missing {
            segments.extend(self.parts.recv().await.ok_or(ShardsGone)?);
        }
        Ok(self.taken(segments))
    }

    /// The same, for threads that may wait.
    pub fn collect_blocking(mut self) -> Result<TakenSnapshot, ShardsGone> {
        let mut segments = Vec::new();
        for _ in 0..self.missing {
            segments.extend(self.parts.blocking_recv().ok_or(ShardsGone)?);
        }
        Ok(self.taken(segments))
    }

    fn taken(self, mut segments: Vec<StoredSegment>) -> TakenSnapshot {
        segments.sort_unstable_by_key(|stored| stored.segment);
        TakenSnapshot { number: self.number, head: self.head, segments }
    }
}
