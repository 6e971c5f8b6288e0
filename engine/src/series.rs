//! A series: one metric name with one set of labels. Its key is hashed once,
//! where a reader meets it for the first time.

use std::sync::Arc;

use crate::catalog::FamilyRef;

/// The identity of a series, as a reader asks its shard for a slot.
#[derive(Debug)]
pub struct SeriesKey {
    /// Its family, held while the question is under way.
    pub family: FamilyRef,
    /// The canonical label text; the shard keeps this very allocation.
    pub labels: Arc<str>,
    /// The label text to print, where that is another than the canonical one.
    pub display: Option<Box<str>>,
    /// [`crate::sharding::series_hash`] of the two.
    pub hash: u64,
}

/// Where a series lies in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u32);
