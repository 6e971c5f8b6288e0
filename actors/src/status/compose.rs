//! From counters to the model.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_engine::catalog::Catalog;
use psg_engine::metric::Kind;
use psg_engine::reject::Reason;

use super::history::History;
use super::model::{
    CheckpointStatus, DoorStatus, HomeStatus, OtherKeyStatus, PartitionsStatus, ProcessStatus,
    QueueStatus, Rejects, Samples, Scrapes, SeriesStatus, ShardStatus, Status, TopMetric,
};
use super::snapshot::CounterSnapshot;
use super::{LiveInfo, StaticInfo};
use crate::clock::system_time;
use crate::error_kind::ErrorKind;
use crate::other_keys;
use crate::self_metrics::doors::{Door, DoorMetrics, RequestReason, SampleReason};
use crate::self_metrics::partitions::{PartKind, PartitionMetrics};
use crate::self_metrics::table::revision;
use crate::self_metrics::{SelfMetrics, ShardMetrics, process};

/// Everything that a status is made from.
pub struct StatusSources<'a> {
    pub metrics: &'a SelfMetrics,
    pub catalog: &'a Catalog,
    pub info: &'a StaticInfo,
    pub history: &'a History,
    /// The counters at present.
    pub now: &'a CounterSnapshot,
}

impl StatusSources<'_> {
    /// The model, but for what the board itself knows.
    pub fn status(&self, live: LiveInfo) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: revision().to_owned(),
            unready: live.unready,
            http_config_problem: self.metrics.http_config.problem(),
            process: self.process(),
            samples: self.samples(),
            queue: self.queue(),
            doors: doors(&self.metrics.doors),
            rejects: self.rejects(),
            series: self.series(),
            shards: self.shards(&live.inboxes),
            scrapes: self.scrapes(),
            partitions: self.metrics.partitions.as_deref().map(partitions),
            checkpoints: self.info.keeps_totals.then(|| self.checkpoints()),
            history: self.history.points(),
            settings: self.info.settings.clone(),
            endpoints: self.info.endpoints.clone(),
            ..Status::default()
        }
    }

    fn process(&self) -> ProcessStatus {
        ProcessStatus {
            cpus: self.history.last_seconds(10, self.now).cpus(),
            resident_bytes: process::usage().map_or(0, |usage| usage.resident_bytes),
        }
    }

    fn samples(&self) -> Samples {
        Samples {
            processed: self.now.processed,
            rejected: self.now.rejected_total(),
            last_10_seconds: self.history.last_seconds(10, self.now).rates(),
            last_minute: self.history.last_seconds(60, self.now).rates(),
        }
    }

    fn queue(&self) -> QueueStatus {
        let queue = &self.metrics.queue;
        let errors = ErrorKind::ALL.iter().map(|kind| {
            let errors = queue.errors[*kind as usize].load(Ordering::Relaxed);
            (kind.as_str().to_owned(), errors)
        });
        let trouble = *queue.trouble.lock();
        QueueStatus {
            source: self.info.source.to_owned(),
            address: self.info.address.clone(),
            key: self.info.key.clone(),
            up: queue.up.load(Ordering::Relaxed),
            trouble: trouble.map(str::to_owned),
            consumers: u64::try_from(queue.consumers.load(Ordering::Relaxed)).ok(),
            pending: self.now.pending,
            lag_seconds: self.metrics.queue_lag.seconds(queue.pending.load(Ordering::Relaxed)),
            reconnects: queue.reconnects.load(Ordering::Relaxed),
            errors: errors.filter(|(_, errors)| *errors > 0).collect(),
            other_keys: queue.other_keys.all().into_iter().map(other_key).collect(),
        }
    }

    fn rejects(&self) -> Vec<Rejects> {
        let before = self.history.last_seconds(60, self.now).before;
        let mut rejects = Vec::new();
        for reason in Reason::ALL.iter().copied() {
            let total = self.now.rejected[reason as usize];
            if total > 0 {
                rejects.push(Rejects {
                    reason: reason.as_str().to_owned(),
                    meaning: reason.meaning().to_owned(),
                    total,
                    last_minute: total.saturating_sub(before.rejected[reason as usize]),
                });
            }
        }
        rejects.sort_by_key(|rejects| Reverse(rejects.total));
        rejects
    }

    fn series(&self) -> SeriesStatus {
        let shards = &self.metrics.shards;
        let mut by_type = BTreeMap::new();
        for (kind, series) in shards.iter().flat_map(|shard| by_kind(shard)) {
            *by_type.entry(kind).or_default() += series;
        }
        SeriesStatus {
            total: by_type.values().sum(),
            limit: self.catalog.limits().max_series as u64,
            bytes: self.catalog.series_bytes() as u64,
            bytes_limit: self.catalog.limits().bounded_bytes().unwrap_or(0) as u64,
            by_type,
            metrics: self.catalog.families() as u64,
            expired: shards.iter().map(|shard| shard.expired.load(Ordering::Relaxed)).sum(),
        }
    }

    fn shards(&self, inboxes: &[usize]) -> Vec<ShardStatus> {
        let last = self.history.last_seconds(10, self.now);
        let shards = self.metrics.shards.iter().zip(last.busy()).zip(inboxes);
        let shards = shards.map(|((shard, busy), inbox)| ShardStatus {
            series: shard.series_total(),
            by_type: by_kind(shard).collect(),
            inbox: *inbox as u64,
            busy,
        });
        shards.collect()
    }

    fn scrapes(&self) -> Scrapes {
        let last = self.history.last_scrape(self.now);
        Scrapes {
            total: self.now.scrapes,
            last_seconds_ago: last.map(|then| (self.now.at.0 - then.0) as f64 / 1000.0),
            last_seconds: self.metrics.scrape_duration.last().as_secs_f64(),
            mean_seconds: self.history.whole(self.now).mean_scrape_seconds(),
            last_bytes: self.metrics.exposition_bytes.load(Ordering::Relaxed),
        }
    }

    fn checkpoints(&self) -> CheckpointStatus {
        let (metrics, now) = (&self.metrics.checkpoints, system_time().seconds());
        CheckpointStatus {
            last_seconds_ago: metrics.last_success().map(|then| (now - then).max(0.0)),
            failures: metrics.failures.load(Ordering::Relaxed),
        }
    }
}

