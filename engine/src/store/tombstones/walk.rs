//! A walk: all tombstones as they were when it began, visited in steps while
//! they come and go. One that goes before its turn leaves a copy behind; one
//! that comes meanwhile is not met.

use super::heads::NONE;
use super::{Tombstone, TombstoneId, Tombstones, Total};
use crate::catalog::FamilyRef;
use crate::store::changes::NumberSet;
use crate::store::wheel::Tick;
use crate::timestamp::UnixTime;

/// How far a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    /// The head to visit next.
    next: u32,
    /// Heads had numbers below it when the walk began.
    bound: usize,
    /// Which of these were visited, or are of tombstones that came later.
    passed: NumberSet,
    departed: Vec<Departed>,
}

/// A tombstone that went before its turn.
#[derive(Debug)]
struct Departed {
    id: TombstoneId,
    family: FamilyRef,
    died: Tick,
    total: DepartedTotal,
    created: Option<UnixTime>,
}

#[derive(Debug)]
enum DepartedTotal {
    Counter(f64),
    Histogram { sum: f64, counts: Box<[u64]> },
}

impl Walk {
    /// This head is not to be visited.
    pub fn leave_out(&mut self, number: u32) {
        if (number as usize) < self.bound {
            self.passed.insert(number);
        }
    }

    fn has_to_visit(&self, number: u32) -> bool {
        (number as usize) < self.bound && !self.passed.contains(number)
    }
}

impl Departed {
    fn of(tombstone: &Tombstone<'_>) -> Self {
        let Tombstone { id, family, died, total, created } = *tombstone;
        let total = match total {
            Total::Counter(total) => DepartedTotal::Counter(total),
            Total::Histogram { sum, counts } => {
                DepartedTotal::Histogram { sum, counts: counts.into() }
            }
        };
        Self { id, family: family.another(), died, total, created }
    }

    fn tombstone(&self) -> Tombstone<'_> {
        let total = match &self.total {
            DepartedTotal::Counter(total) => Total::Counter(*total),
            DepartedTotal::Histogram { sum, counts } => Total::Histogram { sum: *sum, counts },
        };
        let Self { id, family, died, created, .. } = self;
        Tombstone { id: *id, family, died: *died, total, created: *created }
    }
}

impl Tombstones {
    /// Begins a walk; one that is still under way is dropped.
    pub(in crate::store) fn begin_walk(&mut self) {
        let bound = self.heads.bound();
        self.walk = Some(Walk {
            next: self.heads.oldest().unwrap_or(NONE),
            bound,
            passed: NumberSet::below(bound),
            departed: Vec::new(),
        });
    }

    /// Goes on with the walk until `visit` has cost as much as `budget`; true
    /// when it is over.
    pub(in crate::store) fn walk_some(
        &mut self,
        budget: usize,
        mut visit: impl FnMut(&Tombstone<'_>) -> usize,
    ) -> bool {
        let Some(mut walk) = self.walk.take() else { return true };
        let mut spent = 0;
        while spent < budget {
            spent += match walk.departed.pop() {
                Some(departed) => visit(&departed.tombstone()),
                None if walk.next == NONE => return true,
                None => {
                    let number = walk.next;
                    walk.next = self.heads.newer(number);
                    let is_new = !walk.has_to_visit(number);
                    walk.leave_out(number);
                    if is_new { 1 } else { visit(&self.get(number)) }
                }
            };
        }
        self.walk = Some(walk);
        false
    }

    /// To be called before a tombstone goes.
    pub(super) fn before_unlink(&mut self, number: u32) {
        let Some(mut walk) = self.walk.take() else { return };
        let tombstone = self.get(number);
        // Of a family that was retired nothing is kept.
        if walk.has_to_visit(number) && !tombstone.family.is_retired() {
            walk.departed.push(Departed::of(&tombstone));
        }
        if walk.next == number {
            walk.next = self.heads.newer(number);
        }
        self.walk = Some(walk);
    }
}
