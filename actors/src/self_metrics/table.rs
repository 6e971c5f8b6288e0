//! The one table of self-metrics: name, type, labels, help, and how each is
//! read. The exposition and docs/debug.md come from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_engine::catalog::Shape;
use psg_engine::metric::Value;
use psg_engine::reject::Reason;
use psg_engine::sample::Kind;

use super::lines::{Lines, Reading};
use super::{SelfMetrics, UNKNOWN};
use crate::source::ErrorKind;

/// One self-metric.
#[derive(Debug)]
pub struct SelfMetric {
    /// Its name without the prefix.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its label names.
    pub labels: &'static [&'static str],
    /// What it means and what to do about it.
    pub help: &'static str,
    pub(super) read: fn(&Reading<'_>, &mut Lines),
}

/// Every self-metric.
pub static SELF_METRICS: &[SelfMetric] = &[
    SelfMetric {
        name: "info",
        kind: Kind::Gauge,
        labels: &[],
        help: "Always 1. This is prom-stream-gateway: it lets short-lived programs (AWS Lambda, PHP requests, cron jobs) have Prometheus metrics without aggregating them. Producers LPUSH one JSON sample per element, for example {\"type\":\"counter\",\"name\":\"jobs_total\",\"value\":1,\"labels\":{\"queue\":\"mail\"}}, onto a Redis list; the gateway pops the list, adds counters, sets gauges, fills histograms and summaries in memory, and shows all of it here for Prometheus to scrape. Metrics that begin with prom_stream_gateway_ are about the gateway itself; all others come from producers.",
        read: |_, lines| lines.plain(1.0),
    },
    SelfMetric {
        name: "build_info",
        kind: Kind::Gauge,
        labels: &["version", "revision"],
        help: "Always 1. The labels tell which version of the gateway runs, and the source revision that it was built from. Two versions at once mean a rollout in progress.",
        read: |_, lines| {
            lines.labelled(&[("version", env!("CARGO_PKG_VERSION")), ("revision", revision())], 1.0)
        },
    },
    SelfMetric {
        name: "redis_queue_empty_pops_total",
        kind: Kind::Counter,
        labels: &["worker", "queueKey"],
        help: "Pops that found the queue empty. Growing slowly is normal: each time the queue is drained, the last pops find nothing. Not growing under load means that the workers are always busy. Labels: worker is the reader's number, queueKey the Redis list.",
        read: |reading, lines| {
            reading.per_worker(lines, |worker| worker.empty_pops.load(Ordering::Relaxed))
        },
    },
    SelfMetric {
        name: "redis_queue_pending_size",
        kind: Kind::Gauge,
        labels: &["queueKey"],
        help: "Elements that wait in the Redis list, asked once a second, and under exactly-once delivery those that are set aside and not applied yet; or in the embedded queue. Near 0 is normal. A value that keeps growing means that producers push faster than the gateway can take, or that it can't take at all (see redis_up): the graphs are then behind, though nothing is lost while Redis has memory. Label: queueKey is the Redis list.",
        read: |reading, lines| {
            let pending = reading.metrics.redis.waiting();
            lines.labelled(&[("queueKey", &reading.metrics.queue_key)], pending as f64);
        },
    },
    SelfMetric {
        name: "redis_queue_consumers",
        kind: Kind::Gauge,
        labels: &["queueKey", "delivery"],
        help: "Gateways on the same queue, this one included, by a sign of life that each leaves beside the queue every five seconds. Not there with the embedded queue, and where Redis gives no right to that key. More than 1 under at-most-once delivery is a mistake, but for the moment of a restart: each gateway gets a part of the samples, and the same series come from two targets. Under exactly-once delivery the others stand by. Labels: queueKey is the Redis list, delivery that of this gateway.",
        read: |reading, lines| {
            let consumers = reading.metrics.redis.consumers.load(Ordering::Relaxed);
            if consumers != UNKNOWN {
                let SelfMetrics { queue_key, delivery, .. } = reading.metrics;
                let labels = [("queueKey", queue_key.as_str()), ("delivery", *delivery)];
                lines.labelled(&labels, consumers as f64);
            }
        },
    },
    SelfMetric {
        name: "queue_lag_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How far the graphs are behind while a backlog is drained: the age of the newest sample of the page taken last, by the timestamps in the samples; 0 once the queue is empty. Not there until a producer sends a timestamp. Near 0 is normal; one that grows means that producers push faster than the gateway takes.",
        read: |reading, lines| {
            let pending = reading.metrics.redis.pending.load(Ordering::Relaxed);
            if let Some(lag) = reading.metrics.queue_lag.seconds(pending) {
                lines.plain(lag);
            }
        },
    },
    SelfMetric {
        name: "dropped_metrics_total",
        kind: Kind::Counter,
        labels: &["worker", "queueKey"],
        help: "Samples that were refused, for whatever reason. Should not grow: if it does, rejected_samples_total tells the reason and the gateway's log shows examples. Labels: worker is the reader's number, queueKey the Redis list.",
        read: |reading, lines| reading.per_worker(lines, |worker| worker.rejected_total()),
    },
    SelfMetric {
        name: "processed_metrics_total",
        kind: Kind::Counter,
        labels: &["worker", "queueKey"],
        help: "Samples that were accepted and are part of what this scrape shows. Its rate is the gateway's throughput; none while producers are pushing means that nothing is taken from the queue. Labels: worker is the reader's number, queueKey the Redis list.",
        read: |reading, lines| {
            reading.per_worker(lines, |worker| worker.processed.load(Ordering::Relaxed))
        },
    },
    SelfMetric {
        name: "rejected_samples_total",
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Samples that were refused, by reason, over all workers. Each reason points at a fault of a producer or at a limit of the gateway's settings; docs/debug.md lists them.",
        read: |reading, lines| {
            for reason in Reason::ALL {
                let count = |counts: &[AtomicU64]| counts[*reason as usize].load(Ordering::Relaxed);
                let total: u64 = reading.metrics.workers.iter().map(|w| count(&w.rejected)).sum();
                lines.labelled(&[("reason", reason.as_str())], total as f64);
            }
        },
    },
    SelfMetric {
        name: "dead_letters_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Refused samples that were written to the list that Redis.DeadLetterKey names; 0 where it names none.",
        read: |reading, lines| {
            lines.plain(reading.metrics.dead_letters.written.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "dead_letters_dropped_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Refused samples that were not written to the list that Redis.DeadLetterKey names, since Redis refused them or could not take them as fast as they came. They are counted and explained like any refused sample; only their bytes are lost. The gateway's log says why.",
        read: |reading, lines| {
            lines.plain(reading.metrics.dead_letters.dropped.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "series_limit_hits_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Samples that were refused, or went to an overflow series, because they would have made a new series where Metrics.MaxSeries or Metrics.MaxSeriesPerMetric is reached. Growing means that some label takes ever new values, or that the limits are too low for the fleet.",
        read: |reading, lines| {
            let limits = [Reason::SeriesLimit, Reason::MetricSeriesLimit];
            let of = |counts: &[AtomicU64]| -> u64 {
                limits.iter().map(|reason| counts[*reason as usize].load(Ordering::Relaxed)).sum()
            };
            let hits = |worker: &Arc<super::WorkerMetrics>| {
                of(&worker.rejected) + worker.folded.load(Ordering::Relaxed)
            };
            lines.plain(reading.metrics.workers.iter().map(hits).sum::<u64>() as f64);
        },
    },
    SelfMetric {
        name: "series_limit",
        kind: Kind::Gauge,
        labels: &[],
        help: "How many series may live in the process (Metrics.MaxSeries), beside which the sum of prom_stream_gateway_series stands. Alert before it is reached.",
        read: |reading, lines| {
            lines.plain(reading.metrics.catalog.limits().max_series as f64);
        },
    },
    SelfMetric {
        name: "layout_mismatches_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Samples of histograms and summaries that came with other buckets, quantiles or epsilons than the first sample of their name. They are aggregated into the first layout. Growing means that two versions of a producer disagree: restart the gateway once all are of the new one, if its layout is to be used.",
        read: |reading, lines| {
            let of =
                |worker: &super::WorkerMetrics| worker.layout_mismatches.load(Ordering::Relaxed);
            let total: u64 = reading.metrics.workers.iter().map(|worker| of(worker)).sum();
            lines.plain(total as f64);
        },
    },
    SelfMetric {
        name: "series",
        kind: Kind::Gauge,
        labels: &["shard", "type"],
        help: "Series that are shown, by shard and metric type; a histogram or a summary counts as one. Growing without end means a label with ever new values. Shards should hold about equally many.",
        read: |reading, lines| {
            for (number, shard) in reading.metrics.shards.iter().enumerate() {
                for kind in Kind::ALL {
                    let series = shard.series[kind as usize].load(Ordering::Relaxed);
                    let labels = [("shard", &*number.to_string()), ("type", kind.as_str())];
                    lines.labelled(&labels, series as f64);
                }
            }
        },
    },
    SelfMetric {
        name: "families",
        kind: Kind::Gauge,
        labels: &[],
        help: "Metric names in use by producers. Growing without end means that a producer makes up names, for example with an id in them.",
        read: |reading, lines| lines.plain(reading.metrics.catalog.families() as f64),
    },
    SelfMetric {
        name: "expired_series_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Series that left because no sample came for them within their time to live (Metrics.SeriesTtlSeconds, Metrics.GaugeTtlSeconds, or a sample's own). A rate near that of new series is what expiry is for; a high one for series that come back means that the time is too short.",
        read: |reading, lines| {
            let shards = &reading.metrics.shards;
            let expired = shards.iter().map(|shard| shard.expired.load(Ordering::Relaxed));
            lines.plain(expired.sum::<u64>() as f64);
        },
    },
    SelfMetric {
        name: "tombstones_evicted_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Totals of expired counters and histograms that were dropped before their time, because there were more than Metrics.MaxTombstones. If such a series comes back, it begins at 0, which Prometheus takes for a reset. Growing means: raise Metrics.MaxTombstones (about 50 bytes each), or lower Metrics.TombstoneTtlSeconds.",
        read: |reading, lines| {
            let shards = &reading.metrics.shards;
            let evicted =
                |shard: &Arc<super::ShardMetrics>| shard.tombstones_evicted.load(Ordering::Relaxed);
            lines.plain(shards.iter().map(evicted).sum::<u64>() as f64);
        },
    },
    SelfMetric {
        name: "shard_inbox_batches",
        kind: Kind::Gauge,
        labels: &["shard"],
        help: "Messages that wait in each shard's inbox. Near 0 is normal; one that stays near Shards.InboxCapacity means that this shard is the bottleneck and the readers wait for it.",
        read: |reading, lines| {
            for (number, waiting) in reading.shards.waiting().enumerate() {
                lines.labelled(&[("shard", &number.to_string())], waiting as f64);
            }
        },
    },
    SelfMetric {
        name: "apply_seconds_total",
        kind: Kind::Counter,
        labels: &["shard"],
        help: "Seconds that each shard has spent on applying samples. A rate near 1 means that the shard is busy all the time: raise Shards.Count if there are CPUs for it.",
        read: |reading, lines| {
            for (number, shard) in reading.metrics.shards.iter().enumerate() {
                let nanoseconds = shard.apply_nanoseconds.load(Ordering::Relaxed);
                lines.labelled(&[("shard", &number.to_string())], nanoseconds as f64 / 1e9);
            }
        },
    },
    SelfMetric {
        name: "inbox_wait_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "How long messages waited for room in a shard's inbox. Nearly all should be in the first bucket; long waits mean that shards can't keep up, and the backlog stays in Redis meanwhile.",
        read: |reading, lines| {
            let histogram = &reading.metrics.inbox_wait;
            lines.shape = Some(Shape::Histogram(histogram.layout()));
            lines.add(&[], Value::Histogram(Box::new(histogram.read())));
        },
    },
    SelfMetric {
        name: "scrape_duration_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "How long scrapes took inside the gateway, from asking the shards to the merged text; sending it comes on top. Must stay well below Prometheus' scrape_timeout.",
        read: |reading, lines| {
            let histogram = &reading.metrics.scrape_duration;
            lines.shape = Some(Shape::Histogram(histogram.layout()));
            lines.add(&[], Value::Histogram(Box::new(histogram.read())));
        },
    },
    SelfMetric {
        name: "exposition_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Size of the scrape before this one, uncompressed. Grows with the number of series; Prometheus' body_size_limit must be above it.",
        read: |reading, lines| {
            lines.plain(reading.metrics.exposition_bytes.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "scrapers",
        kind: Kind::Gauge,
        labels: &[],
        help: "Scrapers that have fetched this page at least twice and in the last ten minutes, told apart by address, User-Agent and query; 16 at most. Normally the number of Prometheus servers. With Metrics.FirstIncrement=exact each of them is shown a new series once at its start; with Http.ShutdownLingerSeconds the gateway stays at its end until each has fetched the last totals.",
        read: |reading, lines| {
            lines.plain(reading.metrics.known_scrapers.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "late_scrapes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Scrapes that were answered with 503, since they could not be done in the time that Prometheus allows (X-Prometheus-Scrape-Timeout-Seconds). Should not grow: raise scrape_timeout, or have fewer series.",
        read: |reading, lines| {
            lines.plain(reading.metrics.late_scrapes.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "redis_up",
        kind: Kind::Gauge,
        labels: &[],
        help: "1 while the queue can be read, else 0: then nothing is taken, and what is shown stands still. The gateway's log says why; it goes on by itself when the queue is back.",
        read: |reading, lines| {
            lines.plain(f64::from(u8::from(reading.metrics.redis.up.load(Ordering::Relaxed))));
        },
    },
    SelfMetric {
        name: "redis_errors_total",
        kind: Kind::Counter,
        labels: &["kind"],
        help: "Errors of the connections to Redis, by kind; of the embedded queue, those of its clients (busy: pushes refused for want of room). A few around a restart of Redis are normal; steady growth is a fault of the network, the rights or the settings, as its kind says.",
        read: |reading, lines| {
            for kind in ErrorKind::ALL {
                let errors = reading.metrics.redis.errors[kind as usize].load(Ordering::Relaxed);
                lines.labelled(&[("kind", kind.as_str())], errors as f64);
            }
        },
    },
    SelfMetric {
        name: "redis_reconnects_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Connections to Redis that were opened again after one was lost. Steady growth means that something between cuts them.",
        read: |reading, lines| {
            lines.plain(reading.metrics.redis.reconnects.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "checkpoint_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the state was last kept safe (Metrics.StateFile, or exactly-once delivery), in seconds since 1970; missing until the first time. time() minus this is how much would be lost if the gateway died now; alert where it is several intervals.",
        read: |reading, lines| {
            if let Some(seconds) = reading.metrics.checkpoints.last_success() {
                lines.plain(seconds);
            }
        },
    },
    SelfMetric {
        name: "checkpoint_failures_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Checkpoints that could not be kept safe. Should not grow: the gateway's log says why.",
        read: |reading, lines| {
            lines.plain(reading.metrics.checkpoints.failures.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "checkpoint_bytes_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Bytes written for checkpoints. Its rate is what keeping the state costs the disk or Redis.",
        read: |reading, lines| lines.plain(reading.metrics.checkpoints.bytes() as f64),
    },
    SelfMetric {
        name: "checkpoint_duration_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "How long checkpoints took, from the point that they keep to its being safe. Samples are taken and applied meanwhile.",
        read: |reading, lines| {
            let histogram = &reading.metrics.checkpoints.duration;
            lines.shape = Some(Shape::Histogram(histogram.layout()));
            lines.add(&[], Value::Histogram(Box::new(histogram.read())));
        },
    },
    SelfMetric {
        name: "checkpoint_pause_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "For each checkpoint and shard, the longest time in a row in which the shard wrote its state and applied nothing. Should stay far below 0.02.",
        read: |reading, lines| {
            let histogram = &reading.metrics.checkpoints.pause;
            lines.shape = Some(Shape::Histogram(histogram.layout()));
            lines.add(&[], Value::Histogram(Box::new(histogram.read())));
        },
    },
    SelfMetric {
        name: "checkpoint_reloads_total",
        kind: Kind::Counter,
        labels: &[],
        help: "How often the totals in memory were dropped and the last checkpoint loaded, because Redis had gone on without this gateway or had come back with older data. Exactly-once delivery only. Each has a line in the log that says why; /metrics answers 503 meanwhile.",
        read: |reading, lines| {
            lines.plain(reading.metrics.redis.reloads.load(Ordering::Relaxed) as f64);
        },
    },
    SelfMetric {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        labels: &[],
        help: "User and system CPU time of the gateway's process in seconds.",
        read: |reading, lines| lines.figure(reading, |process| process.cpu_seconds),
    },
    SelfMetric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Resident memory of the gateway's process. Grows with the number of series; should be flat where that is.",
        read: |reading, lines| lines.figure(reading, |process| process.resident_bytes),
    },
    SelfMetric {
        name: "process_virtual_memory_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Virtual memory of the gateway's process; says little by itself.",
        read: |reading, lines| lines.figure(reading, |process| process.virtual_bytes),
    },
    SelfMetric {
        name: "process_open_fds",
        kind: Kind::Gauge,
        labels: &[],
        help: "Open file descriptors of the gateway's process. Near process_max_fds new connections fail.",
        read: |reading, lines| lines.figure(reading, |process| process.open_fds),
    },
    SelfMetric {
        name: "process_max_fds",
        kind: Kind::Gauge,
        labels: &[],
        help: "How many file descriptors the gateway's process may have open.",
        read: |reading, lines| lines.figure(reading, |process| process.max_fds),
    },
    SelfMetric {
        name: "process_threads",
        kind: Kind::Gauge,
        labels: &[],
        help: "Threads of the gateway's process. Set by the settings and constant after the start.",
        read: |reading, lines| lines.figure(reading, |process| process.threads),
    },
    SelfMetric {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the gateway's process started, in seconds since 1970. A change is a restart.",
        read: |reading, lines| lines.figure(reading, |process| process.start_seconds),
    },
];

/// The source revision, given to the build by its environment.
pub(crate) fn revision() -> &'static str {
    option_env!("PSG_REVISION").unwrap_or("unknown")
}
