//! Holders: the readers that refer to a series which expired. Each is told
//! once, and has the slot until it gives its reference back.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::{Store, held};
use crate::series::{Handle, ReaderIndex, Readers, Slot};

/// What readers are to be told: that they should forget this series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Who holds it.
    pub readers: Readers,
    /// The series.
    pub handle: Handle,
}

/// Who was told and has not answered yet.
#[derive(Debug, Default)]
pub struct Told {
    waiting: HashMap<Slot, Readers, RandomState>,
    notices: Vec<Notice>,
}

impl Told {
    /// Whether a reader that was told still has the slot.
    pub fn is_held(&self, slot: Slot) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(&slot)
    }

    /// Takes a reader off a slot.
    pub fn forget(&mut self, slot: Slot, reader: ReaderIndex) {
        if self.waiting.is_empty() {
            return;
        }
        if let Some(readers) = self.waiting.get_mut(&slot) {
            readers.remove(reader);
            if readers.is_empty() {
                self.waiting.remove(&slot);
            }
        }
    }
}

impl Store {
    /// Whether there is something to tell.
    pub fn has_notices(&self) -> bool {
        !self.told.notices.is_empty()
    }

    /// What is to be told since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.told.notices)
    }

    /// Tells every holder that has not been told yet.
    pub(super) fn tell_holders(&mut self, slot: Slot) {
        let series = held(&mut self.slots, slot);
        let readers = std::mem::take(&mut series.holders);
        if readers.is_empty() {
            return;
        }
        let handle = Handle { slot, generation: series.generation };
        self.told.notices.push(Notice { readers, handle });
        let waiting = self.told.waiting.entry(slot).or_default();
        *waiting = waiting.union(readers);
    }
}
