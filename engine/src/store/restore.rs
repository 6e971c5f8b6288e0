//! The way back: series of a stored segment into an empty store.

use super::listing::Position;
use super::wheel::{Mark, Tick};
use super::{Series, Store, held};
use crate::catalog::{Admission, FamilyRef};
use crate::metric::Value;
use crate::series::Readers;
use crate::sharding::{Segment, series_hash};
use crate::state::{Claimed, Instants, OpenSegment, SeriesRecord, Since, StateError};

/// What came back of a stored segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Series that are there again.
    pub series: usize,
    /// Series whose family could not be claimed.
    pub left_out: usize,
}

impl Store {
    /// Takes in the series of a stored segment, which none of the store's own
    /// belongs to; those of families that could not be claimed are left out.
    /// `at` is now, and the run time that the state's head tells.
    pub fn restore(&mut self, claimed: &Claimed, at: Instants) -> Result<Restored, StateError> {
        let stored = &claimed.segment;
        let since = Since::new(at, stored.taken());
        let mut reader = stored.series();
        let mut restored = Restored::default();
        while let Some(record) = reader.next()? {
            let Some(family) = claimed.family(record.family) else {
                restored.left_out += 1;
                continue;
            };
            self.restore_series(record, family, stored, since)?;
            restored.series += 1;
        }
        Ok(restored)
    }

    /// Drops all series, and what is noted about changes; slots that readers
    /// hold mean nothing any more.
    pub fn clear(&mut self) {
        let watches = self.changes.marks.is_some();
        let (expiry, generation, expired) = (self.expiry, self.generation, self.expired);
        let tombstones = self.tombstones.emptied();
        *self = Self { expiry, generation, expired, tombstones, ..Self::default() };
        if watches {
            self.watch_changes();
        }
    }

    fn restore_series(
        &mut self,
        record: SeriesRecord<'_>,
        family: FamilyRef,
        stored: &OpenSegment,
        since: Since,
    ) -> Result<(), StateError> {
        let hash = series_hash(&family, record.labels);
        if Segment::of(hash) != stored.segment() {
            return Err(StateError::malformed("a series of another segment"));
        }
        let settings = stored.window_settings(record.family);
        let value = Value::from_record(record.value, &family, settings, since)?;
        let index_hash = self.index_hash(&family, record.labels, stored.segment());
        if self.find(index_hash, &family, record.labels).is_some() {
            return Err(StateError::malformed("a series that is there twice"));
        }
        let admission = if record.overflow { Admission::Overflow } else { Admission::Counted };
        family.restore_place(admission);
        let idle = i64::try_from(record.idle).unwrap_or(i64::MAX);
        let (kind, counted) = (family.kind(), family.family().clone());
        self.generation.0 = self.generation.0.wrapping_add(1);
        let slot = self.insert(Series {
            family,
            labels: record.labels.into(),
            value,
            holders: Readers::default(),
            index_hash,
            touched: Tick::of_milliseconds(since.milliseconds(-idle)),
            position: Position::HIDDEN,
            generation: self.generation,
            admission,
            mark: Mark::default(),
            has_own_ttl: false,
        });
        held(&mut self.slots, slot).position = self.listings.insert(&counted, slot);
        self.shown[kind as usize] += 1;
        self.display.extend(record.display.map(|text| (slot, text.into())));
        self.watch(slot, Tick::at(since.now));
        record.ttl.into_iter().for_each(|ttl| self.set_ttl(slot, ttl, since.now));
        Ok(())
    }
}
