//! A series: one metric name with one set of labels. Its key is hashed once,
//! where a reader meets it for the first time.

use crate::catalog::{Admission, FamilyRef};
use crate::labels::{LabelsAsSent, SeriesLabels};
use crate::sharding::series_hash;

/// The identity of a series, as a reader asks its shard for a slot.
#[derive(Debug)]
pub struct SeriesKey {
    /// Its family, held while the question is under way.
    pub family: FamilyRef,
    /// Its labels; the shard keeps this very allocation.
    pub labels: SeriesLabels,
    /// The order to show them in, where that is not the canonical one.
    pub display: Option<LabelsAsSent>,
    /// [`series_hash`] of family and labels.
    pub hash: u64,
    /// How the series is to be let in where it does not exist.
    pub admission: Admission,
}

impl SeriesKey {
    /// The key of a series of `family`.
    pub fn new(
        family: FamilyRef,
        labels: SeriesLabels,
        display: Option<LabelsAsSent>,
        admission: Admission,
    ) -> Self {
        let hash = series_hash(family.name_hash(), labels.pairs());
        Self { family, labels, display, hash, admission }
    }
}

/// Where a series lies in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u32);

/// Tells apart the series that had a slot one after the other. Notices and
/// answers come to a reader in order, so a notice is never about another
/// series than the one that the reader has there; this makes sure of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation(pub u8);

/// A reader's reference to a series in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// Where the series lies.
    pub slot: Slot,
    /// Which series of that slot it is.
    pub generation: Generation,
}

/// A reader: below [`MAX_READERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderIndex(pub u8);

/// Readers of one process, at most.
pub const MAX_READERS: usize = 64;

/// A set of readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderSet(u64);

impl ReaderSet {
    /// One reader alone.
    pub fn one(reader: ReaderIndex) -> Self {
        Self(1 << reader.0)
    }

    /// Whether nobody is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Takes a reader in.
    pub fn insert(&mut self, reader: ReaderIndex) {
        self.0 |= 1 << reader.0;
    }

    /// Takes a reader out.
    pub fn remove(&mut self, reader: ReaderIndex) {
        self.0 &= !(1 << reader.0);
    }

    /// Everyone who is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a reader is in it.
    pub fn contains(self, reader: ReaderIndex) -> bool {
        self.0 >> reader.0 & 1 == 1
    }
}
