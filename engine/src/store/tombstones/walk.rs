//! A walk: all tombstones as they were when it began, visited in steps while
//! they come and go. One that goes before its turn leaves a copy; one that comes
//! meanwhile is not visited.

use super::table::NodeKey;
use super::{Tombstone, Tombstones};
use crate::store::sets::NumberSet;

/// How far a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    next: NodeKey,
    /// Keys were below it when the walk began.
    bound: NodeKey,
    /// Keys below it whose tombstones went or came since.
    changed: NumberSet,
    /// Those that went before their turn.
    removed: Vec<Tombstone>,
}

impl Walk {
    /// To be called with a tombstone that came.
    pub fn inserted(&mut self, key: NodeKey) {
        if key < self.bound {
            self.changed.insert(key);
        }
    }

    /// To be called with a tombstone that went.
    pub fn removed(&mut self, key: NodeKey, tombstone: &Tombstone) {
        if (self.next..self.bound).contains(&key) && !self.changed.contains(key) {
            self.changed.insert(key);
            self.removed.extend(tombstone.copy());
        }
    }
}

impl Tombstones {
    /// Begins a walk; one that is still under way is dropped.
    pub(in crate::store) fn begin_walk(&mut self) {
        let bound = self.table.key_bound();
        let changed = NumberSet::below(bound as usize);
        self.walk = Some(Walk { next: 0, bound, changed, removed: Vec::new() });
    }

    /// Goes on with the walk until `visit` has cost as much as `budget`; true
    /// when it is over.
    pub(in crate::store) fn walk_some(
        &mut self,
        budget: usize,
        mut visit: impl FnMut(&Tombstone) -> usize,
    ) -> bool {
        let Some(walk) = &mut self.walk else { return true };
        let mut spent = 0;
        while spent < budget {
            if let Some(removed) = walk.removed.pop() {
                spent += visit(&removed);
            } else if walk.next < walk.bound {
                let key = walk.next;
                walk.next += 1;
                spent += match self.table.get(key) {
                    Some(tombstone) if !walk.changed.contains(key) => visit(tombstone),
                    Some(_) | None => 1,
                };
            } else {
                self.walk = None;
                return true;
            }
        }
        false
    }
}
