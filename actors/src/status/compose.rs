//! From counters to the model.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use psg_engine::catalog::Catalog;
use psg_engine::metric::Kind;
use psg_engine::reject::Reason;

use super::history::History;
use super::model::{
    Checkpoints, OtherKey, Process, Queue, Rejects, Samples, Scrapes, Series, Shard, Status,
    TopMetric,
};
use super::snapshot::CounterSnapshot;
use super::{LiveInfo, StaticInfo};
use crate::error_kind::ErrorKind;
use crate::other_keys;
use crate::self_metrics::table::revision;
use crate::self_metrics::{SelfMetrics, ShardMetrics, process};

/// Everything that a status is made from.
pub struct StatusSources<'a> {
    /// The counters.
    pub metrics: &'a SelfMetrics,
    /// The families.
    pub catalog: &'a Catalog,
    /// What does not change.
    pub info: &'a StaticInfo,
    /// The last minutes.
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
            rejects: self.rejects(),
            series: self.series(),
            shards: self.shards(&live.inboxes),
            scrapes: self.scrapes(),
            checkpoints: self.info.keeps_totals.then(|| self.checkpoints()),
            history: self.history.points(),
            settings: self.info.settings.clone(),
            endpoints: self.info.endpoints.clone(),
            ..Status::default()
        }
    }

    fn process(&self) -> Process {
        Process {
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

    fn queue(&self) -> Queue {
        let redis = &self.metrics.queue;
        let errors = ErrorKind::ALL.iter().map(|kind| {
            let errors = redis.errors[*kind as usize].load(Ordering::Relaxed);
            (kind.as_str().to_owned(), errors)
        });
        let trouble = *redis.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        Queue {
            source: self.info.source.to_owned(),
            address: self.info.address.clone(),
            key: self.info.key.clone(),
            up: redis.up.load(Ordering::Relaxed),
            trouble: trouble.map(str::to_owned),
            consumers: u64::try_from(redis.consumers.load(Ordering::Relaxed)).ok(),
            pending: self.now.pending,
            lag_seconds: self.metrics.queue_lag.seconds(redis.pending.load(Ordering::Relaxed)),
            reconnects: redis.reconnects.load(Ordering::Relaxed),
            errors: errors.filter(|(_, errors)| *errors > 0).collect(),
            other_keys: redis.other_keys.all().into_iter().map(other_key).collect(),
        }
    }

    fn rejects(&self) -> Vec<Rejects> {
        let before = self.history.last_seconds(60, self.now).before;
        let of = |reason: &Reason| {
            let total = self.now.rejected[*reason as usize];
            Rejects {
                reason: reason.as_str().to_owned(),
                meaning: reason.meaning().to_owned(),
                total,
                last_minute: total.saturating_sub(before.rejected[*reason as usize]),
            }
        };
        let mut rejects: Vec<Rejects> =
            Reason::ALL.iter().map(of).filter(|rejects| rejects.total > 0).collect();
        rejects.sort_by_key(|rejects| Reverse(rejects.total));
        rejects
    }

    fn series(&self) -> Series {
        let shards = &self.metrics.shards;
        let mut by_type = BTreeMap::new();
        for (kind, series) in shards.iter().flat_map(|shard| by_kind(shard)) {
            *by_type.entry(kind).or_default() += series;
        }
        Series {
            total: by_type.values().sum(),
            limit: self.catalog.limits().max_series as u64,
            bytes: self.catalog.series_bytes() as u64,
            bytes_limit: self.catalog.limits().bounded_bytes().unwrap_or(0) as u64,
            by_type,
            metrics: self.catalog.families() as u64,
            expired: shards.iter().map(|shard| shard.expired.load(Ordering::Relaxed)).sum(),
        }
    }

    fn shards(&self, inboxes: &[usize]) -> Vec<Shard> {
        let busy = self.history.last_seconds(10, self.now);
        let figures = busy.busy().zip(inboxes);
        let shard =
            |(shard, (busy, inbox)): (&std::sync::Arc<ShardMetrics>, (f64, &usize))| Shard {
                series: shard.series_total(),
                by_type: by_kind(shard).collect(),
                inbox: *inbox as u64,
                busy,
            };
        self.metrics.shards.iter().zip(figures).map(shard).collect()
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

    fn checkpoints(&self) -> Checkpoints {
        let counted = &self.metrics.checkpoints;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ago = |then: f64| (since_1970.as_secs_f64() - then).max(0.0);
        Checkpoints {
            last_seconds_ago: counted.last_success().map(ago),
            failures: counted.failures.load(Ordering::Relaxed),
        }
    }
}

fn other_key(other: other_keys::PushesElsewhere) -> OtherKey {
    let other_keys::PushesElsewhere { key, database, pushes, last, advice } = other;
    OtherKey { key, database, pushes, last_seconds_ago: last.elapsed().as_secs_f64(), advice }
}

/// The metrics with the most series, most first.
pub fn top_metrics(catalog: &Catalog, count: usize) -> Vec<TopMetric> {
    let figures =
        |(series, family): (usize, std::sync::Arc<psg_engine::catalog::Family>)| TopMetric {
            name: family.name().to_owned(),
            kind: family.kind().as_str().to_owned(),
            series: series as u64,
        };
    catalog.largest(count).into_iter().map(figures).collect()
}

fn by_kind(shard: &ShardMetrics) -> impl Iterator<Item = (String, u64)> + '_ {
    let of = |kind: Kind| shard.series[kind as usize].load(Ordering::Relaxed);
    Kind::ALL.into_iter().map(move |kind| (kind.as_str().to_owned(), of(kind)))
}
