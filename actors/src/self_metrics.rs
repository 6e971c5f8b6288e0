//! Self-metrics: what the gateway counts of itself, in atomics that every
//! actor may reach. [`table`] describes each and says how it is read.

pub mod checkpoint;
pub mod config_health;
pub mod doors;
mod entry;
pub mod histogram;
pub mod partitions;
mod fragments;
mod series;
pub(crate) mod process;
pub mod table;
pub mod unsent;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use psg_engine::catalog::Catalog;
use psg_engine::metric::Kind;
use psg_engine::partition::Partitions;
use psg_engine::reject::{DroppedExemplar, Reason};
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::UnknownFields;

use crate::clock::Clock;
use crate::cluster_key::{home_key, partition_key};
use crate::dead_letters::DeadLetterMetrics;
use crate::error_kind::ErrorKind;
use crate::other_keys::OtherKeys;

use checkpoint::CheckpointMetrics;
use config_health::ConfigHealth;
use doors::DoorMetrics;
use histogram::AtomicHistogram;
use partitions::{PartKind, PartitionMetrics};
use unsent::UnsentBytes;

/// Bounds of `inbox_wait_seconds`, in seconds.
const INBOX_WAIT_BOUNDS: &[f64] = &[0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];
/// Bounds of `scrape_duration_seconds`, in seconds.
const SCRAPE_BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All counters of a pipeline.
#[derive(Debug)]
pub struct SelfMetrics {
    /// One for each reader.
    pub workers: Vec<Arc<WorkerMetrics>>,
    /// One for each shard.
    pub shards: Vec<Arc<ShardMetrics>>,
    /// Unknown fields of the samples that were parsed.
    pub unknown_fields: Arc<Mutex<UnknownFields>>,
    /// The queue, whatever it is.
    pub queue: Arc<QueueMetrics>,
    /// Present where the queue has partitions; then `queue` is what is counted of the one
    /// that is taken from.
    pub partitions: Option<Arc<PartitionMetrics>>,
    /// Doors, where samples come in by other protocols than the queue's.
    pub doors: Arc<DoorMetrics>,
    /// How long messages waited for room in an inbox.
    pub inbox_wait: AtomicHistogram,
    /// How long scrapes took, from the request to the merged exposition.
    pub scrape_duration: AtomicHistogram,
    /// How old the newest sample with a timestamp was when it was taken, of the last batch that had one.
    pub queue_lag: Arc<QueueLag>,
    /// Checkpoints, where state is kept.
    pub checkpoints: Arc<CheckpointMetrics>,
    /// What became of dead letters.
    pub dead_letters: Arc<DeadLetterMetrics>,
    /// Size of the last exposition.
    pub exposition_bytes: AtomicU64,
    /// Scrapes that could not be done in the time that their scraper allows.
    pub late_scrapes: AtomicU64,
    /// Scrapers that were known at the last scrape.
    pub known_scrapers: AtomicU64,
    /// Whether the last scrape showed the producers' series.
    pub shows_totals: AtomicBool,
    /// Bytes of expositions that clients have asked for and not taken.
    pub unsent: Arc<UnsentBytes>,
    /// How the file does that says who may use the HTTP side.
    pub http_config: Arc<ConfigHealth>,
    catalog: Catalog,
    queue_key: String,
    delivery: &'static str,
    only_info: bool,
}

impl SelfMetrics {
    /// Counters at 0.
    pub fn new(
        workers: usize,
        shards: usize,
        catalog: Catalog,
        queue_key: &str,
        delivery: &'static str,
        only_info: bool,
    ) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
            shards: (0..shards).map(|_| Arc::default()).collect(),
            unknown_fields: Arc::default(),
            queue: Arc::default(),
            partitions: None,
            doors: Arc::default(),
            inbox_wait: AtomicHistogram::new(INBOX_WAIT_BOUNDS),
            scrape_duration: AtomicHistogram::new(SCRAPE_BOUNDS),
            queue_lag: Arc::default(),
            checkpoints: Arc::default(),
            dead_letters: Arc::default(),
            exposition_bytes: AtomicU64::new(0),
            late_scrapes: AtomicU64::new(0),
            known_scrapers: AtomicU64::new(0),
            shows_totals: AtomicBool::new(false),
            unsent: Arc::default(),
            http_config: Arc::default(),
            catalog,
            queue_key: queue_key.into(),
            delivery,
            only_info,
        }
    }

    /// The same, where the queue has so many partitions: one more reader, the router, is
    /// the last.
    #[must_use]
    pub fn with_partitions(mut self, partitions: Option<Partitions>, clock: Clock) -> Self {
        if let Some(partitions) = partitions {
            self.workers.push(Arc::default());
            self.partitions = Some(Arc::new(PartitionMetrics::new(partitions, clock)));
        }
        self
    }

    /// What is counted of partitions, while this gateway takes from one.
    pub(crate) fn routing(&self) -> Option<&PartitionMetrics> {
        self.partitions.as_deref().filter(|it| it.owned(PartKind::Intake).is_some())
    }

    /// What is counted of all queues that are read, with their keys. Where the queue has
    /// partitions, those are of the ones that this gateway has.
    pub(crate) fn queues(&self) -> Vec<(String, &QueueMetrics)> {
        let Some(partitions) = &self.partitions else {
            return vec![(self.queue_key.clone(), &*self.queue)];
        };
        let key_of = |part, key: fn(&str, usize) -> String| {
            let partition = partitions.owned(part);
            partition.map_or_else(|| self.queue_key.clone(), |it| key(&self.queue_key, it))
        };
        let intake = (key_of(PartKind::Intake, partition_key), &*self.queue);
        match partitions.owned(PartKind::Home) {
            Some(_) => vec![intake, (key_of(PartKind::Home, home_key), &*partitions.home_queue)],
            None => vec![intake],
        }
    }

    /// Samples that were applied.
    pub fn processed(&self) -> u64 {
        self.workers.iter().map(|worker| worker.processed.load(Ordering::Relaxed)).sum()
    }

    /// Samples that were refused.
    pub fn rejected(&self) -> u64 {
        self.workers.iter().map(|worker| worker.rejected_total()).sum()
    }
}