fn other_key(other: other_keys::PushesElsewhere) -> OtherKeyStatus {
    let other_keys::PushesElsewhere { key, database, pushes, last, advice } = other;
    OtherKeyStatus { key, database, pushes, last_seconds_ago: last.elapsed().as_secs_f64(), advice }
}

fn doors(metrics: &DoorMetrics) -> Vec<DoorStatus> {
    let of = |reasons: &[&str], counts: &[AtomicU64]| {
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let by_reason = reasons.iter().map(|reason| (*reason).to_owned()).zip(counts);
        by_reason.filter(|(_, count)| *count > 0).collect()
    };
    let doors = metrics.all_open().map(|(door, counts)| DoorStatus {
        door: door.as_str().to_owned(),
        requests: counts.requests.load(Ordering::Relaxed),
        samples: counts.samples.load(Ordering::Relaxed),
        refused_requests: of(&RequestReason::ALL.map(RequestReason::as_str), &counts.refused),
        left_out_samples: of(&SampleReason::ALL.map(SampleReason::as_str), &counts.left_out),
        lost_packets: match door {
            Door::Statsd => metrics.lost_packets.load(Ordering::Relaxed),
            Door::Pushgateway | Door::Otlp => 0,
        },
    });
    doors.collect()
}

/// The metrics with the most series, most first.
pub fn top_metrics(catalog: &Catalog, count: usize) -> Vec<TopMetric> {
    let largest = catalog.largest(count).into_iter();
    let top = largest.map(|(series, family)| TopMetric {
        name: family.name().to_owned(),
        kind: family.kind().as_str().to_owned(),
        series: series as u64,
    });
    top.collect()
}

fn by_kind(shard: &ShardMetrics) -> impl Iterator<Item = (String, u64)> + '_ {
    let of = |kind: Kind| shard.series[kind as usize].load(Ordering::Relaxed);
    Kind::ALL.into_iter().map(move |kind| (kind.as_str().to_owned(), of(kind)))
}

fn partitions(metrics: &PartitionMetrics) -> PartitionsStatus {
    let homes = metrics.router.homes.iter().map(|home| HomeStatus {
        delivered: home.delivered.load(Ordering::Relaxed),
        failures: home.failures.load(Ordering::Relaxed),
        undelivered_bytes: home.undelivered_bytes.load(Ordering::Relaxed),
        undelivered_seconds: metrics.waits_for(home).as_secs_f64(),
        entered: home.is_entered.load(Ordering::Relaxed),
    });
    PartitionsStatus {
        count: metrics.router.homes.len(),
        intake: metrics.owned(PartKind::Intake),
        home: metrics.owned(PartKind::Home),
        forwarded: metrics.router.forwarded.load(Ordering::Relaxed),
        homes: homes.collect(),
    }
}
