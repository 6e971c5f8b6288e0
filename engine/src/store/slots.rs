//! Slots: which series lies where, who holds it, and how it is found by its
//! family and label text.

use std::hash::BuildHasher;

use super::expiry_queue::BucketTag;
use super::listing::ListingPosition;
use super::tick::Tick;
use super::{Series, SeriesFlags, Store};
use crate::catalog::{Admission, Family};
use crate::labels::LabelPairs;
use crate::metric::Value;
use crate::reject::Reason;
use crate::series::{Handle, ReaderIndex, ReaderSet, SeriesKey, Slot};
use crate::sharding::{SEGMENTS, Segment};
use crate::timestamp::Moment;

/// A series in the index. With its hash, so that a table which grows does not
/// visit every series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed {
    slot: Slot,
    hash: u32,
}

impl Store {
    /// A handle on a series, which `reader` then holds; or which limit refuses
    /// a new one, or that another series is printed as it would be.
    pub fn define(
        &mut self,
        key: SeriesKey,
        reader: ReaderIndex,
        now: Moment,
    ) -> Result<Handle, Reason> {
        let index_hash = self.index_hash(&key.family, key.labels.pairs(), Segment::of(key.hash));
        if let Some(slot) = self.find(index_hash, &key.family, key.labels.pairs()) {
            let series = self.series_mut(slot);
            if series.labels != key.labels {
                return Err(Reason::LabelConflict);
            }
            series.holders.insert(reader);
            return Ok(Handle { slot, generation: series.generation });
        }
        let SeriesKey { family, labels, display, hash: _, admission } = key;
        let flags = SeriesFlags::of(display.is_some());
        match admission {
            Admission::Counted => {
                let bytes = family.bytes_of_series(labels.pairs(), flags.has_display());
                family.reserve_place(bytes)?;
            }
            Admission::Overflow if family.live_series() > 0 => {}
            Admission::Overflow => return Err(Reason::SeriesLimit),
        }
        self.generation.0 = self.generation.0.wrapping_add(1);
        let generation = self.generation;
        let slot = self.insert(Series {
            family,
            labels,
            value: Value::NONE,
            holders: ReaderSet::one(reader),
            index_hash,
            touched: Tick::at(now),
            position: ListingPosition::NONE,
            generation,
            admission,
            bucket: BucketTag::default(),
            flags,
        });
        self.extras.display.extend(display.map(|text| (slot, text)));
        if self.series_mut(slot).family.is_retired() {
            // The question was on its way when the family went.
            self.notify_holders(slot);
        }
        Ok(Handle { slot, generation })
    }

    /// A hash of this process' own, and in its low bits the segment, so that
    /// this has a place in the series' cache line. Series that are printed alike have
    /// the same.
    pub(super) fn index_hash(
        &self,
        family: &Family,
        labels: LabelPairs<'_>,
        segment: Segment,
    ) -> u32 {
        let hash = self.hasher.hash_one((family.uid(), &*labels.print())) as u32;
        hash / SEGMENTS as u32 * SEGMENTS as u32 + segment.get() as u32
    }

    /// The series that is printed as that one is, under some escaping: as long as no
    /// second one of these is taken in, it is the same.
    pub(super) fn find(
        &self,
        index_hash: u32,
        family: &Family,
        labels: LabelPairs<'_>,
    ) -> Option<Slot> {
        let found = self.index.find(spread(index_hash), |found| {
            found.hash == index_hash
                && self.slots[found.slot.0 as usize].as_ref().is_some_and(|series| {
                    series.family.uid() == family.uid()
                        && series.labels.pairs().is_printed_as(labels)
                })
        });
        found.map(|found| found.slot)
    }

    pub(super) fn insert(&mut self, series: Series) -> Slot {
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
        let indexed = Indexed { slot, hash: index_hash };
        self.index.insert_unique(spread(index_hash), indexed, |other| spread(other.hash));
        self.changes.slot_filled(slot);
        slot
    }

    pub(super) fn forget(&mut self, slot: Slot, reader: ReaderIndex) {
        self.eviction_notices.forget(slot, reader);
        self.series_mut(slot).holders.remove(reader);
        self.free_if_unused(slot);
    }

    /// Frees the slot of a series that is not live and that nobody holds; its
    /// place and its reference to the family go with it.
    pub(super) fn free_if_unused(&mut self, slot: Slot) {
        let series = self.series_mut(slot);
        if series.is_live() || !series.holders.is_empty() || self.eviction_notices.is_held(slot) {
            return;
        }
        let Some(series) = self.slots[slot.0 as usize].take() else { return };
        let hash = spread(series.index_hash);
        if let Ok(entry) = self.index.find_entry(hash, |found| found.slot == slot) {
            entry.remove();
        }
        self.extras.remove(slot, series.flags);
        self.free.push(slot);
    }
}

/// A hash for the table, which takes places from the low bits of one. Those of
/// a product depend on nothing but the low bits of its factors, and these are
/// the segment, which everybody can work out: so the high half is folded in.
fn spread(index_hash: u32) -> u64 {
    let product = u64::from(index_hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Shape;
    use crate::sharding::{ShardCount, ShardIndex};

    const SERIES: usize = 50_000;

    /// How many groups of 16 places are probed on average to insert these hashes
    /// into a table as hashbrown has them.
    fn mean_probes(hashes: impl Iterator<Item = u64>) -> f64 {
        let mask = (SERIES * 8 / 7).next_power_of_two() - 1;
        let (mut is_taken, mut probes) = (vec![false; mask + 1], 0);
        for hash in hashes {
            let (mut group, mut stride) = (hash as usize & mask, 0);
            loop {
                probes += 1;
                let mut places = (group..group + 16).map(|place| place & mask);
                if let Some(free) = places.find(|place| !is_taken[*place]) {
                    is_taken[free] = true;
                    break;
                }
                stride += 16;
                group = (group + stride) & mask;
            }
        }
        f64::from(probes) / SERIES as f64
    }

    /// Who sends series may choose their segment, and a shard of many has few
    /// segments anyway: neither may show in where they lie.
    #[test]
    fn series_of_few_segments_lie_as_if_at_random() {
        let store = Store::default();
        let family = Family::standalone("name", "", Shape::Counter);
        let labels = |number: usize| format!("number=\"{number}\"");
        let random = mean_probes((0..SERIES).map(|number| store.hasher.hash_one(number)));
        let one_segment = vec![Segment::of(7)];
        let of_256_shards = ShardCount::new(256).segments_of(ShardIndex(7)).collect();
        for segments in [one_segment, of_256_shards] {
            let hashes = (0..SERIES).map(|number| {
                let segment = segments[number % segments.len()];
                spread(store.index_hash(&family, LabelPairs::from_text(&labels(number)), segment))
            });
            let found = mean_probes(hashes);
            assert!(found < 1.05 * random, "{found} for {random}, {} segments", segments.len());
        }
    }
}
