//! The store: the series of one shard, which it exclusively owns.
//!
//! A series lives in a *slot*. Readers learn the slot once (`define`) and then
//! send `(slot, value)` pairs, so that applying a sample is an array look-up.
//! A slot is held by a counted reference of each reader that knows it; a
//! series is *shown* from its first value on.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::catalog::{Family, Place};
use crate::metric::{Moment, Value};
use crate::reject::Reason;
use crate::sample::Kind;
use crate::series::{SeriesKey, Slot};
use crate::timestamp::{Stamp, Ttl, UnixTime};

mod expose;

pub use expose::ExposeJob;

/// The series of one shard.
#[derive(Debug, Default)]
pub struct Store {
    slots: Vec<Option<Series>>,
    free: Vec<Slot>,
    /// Finds slots by family and label text. Keyed by a hash of this process'
    /// own, since a stranger can make series that collide under a fixed one.
    index: HashTable<Slot>,
    hasher: RandomState,
    families: BTreeMap<FamilyKey, Vec<Slot>>,
    /// Label texts as sent, for the series that print another than their
    /// canonical one.
    display: HashMap<Slot, Box<str>>,
    shown: [usize; Kind::ALL.len()],
}

#[derive(Debug)]
struct Series {
    place: Place,
    labels: Arc<str>,
    index_hash: u64,
    value: Value,
    holders: u32,
    shown: bool,
}

/// Orders families by name, the older of two of one name first.
#[derive(Debug, Clone)]
struct FamilyKey(Arc<Family>);

/// What a reader sends a shard: values for slots that it holds, in the order
/// in which they were taken, then the slots that it holds no longer.
#[derive(Debug, Default)]
pub struct Batch {
    /// Samples.
    pub values: Vec<(Slot, f64)>,
    /// What few of them say besides, in their order.
    pub extras: Vec<Extra>,
    /// When they were taken from the queue.
    pub taken_at: UnixTime,
    /// References given back, after the values.
    pub forget: Vec<Slot>,
}

/// What a sample of a [`Batch`] says besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra {
    /// Which one of [`Batch::values`].
    pub index: u32,
    /// When a gauge was measured.
    pub timestamp: Option<UnixTime>,
    /// How long its series may stay idle from now on.
    pub ttl: Option<Ttl>,
}

impl Store {
    /// The slot of a series, on which the asker then holds a reference; or
    /// which limit refuses a new series.
    pub fn define(&mut self, key: SeriesKey, now: Moment) -> Result<Slot, Reason> {
        let index_hash = self.hasher.hash_one((key.family.uid(), &*key.labels));
        if let Some(slot) = self.find(index_hash, &key) {
            self.series_mut(slot).holders += 1;
            return Ok(slot);
        }
        let SeriesKey { family, labels, display, hash: _ } = key;
        let place = Place::reserve(family)?;
        let value = Value::new(place.family(), now);
        let series = Series { place, labels, index_hash, value, holders: 1, shown: false };
        let slot = self.insert(series);
        self.display.extend(display.map(|text| (slot, text)));
        Ok(slot)
    }

    /// Applies a batch.
    pub fn apply(&mut self, batch: &Batch, now: Moment) {
        let mut from = 0;
        for extra in &batch.extras {
            let at = extra.index as usize;
            self.apply_values(&batch.values[from..at], batch.taken_at, now);
            self.apply_with_extra(batch.values[at], extra, batch.taken_at, now);
            from = at + 1;
        }
        self.apply_values(&batch.values[from..], batch.taken_at, now);
        for slot in &batch.forget {
            self.forget(*slot);
        }
    }

    /// Applies samples that say nothing but their value, as nearly all do.
    fn apply_values(&mut self, values: &[(Slot, f64)], taken_at: UnixTime, now: Moment) {
        for (slot, value) in values {
            self.apply_one(*slot, *value, Stamp::untold(taken_at), now);
        }
    }

    fn apply_with_extra(
        &mut self,
        (slot, value): (Slot, f64),
        extra: &Extra,
        taken_at: UnixTime,
        now: Moment,
    ) {
        self.apply_one(slot, value, Stamp { taken_at, timestamp: extra.timestamp }, now);
    }

    #[inline(always)]
    fn apply_one(&mut self, slot: Slot, value: f64, stamp: Stamp, now: Moment) {
        let series = held(&mut self.slots, slot);
        series.value.apply(value, stamp, series.place.family(), now);
        if !series.shown {
            self.show(slot);
        }
    }

    /// Shown series of each type, indexed by `kind as usize`.
    pub fn shown(&self) -> [usize; Kind::ALL.len()] {
        self.shown
    }

    /// Slots in use: shown series, and those that readers have asked for and
    /// sent no value to yet.
    pub fn defined(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn find(&self, index_hash: u64, key: &SeriesKey) -> Option<Slot> {
        let same = |slot: &Slot| {
            self.slots[slot.0 as usize].as_ref().is_some_and(|series| {
                series.place.family().uid() == key.family.uid() && series.labels == key.labels
            })
        };
        self.index.find(index_hash, same).copied()
    }

    fn insert(&mut self, series: Series) -> Slot {
        let index_hash = series.index_hash;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot.0 as usize] = Some(series);
                slot
            }
            None => {
                self.slots.push(Some(series));
                Slot((self.slots.len() - 1) as u32)
            }
        };
        let slots = &self.slots;
        let hash_of = |slot: &Slot| slots[slot.0 as usize].as_ref().map_or(0, |s| s.index_hash);
        self.index.insert_unique(index_hash, slot, hash_of);
        slot
    }

    fn show(&mut self, slot: Slot) {
        let series = held(&mut self.slots, slot);
        series.shown = true;
        let family = series.place.family().clone();
        self.shown[family.kind() as usize] += 1;
        self.families.entry(FamilyKey(family)).or_default().push(slot);
    }

    fn forget(&mut self, slot: Slot) {
        let series = self.series_mut(slot);
        series.holders -= 1;
        if series.holders == 0 && !series.shown {
            self.remove(slot);
        }
    }

    /// Frees the slot of a series that is not shown and that nobody holds; its
    /// place and its reference to the family go with it.
    fn remove(&mut self, slot: Slot) {
        let Some(series) = self.slots[slot.0 as usize].take() else { return };
        if let Ok(entry) = self.index.find_entry(series.index_hash, |found| *found == slot) {
            entry.remove();
        }
        self.display.remove(&slot);
        self.free.push(slot);
    }

    fn series_mut(&mut self, slot: Slot) -> &mut Series {
        held(&mut self.slots, slot)
    }
}

/// The series in a slot on which the caller, or the reader that it serves,
/// holds a reference.
fn held(slots: &mut [Option<Series>], slot: Slot) -> &mut Series {
    slots[slot.0 as usize].as_mut().expect("a slot that is held is in use")
}

impl FamilyKey {
    fn order(&self) -> (&str, u64) {
        (self.0.name(), self.0.uid())
    }
}

impl PartialEq for FamilyKey {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for FamilyKey {}

impl PartialOrd for FamilyKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FamilyKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
