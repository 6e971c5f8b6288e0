//! Removal of a family that was retired (see [`crate::catalog`]): its series
//! and tombstones go, in slices, and readers are told to give back what they
//! hold. Values that are still on their way for it are thrown away where a
//! series would be shown.

use std::sync::Arc;

use super::Store;
use crate::catalog::Family;
use crate::series::Slot;

/// The removal of a family under way in one shard.
#[derive(Debug)]
pub struct RemoveJob {
    family: Arc<Family>,
    left: Vec<Slot>,
    removed: Removed,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Series that were shown.
    pub series: usize,
    /// Tombstones.
    pub tombstones: usize,
}

impl RemoveJob {
    /// What was removed so far.
    pub fn removed(&self) -> Removed {
        self.removed
    }
}

impl Store {
    /// Begins to remove a family that was retired before. From now on no
    /// scrape shows anything of it.
    pub fn begin_removal(&mut self, family: Arc<Family>) -> RemoveJob {
        let left = self.listings.take(&family);
        let tombstones = self.tombstones.remove_family(&family);
        if let Some(marks) = &mut self.changes.marks {
            tombstones.iter().for_each(|id| marks.mark(id.segment()));
        }
        let tombstones = tombstones.len();
        RemoveJob { family, left, removed: Removed { series: 0, tombstones } }
    }

    /// Removes at most `budget` series; true when none is left.
    pub fn remove_some(&mut self, job: &mut RemoveJob, budget: usize) -> bool {
        for slot in job.left.split_off(job.left.len().saturating_sub(budget)) {
            // It may have expired meanwhile, and have gone to another series.
            let is_of = |series: &super::Series| {
                series.family.uid() == job.family.uid() && !series.is_hidden()
            };
            let cell = self.slots.get(slot.0 as usize).and_then(Option::as_ref);
            if cell.is_some_and(is_of) {
                self.hide(slot);
                job.removed.series += 1;
            }
        }
        job.left.is_empty()
    }
}
