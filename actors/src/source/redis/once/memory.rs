//! The memory: what an owner keeps safe. It takes part in the protocol by a few
//! verbs, so that the protocol is the same whether it is the totals of shards or
//! something else.

use std::pin::Pin;

use futures_util::future::LocalBoxFuture;
use psg_engine::state::StoredSegment;
use tokio::sync::Notify;

use super::record::Line;
use super::stored::HeadCheck;
use crate::self_metrics::checkpoint::CheckpointMetrics;

/// What an owner keeps safe. It lives on the owner's thread.
///
/// What the owner has handed out is *routed* once the next batch is asked for.
pub trait Memory {
    /// What is counted of its checkpoints.
    fn metrics(&self) -> &CheckpointMetrics;

    /// How a head is judged before anything is done by it.
    fn head_check(&self) -> HeadCheck;

    /// Begins a snapshot of what has been routed: of `all` segments, or of those
    /// that have changed since one that is committed.
    fn begin(&mut self, all: bool) -> Result<Taking, MemoryGone>;

    /// The snapshot with this number is safe. Where that never comes, the next
    /// snapshot has its segments too.
    fn committed(&mut self, number: u64);

    /// Puts a stored state in the place of what is there. The lease is kept
    /// meanwhile, however long it takes.
    fn load<'a>(
        &'a mut self,
        ownership: Ownership<'a>,
        stored: StoredState,
    ) -> LocalBoxFuture<'a, Result<(), LoadFailure>>;

    /// The epoch was raised, and the memory is still what Redis says.
    fn resumed(&mut self, _ownership: Ownership<'_>) {}

    /// All that was claimed before the last load is routed again.
    fn caught_up(&self);

    /// Whether lists may be claimed.
    fn may_claim(&self) -> bool {
        true
    }

    /// Whether more pages may be asked for. Those on their way still come.
    fn may_read(&self) -> bool {
        true
    }

    /// Whether the last checkpoint may begin. Asked after the stop signal alone: nothing
    /// more comes then.
    fn may_end(&self) -> bool {
        true
    }

    /// What it can't go on without, if anything.
    fn demand(&mut self) -> Option<Demand> {
        None
    }

    /// Told when any of these may have changed; nothing where they never do.
    fn changes(&self) -> Option<&Notify> {
        None
    }
}

/// What an owner knows under an epoch that it has just raised. A *place* in the
/// stream of a partition says how many elements were ever claimed before it.
#[derive(Debug, Clone, Copy)]
pub struct Ownership<'a> {
    /// The epoch that was raised.
    pub epoch: u64,
    /// The owner's token.
    pub token: &'a str,
    /// Which partition it is that is owned.
    pub partition: usize,
    /// Up to where the stream is what it was under earlier epochs.
    pub line: Line,
    /// The place that the last checkpoint covers.
    pub at: u64,
    /// The place behind the last list that was claimed.
    pub end: u64,
    /// The record was written from memory, and has no checkpoint yet.
    pub is_new: bool,
}

/// What a memory can't go on without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// To be loaded again, and why.
    Reload(String),
    /// The same, under an epoch above this one.
    RaiseAbove(u64),
}

/// A snapshot that is being written.
pub type Taking = Pin<Box<dyn Future<Output = Result<Snapshot, MemoryGone>>>>;

/// A memory at one point, or what changed of it.
#[derive(Debug)]
pub struct Snapshot {
    /// For [`Memory::committed`].
    pub number: u64,
    /// What belongs to all segments; stored with each checkpoint.
    pub head: Vec<u8>,
    /// Each with content.
    pub segments: Vec<StoredSegment>,
}

/// A checkpoint as it was stored.
#[derive(Debug)]
pub struct StoredState {
    /// Empty where there never was a checkpoint.
    pub head: Vec<u8>,
    /// All segments that it has.
    pub segments: Vec<StoredSegment>,
}

/// Why a state was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// It can't be used by this version.
    #[error("{0}")]
    Unreadable(String),
    /// It has to be loaded under an epoch above this one, with which a line is noted
    /// where the claimed lists end.
    #[error("epoch {0} was seen")]
    RaiseAbove(u64),
    /// It has to be loaded under an epoch with which a line is noted, at this place.
    #[error("places beyond {0} were seen")]
    NewLine(u64),
    /// The stop signal came first.
    #[error("stopped")]
    Stopped,
}

/// Who keeps the memory has ended, as at the end of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory is not there any more")]
pub struct MemoryGone;
