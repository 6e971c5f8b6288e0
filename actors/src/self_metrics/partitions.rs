//! Where the queue has partitions: the figures of the router, and which parts the
//! process has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use psg_engine::partition::Partitions;

use super::checkpoint::CheckpointMetrics;
use super::histogram::AtomicHistogram;
use super::{QueueMetrics, UNKNOWN};
use crate::clock::Clock;

/// Bounds of how long deltas are on their way, in seconds.
const ON_THEIR_WAY: &[f64] = &[0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What is counted where the queue has partitions. That of the intake is
/// [`SelfMetrics::queue`](super::SelfMetrics).
#[derive(Debug)]
pub struct PartitionMetrics {
    /// The router.
    pub router: Arc<RouterFigures>,
    /// The router's checkpoints.
    pub checkpoints: Arc<CheckpointMetrics>,
    /// The home's queue.
    pub home_queue: Arc<QueueMetrics>,
    /// Which partition's router, and whose home, the process has.
    owned: [AtomicI64; 2],
    /// That of the pipeline.
    clock: Clock,
}

/// A part of a queue in partitions that a process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// It takes what producers push, and delivers it to homes.
    Intake,
    /// It shows what was delivered.
    Home,
}

impl PartKind {
    /// Both.
    pub const ALL: [PartKind; 2] = [PartKind::Intake, PartKind::Home];

    /// Its name as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            PartKind::Intake => "intake",
            PartKind::Home => "home",
        }
    }
}

impl PartitionMetrics {
    /// All at 0; nothing is owned.
    pub fn new(partitions: Partitions, clock: Clock) -> Self {
        Self {
            clock,
            router: Arc::new(RouterFigures::new(partitions)),
            checkpoints: Arc::default(),
            home_queue: Arc::default(),
            owned: [const { AtomicI64::new(UNKNOWN) }; 2],
        }
    }

    /// For how long the oldest sample waits for that home; zero where none does.
    pub fn waits_for(&self, home: &HomeFigures) -> Duration {
        match home.undelivered_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.clock.now().0.saturating_sub(since)),
        }
    }

    /// The process has that part of this partition.
    pub fn own(&self, part: PartKind, partition: usize) {
        self.owned[part as usize].store(partition as i64, Ordering::Relaxed);
    }

    /// Of which partition the process has that part.
    pub fn owned(&self, part: PartKind) -> Option<usize> {
        usize::try_from(self.owned[part as usize].load(Ordering::Relaxed)).ok()
    }
}

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
