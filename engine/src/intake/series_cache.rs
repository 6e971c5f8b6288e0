//! The series that one reader knows, and where their shards keep them.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::clock::ClockSlab;
use super::entry_id::EntryId;
use super::family_cache::FamilyId;
use super::interner::InternedId;
use super::label_sets::LabelSet;
use crate::labels::{LabelPairs, SeriesLabels};
use crate::reject::Reason;
use crate::series::{Generation, Handle, Slot};
use crate::sharding::ShardIndex;

/// Templates that one series may have: as many producers spell it differently.
const TEMPLATES_PER_SERIES: usize = 8;

/// Series by family and canonical label text, at most `capacity` between batches.
#[derive(Debug)]
pub struct SeriesCache {
    entries: ClockSlab<CachedSeries>,
    /// What is known of each entry's series, by its number. Apart from the
    /// entries: this alone is read for every sample.
    states: Vec<SeriesState>,
    /// The short ways to the series that have some. Apart from the entries: of
    /// the series that come once, none is ever touched.
    shortcuts: Vec<Shortcuts>,
    free_shortcuts: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
    capacity: usize,
    /// What leaves at the end of the batch, whatever the capacity.
    leaving: Vec<EntryId>,
    /// Entries by where their series lie. Only shards' notices ask for it, so
    /// it is not there before the first of these.
    by_slot: Option<HashMap<(ShardIndex, Slot), EntryId, RandomState>>,
}

#[derive(Debug)]
struct CachedSeries {
    hash: u64,
    labels: SeriesLabels,
    family: FamilyId,
    /// Where its shortcuts are; [`NO_SHORTCUTS`] before it has any.
    shortcuts: u32,
}

const NO_SHORTCUTS: u32 = u32::MAX;

/// A template of payloads: the two texts around the number, each interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateId {
    /// The text before the number.
    pub before: InternedId,
    pub after: InternedId,
}

/// The short ways to one series: its templates, the last spellings that were
/// seen of it, and its label set.
#[derive(Debug, Default)]
struct Shortcuts {
    templates: [Option<TemplateId>; TEMPLATES_PER_SERIES],
    oldest: u8,
    oldest_spelling: u8,
    spellings: [u32; TEMPLATES_PER_SERIES],
    labels: Option<LabelSet>,
}

/// Whether a series was spelt so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// It is the first that is seen.
    First,
    /// There were others, not this one.
    Another,
    SeenAgain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesState {
    /// Its shard has yet to answer.
    Unknown,
    /// Its shard keeps it, and this cache holds a reference to it there.
    Known { shard: ShardIndex, slot: Slot, generation: Generation },
    /// Admission refused it, and its samples go to an overflow series;
    /// forgotten at the end of the batch like those that are refused.
    Folded {
        shard: ShardIndex,
        /// Where it lies there.
        slot: Slot,
    },
    /// Admission refused it; forgotten at the end of the batch, since a place
    /// may come free.
    Refused(Reason),
}

// Read for every sample.
const _: () = assert!(size_of::<SeriesState>() == 8);

/// What leaves the cache with a series.
#[derive(Debug)]
pub struct Leaving {
    /// The slot on which a reference is given back.
    pub slot: Option<(ShardIndex, Slot)>,
    shortcuts: Shortcuts,
}

impl Leaving {
    /// The templates that lead to the series.
    pub fn templates(&self) -> impl Iterator<Item = TemplateId> + '_ {
        self.shortcuts.templates.iter().flatten().copied()
    }

    /// The label set that leads to the series.
    pub fn label_set(&self) -> Option<&LabelSet> {
        self.shortcuts.labels.as_ref()
    }
}