/// A lag in microseconds; none before the first timestamp.
#[derive(Debug)]
pub struct QueueLag(AtomicI64);

impl Default for QueueLag {
    fn default() -> Self {
        Self(AtomicI64::new(Self::NONE))
    }
}

impl QueueLag {
    const NONE: i64 = i64::MIN;

    /// Notes a batch that was taken at one time, with its newest timestamp.
    pub fn note(&self, taken_at: UnixTime, newest: UnixTime) {
        // A producer's clock may be ahead of ours.
        let lag = (taken_at.micros() - newest.micros()).max(0);
        self.0.store(lag, Ordering::Relaxed);
    }

    /// Seconds that what is shown is behind, while `pending` elements wait (as
    /// in [`QueueMetrics::pending`]); `None` before the first timestamp.
    pub fn seconds(&self, pending: i64) -> Option<f64> {
        let lag = Some(self.0.load(Ordering::Relaxed)).filter(|lag| *lag != Self::NONE)?;
        Some(if pending == 0 { 0.0 } else { lag as f64 / 1e6 })
    }
}

/// What one worker counts.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Pops that found nothing.
    pub empty_pops: AtomicU64,
    /// Samples that are in a shard's inbox or beyond.
    pub routed: AtomicU64,
    /// Of these, those that were applied.
    pub processed: AtomicU64,
    /// Samples whose payload was not recognised, and had to be parsed.
    pub parsed: AtomicU64,
    /// Samples with another layout or other objectives than their family's.
    pub layout_mismatches: AtomicU64,
    /// Samples that went to an overflow series.
    pub folded: AtomicU64,
    /// Exemplars that were dropped, indexed by `dropped as usize`.
    pub dropped_exemplars: [AtomicU64; DroppedExemplar::ALL.len()],
    /// Refused samples, indexed by `reason as usize`.
    pub rejected: [AtomicU64; Reason::COUNT],
}

impl WorkerMetrics {
    /// Refused samples for any reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Stands for a number that is not known.
pub const UNKNOWN: i64 = -1;

/// What is counted of the queue: of the connections to Redis, or of the embedded one.
#[derive(Debug)]
pub struct QueueMetrics {
    /// Whether the queue's Redis answers.
    pub up: AtomicBool,
    /// What is wrong with it, in a few words.
    pub trouble: Mutex<Option<&'static str>>,
    /// Elements in the list when it was last asked; -1 where it may not be asked.
    pub pending: AtomicI64,
    /// Gateways on the queue, this one included; -1 where it is not known.
    pub consumers: AtomicI64,
    /// Elements that are claimed and not routed yet; exactly-once only.
    pub claimed: AtomicU64,
    /// How often the memory was dropped for the last checkpoint.
    pub reloads: AtomicU64,
    /// Connections opened again after one was lost.
    pub reconnects: AtomicU64,
    /// Errors, indexed by `kind as usize`.
    pub errors: [AtomicU64; ErrorKind::ALL.len()],
    /// Keys besides the queue's that producers pushed to; of the embedded queue
    /// only.
    pub other_keys: OtherKeys,
}

impl QueueMetrics {
    /// Elements that wait, in the queue or set aside.
    pub fn waiting(&self) -> u64 {
        let pending = self.pending.load(Ordering::Relaxed).max(0) as u64;
        pending + self.claimed.load(Ordering::Relaxed)
    }
}

impl Default for QueueMetrics {
    fn default() -> Self {
        Self {
            up: AtomicBool::new(false),
            trouble: Mutex::default(),
            pending: AtomicI64::new(0),
            consumers: AtomicI64::new(UNKNOWN),
            claimed: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            errors: Default::default(),
            other_keys: OtherKeys::default(),
        }
    }
}

/// What one shard counts.
#[derive(Debug, Default)]
pub struct ShardMetrics {
    /// Shown series, indexed by `kind as usize`.
    pub series: [AtomicU64; Kind::ALL.len()],
    /// Nanoseconds spent on applying batches.
    pub apply_nanoseconds: AtomicU64,
    /// Samples of gauges that were older than what is shown.
    pub stale_gauge_samples: AtomicU64,
    /// Samples of gauges that were measured some minutes after they were taken.
    pub future_timestamps: AtomicU64,
    /// Exemplars that are kept.
    pub exemplars: AtomicU64,
    /// Series that have expired.
    pub expired: AtomicU64,
    /// Tombstones that had to make room.
    pub tombstones_evicted: AtomicU64,
}

impl ShardMetrics {
    /// Shown series of any type.
    pub fn series_total(&self) -> u64 {
        self.series.iter().map(|series| series.load(Ordering::Relaxed)).sum()
    }
}
