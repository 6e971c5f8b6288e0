//! Self-metrics: what the gateway counts of itself, in atomics that every
//! actor may reach. `table` describes each, `collect` reads them for a scrape.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use psg_engine::reject::Reason;
use psg_engine::sample::Kind;

use crate::source::ErrorKind;

/// What one worker counts.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Pops that found nothing.
    pub empty_pops: AtomicU64,
    /// Samples that are in a shard's inbox.
    pub processed: AtomicU64,
    /// Refused samples, indexed by `reason as usize`.
    pub rejected: [AtomicU64; Reason::COUNT],
}

impl WorkerMetrics {
    /// Refused samples for any reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// What the connections to Redis count.
#[derive(Debug)]
pub struct RedisMetrics {
    /// Whether the queue's Redis answers.
    pub up: AtomicBool,
    /// Elements in the list when it was last asked; -1 where it may not be asked.
    pub pending: AtomicI64,
    /// Connections opened again after one was lost.
    pub reconnects: AtomicU64,
    /// Errors, indexed by `kind as usize`.
    pub errors: [AtomicU64; ErrorKind::ALL.len()],
}

impl Default for RedisMetrics {
    fn default() -> Self {
        Self {
            up: AtomicBool::new(false),
            pending: AtomicI64::new(0),
            reconnects: AtomicU64::new(0),
            errors: Default::default(),
        }
    }
}

/// What one shard counts.
#[derive(Debug, Default)]
pub struct ShardMetrics {
    /// Shown series, indexed by `kind as usize`.
    pub series: [AtomicU64; Kind::ALL.len()],
    /// Nanoseconds spent on applying batches.
    pub apply_nanoseconds: AtomicU64,
}
