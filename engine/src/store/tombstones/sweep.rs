//! A sweep: the tombstones of a family that was retired go, in slices, since
//! all heads have to be looked at to find them.

use std::sync::Arc;

use super::Tombstones;
use crate::catalog::Family;

/// Heads that are looked at in the time in which a tombstone is removed, about.
const LOOKS: usize = 16;

/// How far a sweep is.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The number of the head to look at next.
    next: usize,
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
        // With its last one the family's number is free for another family.
        let Some(doomed) = self.families.number_of(family) else { return true };
        let bound = self.heads.bound();
        let mut left = budget.saturating_mul(LOOKS);
        while sweep.next < bound && left > 0 {
            let number = sweep.next as u32;
            sweep.next += 1;
            left -= 1;
            if self.heads.get(number).family == doomed {
                self.remove(number);
                sweep.removed += 1;
                left = left.saturating_sub(LOOKS - 1);
            }
        }
        sweep.next >= bound
    }
}
