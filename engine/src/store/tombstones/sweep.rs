//! A sweep: the tombstones of a family that was retired go, in slices, since all
//! of them have to be looked at to find these.

use std::sync::Arc;

use super::Tombstones;
use super::table::NodeKey;
use crate::catalog::Family;

/// Tombstones that are looked at in the time in which one is removed, about.
const LOOKS: usize = 16;

/// How far a sweep is.
#[derive(Debug, Default)]
pub struct Sweep {
    next: NodeKey,
    removed: usize,
}

impl Sweep {
    /// How many it has removed.
    pub fn removed(&self) -> usize {
        self.removed
    }
}

impl Tombstones {
    /// Goes on to remove those of a family that gets no more of them, at most
    /// `budget`; true when none is left. Others may come and go between two
    /// calls.
    pub fn sweep(&mut self, sweep: &mut Sweep, family: &Arc<Family>, budget: usize) -> bool {
        let mut left = budget.saturating_mul(LOOKS);
        while sweep.next < self.table.key_bound() && left > 0 {
            let key = sweep.next;
            sweep.next += 1;
            left -= 1;
            if self.table.get(key).is_some_and(|tombstone| tombstone.is_of(family)) {
                self.remove(key);
                sweep.removed += 1;
                left = left.saturating_sub(LOOKS - 1);
            }
        }
        sweep.next >= self.table.key_bound()
    }
}
