//! Heads: the part of a tombstone that all have alike, in pages, and their
//! order by age.

use super::families::FamilyNumber;
use super::{PAGE_BYTES, TombstoneId};
use crate::store::wheel::Tick;

/// Heads of a page.
const PAGE: usize = PAGE_BYTES / size_of::<Head>();
/// No head.
pub const NONE: u32 = u32::MAX;

/// One tombstone, but for a histogram's figures. There may be millions, so it
/// is packed; its fields are always copied out.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
pub struct Head {
    /// Which series it is of.
    pub id: TombstoneId,
    /// A counter's total, bit by bit; a histogram's row.
    pub total: u64,
    /// The series' family; none where the head is free.
    pub family: FamilyNumber,
    /// When the series expired.
    pub died: Tick,
    older: u32,
    newer: u32,
    /// The next one in its bucket of the index.
    next: u32,
}

const _: () = assert!(size_of::<Head>() == 44);

/// The heads of a shard, linked from the oldest to the newest; those that are
/// free are linked too.
#[derive(Debug)]
pub struct Heads {
    pages: Vec<Vec<Head>>,
    oldest: u32,
    newest: u32,
    free: u32,
}

impl Default for Heads {
    fn default() -> Self {
        Self { pages: Vec::new(), oldest: NONE, newest: NONE, free: NONE }
    }
}

impl Head {
    /// A head that is not linked yet.
    pub fn new(id: TombstoneId, total: u64, family: FamilyNumber, died: Tick) -> Self {
        Self { id, total, family, died, older: NONE, newer: NONE, next: NONE }
    }
}

impl Heads {
    /// The head of a number.
    pub fn get(&self, number: u32) -> &Head {
        &self.pages[number as usize / PAGE][number as usize % PAGE]
    }

    /// Takes a head in as the newest.
    pub fn push(&mut self, head: Head) -> u32 {
        let number = self.place(Head { older: self.newest, newer: NONE, ..head });
        match self.newest {
            NONE => self.oldest = number,
            newest => self.get_mut(newest).newer = number,
        }
        self.newest = number;
        number
    }

    /// Takes a head out.
    pub fn remove(&mut self, number: u32) -> Head {
        let head = *self.get(number);
        match head.older {
            NONE => self.oldest = head.newer,
            older => self.get_mut(older).newer = head.newer,
        }
        match head.newer {
            NONE => self.newest = head.older,
            newer => self.get_mut(newer).older = head.older,
        }
        let free = self.free;
        let freed = self.get_mut(number);
        freed.newer = free;
        freed.family = FamilyNumber::NONE;
        self.free = number;
        head
    }

    /// The next head in the bucket of the index.
    pub fn next(&self, number: u32) -> u32 {
        self.get(number).next
    }

    /// Says which is the next head in the bucket of the index.
    pub fn set_next(&mut self, number: u32, next: u32) {
        self.get_mut(number).next = next;
    }

    /// The oldest head.
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The head that is next younger; [`NONE`] behind the newest.
    pub fn newer(&self, number: u32) -> u32 {
        self.get(number).newer
    }

    /// All numbers are below it.
    pub fn bound(&self) -> usize {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        full + self.pages.last().map_or(0, Vec::len)
    }

    /// Every head's number, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let newer = |number: &u32| Some(self.get(*number).newer).filter(|newer| *newer != NONE);
        std::iter::successors(self.oldest(), newer)
    }

    fn place(&mut self, head: Head) -> u32 {
        if self.free != NONE {
            let number = self.free;
            self.free = self.get(number).newer;
            *self.get_mut(number) = head;
            return number;
        }
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let pages = self.pages.len();
        let page = &mut self.pages[pages - 1];
        page.push(head);
        ((pages - 1) * PAGE + page.len() - 1) as u32
    }

    fn get_mut(&mut self, number: u32) -> &mut Head {
        &mut self.pages[number as usize / PAGE][number as usize % PAGE]
    }
}
