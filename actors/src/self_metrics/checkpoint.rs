//! What is counted of checkpoints, whatever they are written to.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use psg_engine::timestamp::UnixTime;

use super::histogram::AtomicHistogram;
use crate::clock::system_time;

/// Bounds of `checkpoint_duration_seconds`, in seconds.
const DURATION_BOUNDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Bounds of `checkpoint_pause_seconds`, in seconds.
const PAUSE_BOUNDS: &[f64] = &[0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

/// The checkpoints of a pipeline.
#[derive(Debug)]
pub struct CheckpointMetrics {
    /// From the snapshot to its being safe, of those that succeeded.
    pub duration: AtomicHistogram,
    /// The longest time in a row that a shard spent on one.
    pub pause: AtomicHistogram,
    /// Checkpoints that failed.
    pub failures: AtomicU64,
    /// Bytes written for those that succeeded.
    bytes: AtomicU64,
    /// When the last one succeeded, in microseconds of Unix time; 0 is never.
    last_success: AtomicI64,
}

impl Default for CheckpointMetrics {
    fn default() -> Self {
        Self {
            duration: AtomicHistogram::new(DURATION_BOUNDS),
            pause: AtomicHistogram::new(PAUSE_BOUNDS),
            failures: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last_success: AtomicI64::new(0),
        }
    }
}

impl CheckpointMetrics {
    /// Counts a checkpoint that is safe now.
    pub fn succeeded(&self, took: Duration, bytes: u64) {
        self.duration.observe(took);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_success.store(system_time().micros(), Ordering::Relaxed);
    }

    /// Counts a checkpoint that failed.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes written for checkpoints that succeeded.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the last one succeeded, in seconds of Unix time, if any has.
    pub fn last_success(&self) -> Option<f64> {
        let success = UnixTime::from_micros(self.last_success.load(Ordering::Relaxed));
        (success.micros() > 0).then(|| success.seconds())
    }
}