impl SeriesCache {
    /// A cache that keeps `capacity` series from batch to batch.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: ClockSlab::default(),
            states: Vec::new(),
            shortcuts: Vec::new(),
            free_shortcuts: Vec::new(),
            table: HashTable::new(),
            hasher: RandomState::default(),
            capacity,
            leaving: Vec::new(),
            by_slot: None,
        }
    }

    /// The hash by which this cache finds a series.
    pub fn hash(&self, name: &str, labels: LabelPairs<'_>) -> u64 {
        self.hasher.hash_one((name, labels))
    }

    /// The entry and the family of a series, if it is known or asked for. `is_its` says
    /// whether a family is the series'.
    #[inline]
    pub fn find(
        &self,
        hash: u64,
        labels: LabelPairs<'_>,
        is_its: impl Fn(FamilyId) -> bool,
    ) -> Option<(EntryId, FamilyId)> {
        let same = |number: &u32| {
            self.entries.get(*number).is_some_and(|entry| {
                entry.hash == hash && is_its(entry.family) && entry.labels.pairs() == labels
            })
        };
        let number = *self.table.find(hash, same)?;
        self.entries.get(number).map(|entry| (EntryId(number), entry.family))
    }

    /// A new entry whose shard has yet to be asked.
    pub fn insert(&mut self, hash: u64, family: FamilyId, labels: SeriesLabels) -> EntryId {
        let number =
            self.entries.insert(CachedSeries { hash, labels, family, shortcuts: NO_SHORTCUTS });
        if number as usize == self.states.len() {
            self.states.push(SeriesState::Unknown);
        } else {
            self.states[number as usize] = SeriesState::Unknown;
        }
        let entries = &self.entries;
        let hash_of = |number: &u32| entries.get(*number).map_or(0, |entry| entry.hash);
        self.table.insert_unique(hash, number, hash_of);
        EntryId(number)
    }

    /// Gives the series another round before it is evicted.
    #[inline]
    pub fn touch(&mut self, id: EntryId) {
        self.entries.touch(id.0);
    }

    /// Whether one of the last spellings of the series had this fingerprint.
    /// If not, it is remembered: a spelling that comes back is worth a
    /// template, one that is new each time would be a cost each time.
    pub fn spelling(&mut self, id: EntryId, fingerprint: u32) -> Spelling {
        let Shortcuts { spellings, oldest_spelling, .. } = self.shortcuts(id);
        if spellings.contains(&fingerprint) {
            return Spelling::SeenAgain;
        }
        let is_first = spellings.iter().all(|spelling| *spelling == 0);
        spellings[usize::from(*oldest_spelling)] = fingerprint;
        *oldest_spelling = (*oldest_spelling + 1) % TEMPLATES_PER_SERIES as u8;
        if is_first { Spelling::First } else { Spelling::Another }
    }

    pub fn family(&self, id: EntryId) -> Option<FamilyId> {
        self.entries.get(id.0).map(|entry| entry.family)
    }

    /// Keeps a template of the series, so that both leave together; returns
    /// the oldest one where there are too many.
    pub fn keep_template(&mut self, id: EntryId, template: TemplateId) -> Option<TemplateId> {
        let Shortcuts { templates, oldest, .. } = self.shortcuts(id);
        let place = &mut templates[usize::from(*oldest)];
        *oldest = (*oldest + 1) % TEMPLATES_PER_SERIES as u8;
        place.replace(template)
    }

    /// The label set of the series, once it has one; it leaves with the series.
    pub fn label_set(&mut self, id: EntryId) -> &mut Option<LabelSet> {
        &mut self.shortcuts(id).labels
    }

    fn shortcuts(&mut self, id: EntryId) -> &mut Shortcuts {
        let Some(entry) = self.entries.get_mut(id.0) else {
            unreachable!("an entry stays until the batch ends")
        };
        if entry.shortcuts == NO_SHORTCUTS {
            entry.shortcuts = self.free_shortcuts.pop().unwrap_or_else(|| {
                self.shortcuts.push(Shortcuts::default());
                (self.shortcuts.len() - 1) as u32
            });
        }
        &mut self.shortcuts[entry.shortcuts as usize]
    }

    /// Takes the answer of the series' shard.
    pub fn resolve(&mut self, id: EntryId, shard: ShardIndex, answer: Result<Handle, Reason>) {
        self.states[id.0 as usize] = match answer {
            Ok(handle) => {
                if let Some(by_slot) = &mut self.by_slot {
                    by_slot.insert((shard, handle.slot), id);
                }
                known(shard, handle)
            }
            Err(reason) => {
                self.leaving.push(id);
                SeriesState::Refused(reason)
            }
        };
    }

    /// Takes a refusal back: the shard is asked again, for another admission.
    pub fn ask_again(&mut self, id: EntryId) {
        self.states[id.0 as usize] = SeriesState::Unknown;
        self.leaving.retain(|leaving| *leaving != id);
    }

    /// Lets go, at the end of the batch, of series that their shard has let
    /// expire.
    pub fn expire(&mut self, shard: ShardIndex, handles: &[Handle]) {
        let by_slot = self.by_slot.take().unwrap_or_else(|| self.index_slots());
        for handle in handles {
            let Some(id) = by_slot.get(&(shard, handle.slot)) else { continue };
            if self.states[id.0 as usize] == known(shard, *handle) {
                self.leaving.push(*id);
            }
        }
        self.by_slot = Some(by_slot);
    }

    fn index_slots(&self) -> HashMap<(ShardIndex, Slot), EntryId, RandomState> {
        let known = self.states.iter().enumerate().filter_map(|(number, state)| match state {
            SeriesState::Known { shard, slot, .. } if self.entries.get(number as u32).is_some() => {
                Some(((*shard, *slot), EntryId(number as u32)))
            }
            SeriesState::Known { .. }
            | SeriesState::Folded { .. }
            | SeriesState::Unknown
            | SeriesState::Refused(_) => None,
        });
        known.collect()
    }

    /// Sends the samples of a refused series elsewhere.
    pub fn fold(&mut self, id: EntryId, shard: ShardIndex, slot: Slot) {
        self.states[id.0 as usize] = SeriesState::Folded { shard, slot };
    }

    /// Forgets, between two batches, the series of families that are gone;
    /// `leave` is told what goes with each.
    pub fn drop_families(
        &mut self,
        is_gone: impl Fn(FamilyId) -> bool,
        mut leave: impl FnMut(Leaving),
    ) {
        for number in 0..self.states.len() as u32 {
            if self.entries.get(number).is_some_and(|entry| is_gone(entry.family))
                && let Some(entry) = self.entries.remove(number)
            {
                leave(self.unlink(number, &entry));
            }
        }
    }

    /// What is known of the series of an entry of this batch.
    #[inline]
    pub fn state(&self, id: EntryId) -> SeriesState {
        self.states[id.0 as usize]
    }

    /// Forgets what was refused or has expired, and what is beyond the capacity; `leave` is
    /// told what goes with each.
    pub fn end_batch(&mut self, mut leave: impl FnMut(Leaving)) {
        while let Some(id) = self.leaving.pop() {
            if let Some(entry) = self.entries.remove(id.0) {
                leave(self.unlink(id.0, &entry));
            }
        }
        while self.entries.len() > self.capacity {
            let Some((number, entry)) = self.entries.evict() else { return };
            leave(self.unlink(number, &entry));
        }
    }

    fn unlink(&mut self, number: u32, entry: &CachedSeries) -> Leaving {
        if let Ok(found) = self.table.find_entry(entry.hash, |candidate| *candidate == number) {
            found.remove();
        }
        let slot = match self.states[number as usize] {
            SeriesState::Known { shard, slot, .. } => {
                if let Some(by_slot) = &mut self.by_slot {
                    by_slot.remove(&(shard, slot));
                }
                Some((shard, slot))
            }
            SeriesState::Folded { .. } | SeriesState::Unknown | SeriesState::Refused(_) => None,
        };
        let mut leaving = Leaving { slot, shortcuts: Shortcuts::default() };
        if entry.shortcuts != NO_SHORTCUTS {
            leaving.shortcuts = std::mem::take(&mut self.shortcuts[entry.shortcuts as usize]);
            self.free_shortcuts.push(entry.shortcuts);
        }
        leaving
    }
}

fn known(shard: ShardIndex, handle: Handle) -> SeriesState {
    SeriesState::Known { shard, slot: handle.slot, generation: handle.generation }
}
