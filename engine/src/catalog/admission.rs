//! Admission: a series' place in its family's count and in the process's.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Family, FamilyRef};
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
    /// Reserves a place for one more series, or says which limit is reached:
    /// `metric_series_limit` or `series_limit`. Whoever gets one gives it back
    /// with [`Family::give_back`].
    pub fn reserve_place(&self) -> Result<(), Reason> {
        let Some(shared) = self.home.upgrade() else {
            return Err(Reason::SeriesLimit);
        };
        let limits = shared.limits;
        if !add_below(&self.counts.live_series, limits.max_series_per_metric) {
            return Err(Reason::MetricSeriesLimit);
        }
        if !add_below(&shared.live_series, limits.max_series) {
            self.counts.live_series.fetch_sub(1, Ordering::Relaxed);
            return Err(Reason::SeriesLimit);
        }
        Ok(())
    }
}

impl Family {
    /// Takes back what a series was let in with.
    pub(crate) fn give_back(&self, admission: Admission) {
        match admission {
            Admission::Counted => {
                self.counts.live_series.fetch_sub(1, Ordering::Relaxed);
                if let Some(shared) = self.home.upgrade() {
                    shared.live_series.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Admission::Overflow => {}
        }
    }
}

fn add_below(count: &AtomicUsize, limit: usize) -> bool {
    let more = |live: usize| (live < limit).then(|| live + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}
