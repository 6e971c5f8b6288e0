//! The budget of tombstones, one for all shards.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::sharding::ShardIndex;
use crate::store::tick::Tick;

/// By how many the budget may be passed until the shard with the oldest has
/// looked.
const SLACK: usize = 1024;

/// How many tombstones there may be, and are, and where the oldest lies.
#[derive(Debug, Default)]
pub struct TombstoneBudget {
    most: usize,
    count: AtomicUsize,
    /// When the oldest of each shard came to be.
    oldest: Box<[AtomicU32]>,
}

impl TombstoneBudget {
    /// A budget of `most` tombstones for that number of shards.
    pub fn new(most: usize, shards: usize) -> Self {
        let oldest = (0..shards).map(|_| AtomicU32::new(Tick::MAX.0)).collect();
        Self { most, count: AtomicUsize::new(0), oldest }
    }

    /// How many there are in all shards.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn set_oldest(&self, shard: ShardIndex, died: Tick) {
        if let Some(oldest) = self.oldest.get(shard.get()) {
            oldest.store(died.0, Ordering::Relaxed);
        }
    }

    /// Whether there are too many and one of this shard's has to go; if so, it
    /// is no longer counted.
    pub(super) fn takes_back(&self, shard: ShardIndex) -> bool {
        if self.count() <= self.most {
            return false;
        }
        let bound = if self.is_oldest_in(shard) { self.most } else { self.most + SLACK };
        let less = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count > bound).then(|| count - 1)
        });
        less.is_ok()
    }

    fn is_oldest_in(&self, shard: ShardIndex) -> bool {
        let all = || self.oldest.iter().map(|oldest| oldest.load(Ordering::Relaxed));
        let own = all().nth(shard.get()).unwrap_or(Tick::MAX.0);
        all().all(|other| own <= other)
    }
}
