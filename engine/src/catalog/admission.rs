//! Admission: a series' place in its family's count and in the process's, and
//! what it is charged of the bytes.
//!
//! Whether a series may exist is decided by the shard that owns it, the only
//! one that knows whether it does: it finds the series, or reserves a place in
//! the family's count and in the process' count, or refuses. The reader then
//! holds the slot. When its cache evicts the series it gives the slot back
//! through the same inbox, after every value that it has sent for it. A slot
//! that nobody holds and that shows nothing is free, and its place with it.
//!
//! A reader waits for shards, a shard never waits for a reader: a reader has at
//! most one question at each shard, so the channel of answers always has room.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Family, FamilyRef};
use crate::labels::LabelPairs;
use crate::reject::Reason;

/// How a series was let in, which says what is given back when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It has a place in both counts.
    Counted,
    /// It is its family's overflow series, which has none.
    Overflow,
}

impl FamilyRef {
    /// Reserves a place for one more series of that many bytes, or says which limit
    /// is reached: `metric_series_limit`, `series_limit` or `series_bytes_limit`.
    /// It is given back with [`Family::give_back`].
    pub(crate) fn reserve_place(&self, bytes: usize) -> Result<(), Reason> {
        let Some(inner) = self.home.upgrade() else {
            return Err(Reason::SeriesLimit);
        };
        let limits = inner.settings.limits;
        if !add_within(&self.counts.live_series, 1, limits.max_series_per_metric) {
            return Err(Reason::MetricSeriesLimit);
        }
        if !add_within(&inner.live_series, 1, limits.max_series) {
            self.counts.live_series.fetch_sub(1, Ordering::Relaxed);
            return Err(Reason::SeriesLimit);
        }
        if !add_within(&inner.series_bytes, bytes, limits.max_series_bytes) {
            self.counts.live_series.fetch_sub(1, Ordering::Relaxed);
            inner.live_series.fetch_sub(1, Ordering::Relaxed);
            return Err(Reason::SeriesBytesLimit);
        }
        Ok(())
    }

    /// Gives a family that has no help, or no unit, the one that came later, where
    /// there is room for it.
    pub(crate) fn note_texts(&self, help: &str, unit: &str) {
        self.note_text(&self.help, help);
        self.note_text(&self.unit, unit);
    }

    fn note_text(&self, place: &OnceLock<Box<str>>, text: &str) {
        let Some(inner) = self.home.upgrade() else { return };
        if text.is_empty() || place.get().is_some() {
            return;
        }
        let limit = inner.settings.limits.max_series_bytes;
        if add_within(&inner.series_bytes, text.len(), limit) && place.set(text.into()).is_err() {
            // Somebody else was faster.
            inner.series_bytes.fetch_sub(text.len(), Ordering::Relaxed);
        }
    }
}

impl Family {
    /// What a series with that label text is charged; twice the text where it is
    /// printed in another order.
    pub(crate) fn bytes_of_series(&self, labels: LabelPairs<'_>, has_display: bool) -> usize {
        labels.as_bytes().len() * (1 + usize::from(has_display)) + self.shape.bytes_of_counts()
    }

    /// Takes back what a series of that many bytes was let in with.
    pub(crate) fn give_back(&self, admission: Admission, bytes: usize) {
        match admission {
            Admission::Counted => {
                self.counts.live_series.fetch_sub(1, Ordering::Relaxed);
                if let Some(inner) = self.home.upgrade() {
                    inner.live_series.fetch_sub(1, Ordering::Relaxed);
                    inner.series_bytes.fetch_sub(bytes, Ordering::Relaxed);
                }
            }
            Admission::Overflow => {}
        }
    }
}

/// Adds to a count, unless that would pass its limit.
pub(super) fn add_within(count: &AtomicUsize, more: usize, limit: usize) -> bool {
    let sum = |live: usize| live.checked_add(more).filter(|sum| *sum <= limit);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}
