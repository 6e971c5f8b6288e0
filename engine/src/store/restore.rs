//! The way back: series of a stored segment into an empty store.

use super::expiry_queue::BucketTag;
use super::listing::ListingPosition;
use super::tick::Tick;
use super::tombstones::{Tombstone, TombstoneId, TombstoneKey};
use super::{Series, SeriesFlags, Store, held};
use crate::catalog::{Admission, FamilyRef};
use crate::exemplar::KeptExemplar;
use crate::labels::LabelPairs;
use crate::metric::Value;
use crate::record::Since;
use crate::series::ReaderSet;
use crate::sharding::{Segment, series_hash};
use crate::state::{Claimed, Instants, OpenSegment, StateError, StoredSeries, StoredTombstone};
use crate::timestamp::PackedTime;

/// What came back of a stored segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Series that are there again.
    pub series: usize,
    /// Series whose family could not be claimed.
    pub left_out: usize,
}

fn tombstone_of(
    StoredTombstone { record, total, created }: StoredTombstone<'_>,
    family: FamilyRef,
    stored: &OpenSegment,
    since: Since,
) -> Result<Tombstone, StateError> {
    let id = TombstoneId::from_bytes(record.id);
    if id.segment() != stored.segment() {
        return Err(StateError::malformed("a tombstone of another segment"));
    }
    let shape = &stored.family(record.family)?.shape;
    let total = Value::from_record(total, family.shape(), shape, since)?;
    let age = i64::try_from(record.age).unwrap_or(i64::MAX);
    let died = Tick::of_milliseconds(since.milliseconds(-age));
    Ok(Tombstone { id, family, total, died, created: created.map(PackedTime::from) })
}

impl Store {
    /// Takes in what is in the stored segments of a store that is empty; what
    /// is of families that could not be claimed is left out. `at` is now, and
    /// the run time in the state's head; `key` is from there too.
    pub fn restore(
        &mut self,
        segments: &[Claimed],
        at: Instants,
        key: TombstoneKey,
    ) -> Result<Restored, StateError> {
        self.tombstones.set_key(key);
        let restored = self.restore_beside(segments, at, true)?;
        // They are where they were stored.
        self.tombstones.take_changed();
        Ok(restored)
    }

    /// Takes in what is in stored segments, beside what is there; tombstones only where
    /// they have the key of those that are there.
    pub fn restore_beside(
        &mut self,
        segments: &[Claimed],
        at: Instants,
        has_key: bool,
    ) -> Result<Restored, StateError> {
        let (mut restored, mut tombstones) = (Restored::default(), Vec::new());
        for claimed in segments {
            self.restore_segment(claimed, at, &mut restored, &mut tombstones)?;
        }
        if has_key {
            self.tombstones.restore(tombstones, Tick::at(at.now));
        }
        Ok(restored)
    }

    fn restore_segment(
        &mut self,
        claimed: &Claimed,
        at: Instants,
        restored: &mut Restored,
        tombstones: &mut Vec<Tombstone>,
    ) -> Result<(), StateError> {
        let stored = &claimed.segment;
        let since = Since::new(at, stored.taken());
        let mut reader = stored.reader();
        while let Some(series) = reader.next_series()? {
            let Some(family) = claimed.family(series.record.family) else {
                restored.left_out += 1;
                continue;
            };
            self.restore_series(series, family, stored, since)?;
            restored.series += 1;
        }
        while let Some(tombstone) = reader.next_tombstone()? {
            let Some(family) = claimed.family(tombstone.record.family) else { continue };
            tombstones.push(tombstone_of(tombstone, family, stored, since)?);
        }
        Ok(())
    }

    /// Drops all series, and what is noted about changes; slots that readers
    /// hold mean nothing any more, and what is applied until
    /// [`Store::end_replay`] is taken for what scrapers have seen.
    pub fn clear(&mut self) {
        let empty = Self::new(self.settings, self.tombstones.shared(), self.shard);
        let before = std::mem::replace(self, empty);
        // Else a notice of before would be taken for one of a series of now.
        self.generation = before.generation;
        // Counters of the self-metrics must not fall.
        self.expired = before.expired;
        self.stale_gauge_samples = before.stale_gauge_samples;
        self.future_timestamps = before.future_timestamps;
        self.tombstones.go_on_counting(&before.tombstones);
        if before.changes.marks.is_some() {
            self.watch_changes();
        }
        self.first_seen = before.first_seen;
        self.first_seen.begin_replay();
    }

    fn restore_series(
        &mut self,
        StoredSeries { record, exemplars, created }: StoredSeries<'_>,
        family: FamilyRef,
        stored: &OpenSegment,
        since: Since,
    ) -> Result<(), StateError> {
        let labels = LabelPairs::from_text(record.labels);
        let display = record.display.map(LabelPairs::from_text);
        let hash = series_hash(family.name_hash(), labels);
        if Segment::of(hash) != stored.segment() {
            return Err(StateError::malformed("a series of another segment"));
        }
        let shape = &stored.family(record.family)?.shape;
        let value = Value::from_record(record.value, family.shape(), shape, since)?;
        let index_hash = self.index_hash(&family, labels, stored.segment());
        if self.find(index_hash, &family, labels).is_some() {
            return Err(StateError::malformed("a series that is there twice"));
        }
        let admission = if record.overflow { Admission::Overflow } else { Admission::Counted };
        let flags = SeriesFlags::of(display.is_some());
        let bytes = family.bytes_of_series(labels, flags.has_display());
        family.restore_place(admission, bytes);
        let idle = i64::try_from(record.idle).unwrap_or(i64::MAX);
        let (kind, counted) = (family.kind(), family.family().clone());
        self.generation.0 = self.generation.0.wrapping_add(1);
        let slot = self.insert(Series {
            family,
            labels: labels.into(),
            value,
            holders: ReaderSet::default(),
            index_hash,
            touched: Tick::of_milliseconds(since.milliseconds(-idle)),
            position: ListingPosition::NONE,
            generation: self.generation,
            admission,
            bucket: BucketTag::default(),
            flags,
        });
        held(&mut self.slots, slot).position = self.listings.insert(&counted, slot);
        self.live[kind as usize] += 1;
        self.extras.created.set(slot.0, created);
        self.extras.display.extend(display.map(|as_sent| (slot, as_sent.into())));
        for exemplar in &exemplars {
            self.put_exemplar(slot, KeptExemplar::from_record(exemplar));
        }
        self.schedule_expiry(slot, Tick::at(since.now));
        record.ttl.into_iter().for_each(|ttl| self.set_ttl(slot, ttl, since.now));
        Ok(())
    }
}
