//! A snapshot: what the counters that the history needs showed at one moment.

use std::sync::atomic::Ordering;

use psg_engine::reject::Reason;
use psg_engine::timestamp::Moment;

use crate::self_metrics::{SelfMetrics, process};

/// The counters at one moment. All of them count from the start of the
/// process.
#[derive(Debug, Clone, Default)]
pub struct CounterSnapshot {
    pub at: Moment,
    pub processed: u64,
    /// Samples refused, indexed by `reason as usize`.
    pub rejected: [u64; Reason::COUNT],
    /// Elements that wait, where that is known.
    pub pending: Option<u64>,
    pub series: u64,
    pub apply_nanoseconds: Vec<u64>,
    pub scrapes: u64,
    /// What they took together.
    pub scrape_seconds: f64,
    /// CPU time of the process.
    pub cpu_seconds: f64,
}

impl CounterSnapshot {
    /// Reads the counters; `at` is the present moment.
    pub fn take(metrics: &SelfMetrics, at: Moment) -> Self {
        let mut rejected = [0; Reason::COUNT];
        for worker in &metrics.workers {
            for (total, count) in rejected.iter_mut().zip(&worker.rejected) {
                *total += count.load(Ordering::Relaxed);
            }
        }
        let scrapes = metrics.scrape_duration.read();
        Self {
            at,
            processed: metrics.processed(),
            rejected,
            pending: u64::try_from(metrics.queue.pending.load(Ordering::Relaxed)).ok(),
            series: metrics.shards.iter().map(|shard| shard.series_total()).sum(),
            apply_nanoseconds: metrics
                .shards
                .iter()
                .map(|shard| shard.apply_nanoseconds.load(Ordering::Relaxed))
                .collect(),
            scrapes: scrapes.count(),
            scrape_seconds: scrapes.sum(),
            cpu_seconds: process::usage().map_or(0.0, |usage| usage.cpu_seconds),
        }
    }

    /// Samples refused for any reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }
}
