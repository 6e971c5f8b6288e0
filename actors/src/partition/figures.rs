//! The figures of a router, in atomics that others may read.

use std::sync::atomic::{AtomicBool, AtomicU64};

use psg_engine::partition::Partitions;

use crate::self_metrics::histogram::AtomicHistogram;

/// Bounds of how long deltas are on their way, in seconds.
const ON_THEIR_WAY: &[f64] = &[0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What is counted of a router.
#[derive(Debug)]
pub struct RouterFigures {
    /// One for each home.
    pub homes: Vec<HomeFigures>,
    /// Samples that were taken in, to be delivered to a home.
    pub forwarded: AtomicU64,
    /// Samples that a replay has passed over, since their homes have them.
    pub passed_over: AtomicU64,
    /// Lanes whose home has lost what can't be sent again.
    pub raised: AtomicU64,
    /// Lanes that were set back, since the partition's own node has lost data.
    pub set_back: AtomicU64,
}

/// What is counted of one home.
#[derive(Debug)]
pub struct HomeFigures {
    /// Samples that it has, once each.
    pub delivered: AtomicU64,
    /// Bytes of the frames that it was sent.
    pub bytes: AtomicU64,
    /// Requests that it did not answer, or refused.
    pub failures: AtomicU64,
    /// Whether it is entered under the present epoch; while one is not, nothing is
    /// claimed.
    pub is_entered: AtomicBool,
    /// Bytes of deltas that it does not have yet.
    pub undelivered_bytes: AtomicU64,
    /// Since when the oldest of these wait, in milliseconds of the pipeline's clock; 0
    /// where there are none.
    pub undelivered_since: AtomicU64,
    /// How long deltas were on their way, from their first sample until they were
    /// delivered.
    pub on_their_way: AtomicHistogram,
}

impl RouterFigures {
    /// All at 0.
    pub fn new(partitions: Partitions) -> Self {
        let home = |_| HomeFigures {
            delivered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            is_entered: AtomicBool::new(false),
            undelivered_bytes: AtomicU64::new(0),
            undelivered_since: AtomicU64::new(0),
            on_their_way: AtomicHistogram::new(ON_THEIR_WAY),
        };
        Self {
            homes: (0..partitions.get()).map(home).collect(),
            forwarded: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            raised: AtomicU64::new(0),
            set_back: AtomicU64::new(0),
        }
    }
}
