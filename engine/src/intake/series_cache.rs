//! The series that one reader knows, and where their shards keep them.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::clock::ClockSlab;
use crate::catalog::Family;
use crate::reject::Reason;
use crate::series::Slot;
use crate::sharding::ShardIndex;

/// Series by family and canonical label text, at most `capacity` between pages.
#[derive(Debug)]
pub struct SeriesCache {
    entries: ClockSlab<Entry>,
    table: HashTable<u32>,
    hasher: RandomState,
    capacity: usize,
    refused: Vec<EntryId>,
}

/// An entry of the cache. `age` tells apart the series that had one number one
/// after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId {
    number: u32,
    age: u64,
}

impl EntryId {
    /// The number alone: enough while nothing can be evicted.
    pub fn number(self) -> u32 {
        self.number
    }
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    family: Arc<Family>,
    labels: Arc<str>,
    state: State,
    age: u64,
    templates: u8,
}

/// What is known of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its shard has yet to answer.
    Unknown,
    /// Its shard keeps it in this slot, on which this cache holds a reference.
    Known {
        /// The shard.
        shard: ShardIndex,
        /// The slot.
        slot: Slot,
    },
    /// Admission refused it; forgotten at the end of the page, since a place
    /// may come free.
    Refused(Reason),
}

impl SeriesCache {
    /// A cache that keeps `capacity` series from page to page.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: ClockSlab::default(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            capacity,
            refused: Vec::new(),
        }
    }

    /// The hash by which this cache finds a series.
    pub fn hash(&self, name: &str, labels: &str) -> u64 {
        self.hasher.hash_one((name, labels))
    }

    /// The entry of a series, if it is known or asked for.
    pub fn find(&self, hash: u64, family: &Arc<Family>, labels: &str) -> Option<EntryId> {
        let same = |number: &u32| {
            self.entries
                .get(*number)
                .is_some_and(|entry| Arc::ptr_eq(&entry.family, family) && *entry.labels == *labels)
        };
        let number = *self.table.find(hash, same)?;
        self.entries.get(number).map(|entry| EntryId { number, age: entry.age })
    }

    /// A new entry whose shard has yet to be asked.
    pub fn insert(
        &mut self,
        hash: u64,
        family: Arc<Family>,
        labels: Arc<str>,
        age: u64,
    ) -> EntryId {
        let entry = Entry { hash, family, labels, state: State::Unknown, age, templates: 0 };
        let number = self.entries.insert(entry);
        let entries = &self.entries;
        let hash_of = |number: &u32| entries.get(*number).map_or(0, |entry| entry.hash);
        self.table.insert_unique(hash, number, hash_of);
        EntryId { number, age }
    }

    /// Whether the entry is still that of the series which it was given for.
    pub fn is_current(&self, id: EntryId) -> bool {
        self.entries.get(id.number).is_some_and(|entry| entry.age == id.age)
    }

    /// Gives the series another round before it is evicted.
    pub fn touch(&mut self, id: EntryId) {
        self.entries.touch(id.number);
    }

    /// Whether another template may be learnt for the series: at most `limit`
    /// are, so that producers which spell it anew each time stop being a cost.
    pub fn may_learn(&mut self, id: EntryId, limit: u8) -> bool {
        match self.entries.get_mut(id.number) {
            Some(entry) if entry.templates < limit => {
                entry.templates += 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes the answer of the series' shard.
    pub fn resolve(&mut self, id: EntryId, shard: ShardIndex, answer: Result<Slot, Reason>) {
        let Some(entry) = self.entries.get_mut(id.number) else { return };
        entry.state = match answer {
            Ok(slot) => State::Known { shard, slot },
            Err(reason) => {
                self.refused.push(id);
                State::Refused(reason)
            }
        };
    }

    /// What is known of the series of an entry of this page, by its number.
    pub fn state(&self, number: u32) -> State {
        self.entries.get(number).map_or(State::Unknown, |entry| entry.state)
    }

    /// Forgets what was refused, and what is beyond the capacity; `forget` is
    /// told each slot whose reference is given back.
    pub fn end_page(&mut self, mut forget: impl FnMut(ShardIndex, Slot)) {
        while let Some(id) = self.refused.pop() {
            if let Some(entry) = self.entries.remove(id.number) {
                self.unlink(id.number, &entry);
            }
        }
        while self.entries.len() > self.capacity {
            let Some((number, entry)) = self.entries.evict() else { return };
            self.unlink(number, &entry);
            if let State::Known { shard, slot } = entry.state {
                forget(shard, slot);
            }
        }
    }

    fn unlink(&mut self, number: u32, entry: &Entry) {
        if let Ok(found) = self.table.find_entry(entry.hash, |candidate| *candidate == number) {
            found.remove();
        }
    }
}
