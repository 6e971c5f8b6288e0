//! Removal of a family that was retired (see [`crate::catalog`]): its series
//! and tombstones go, in slices, and readers are notified to give back what they
//! hold. Values that are still on their way for it are thrown away where a
//! series would become live.

use std::sync::Arc;

use super::Store;
use super::tombstones::Sweep;
use crate::catalog::Family;
use crate::series::Slot;

/// The removal of a family under way in one shard.
#[derive(Debug)]
pub struct RemoveJob {
    family: Arc<Family>,
    left: Vec<Slot>,
    /// Series that were removed.
    series: usize,
    tombstones: Sweep,
}

/// How much a removal has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Live series.
    pub series: usize,
    /// Tombstones.
    pub tombstones: usize,
}

impl RemoveJob {
    /// What was removed so far.
    pub fn removed(&self) -> Removed {
        Removed { series: self.series, tombstones: self.tombstones.removed() }
    }
}

impl Store {
    /// Begins to remove a family that was retired before. From now on no
    /// scrape shows anything of it.
    pub fn begin_removal(&mut self, family: Arc<Family>) -> RemoveJob {
        let left = self.listings.take(&family);
        RemoveJob { family, left, series: 0, tombstones: Sweep::default() }
    }

    /// Removes at most `budget` series or tombstones; true when none is left.
    pub fn remove_some(&mut self, job: &mut RemoveJob, budget: usize) -> bool {
        // As long as there are series, one may expire and leave a tombstone.
        if job.left.is_empty() {
            return self.tombstones.sweep(&mut job.tombstones, &job.family, budget);
        }
        for slot in job.left.split_off(job.left.len().saturating_sub(budget)) {
            // It may have expired meanwhile, and have gone to another series.
            if let Some(Some(series)) = self.slots.get(slot.0 as usize)
                && series.family.uid() == job.family.uid()
                && series.is_live()
            {
                self.deactivate(slot);
                job.series += 1;
            }
        }
        false
    }
}
