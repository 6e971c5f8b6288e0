//! A histogram of durations that many threads may observe into.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use psg_engine::metric::histogram::{BucketLayout, Histogram};

/// Counts per bucket and the sum, in atomics.
#[derive(Debug)]
pub struct AtomicHistogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    sum_nanoseconds: AtomicU64,
    last_nanoseconds: AtomicU64,
}

impl AtomicHistogram {
    /// A histogram for strictly increasing bounds in seconds.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            counts,
            sum_nanoseconds: AtomicU64::new(0),
            last_nanoseconds: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| seconds > *bound);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = duration.as_nanos() as u64;
        self.sum_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.last_nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }

    /// Counts one duration of nothing at all.
    pub fn observe_none(&self) {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
    }

    /// The last duration that was counted; 0 where there was none.
    pub fn last(&self) -> Duration {
        Duration::from_nanos(self.last_nanoseconds.load(Ordering::Relaxed))
    }

    /// Its layout, as the exposition needs it.
    pub fn layout(&self) -> BucketLayout {
        BucketLayout::new(self.bounds)
    }

    /// What it holds at present.
    pub fn read(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let sum = self.sum_nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        Histogram::from_parts(counts, sum)
    }
}
