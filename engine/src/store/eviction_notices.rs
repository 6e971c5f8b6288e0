//! Eviction notices: a reader that holds a series which expired, or was removed,
//! is notified once, and holds the slot until it gives its reference back.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::{Store, held};
use crate::series::{Handle, ReaderIndex, ReaderSet, Slot};

/// That readers should give a series back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvictionNotice {
    /// The readers that hold it.
    pub readers: ReaderSet,
    /// The series.
    pub handle: Handle,
}

#[derive(Debug, Default)]
pub struct EvictionNotices {
    outgoing: Vec<EvictionNotice>,
    /// Readers that were notified and have not given the slot back yet.
    pending: HashMap<Slot, ReaderSet, RandomState>,
}

impl EvictionNotices {
    /// Whether a reader that was notified still has the slot.
    pub fn is_held(&self, slot: Slot) -> bool {
        !self.pending.is_empty() && self.pending.contains_key(&slot)
    }

    /// Notes that a reader has given a slot back.
    pub fn forget(&mut self, slot: Slot, reader: ReaderIndex) {
        if self.pending.is_empty() {
            return;
        }
        if let Some(readers) = self.pending.get_mut(&slot) {
            readers.remove(reader);
            if readers.is_empty() {
                self.pending.remove(&slot);
            }
        }
    }
}

impl Store {
    /// Whether there are notices for readers.
    pub fn has_notices(&self) -> bool {
        !self.eviction_notices.outgoing.is_empty()
    }

    /// The notices since the last call.
    pub fn take_notices(&mut self) -> Vec<EvictionNotice> {
        std::mem::take(&mut self.eviction_notices.outgoing)
    }

    /// Notifies every holder that has not been notified yet.
    pub(super) fn notify_holders(&mut self, slot: Slot) {
        let series = held(&mut self.slots, slot);
        let readers = std::mem::take(&mut series.holders);
        if readers.is_empty() {
            return;
        }
        let handle = Handle { slot, generation: series.generation };
        self.eviction_notices.outgoing.push(EvictionNotice { readers, handle });
        let pending = self.eviction_notices.pending.entry(slot).or_default();
        *pending = pending.union(readers);
    }
}
