//! The one table of self-metrics: name, type, labels, help, and how each is
//! read. The exposition and docs/debug.md come from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_engine::metric::Kind;
use psg_engine::reject::{DroppedExemplar, Reason};

use super::doors::{Door, RequestReason, SampleReason};
use super::entry::{counter, gauge, histogram};
use super::partitions::PartKind;
use super::{SelfMetrics, UNKNOWN};
use crate::error_kind::ErrorKind;

pub use super::entry::SelfMetric;

/// Every self-metric.
pub static SELF_METRICS: &[SelfMetric] = &[
    gauge(
        "info",
        &[],
        "Always 1. This is prom-stream-gateway: it lets short-lived programs (AWS Lambda, PHP requests, cron jobs) have Prometheus metrics without aggregating them. Producers LPUSH one JSON sample per element, for example {\"type\":\"counter\",\"name\":\"jobs_total\",\"value\":1,\"labels\":{\"queue\":\"mail\"}}, onto a Redis list; the gateway takes them off the list, adds up counters, sets gauges, counts observations into histograms and summaries, and shows all of it here for Prometheus to scrape. Metrics that begin with prom_stream_gateway_ are about the gateway itself; all others come from producers.",
        |_, series| series.plain(1.0),
    ),
    gauge(
        "build_info",
        &["version", "revision"],
        "Always 1. The labels are the version of the gateway and the source revision that it was built from. Two versions at once mean a rollout in progress.",
        |_, series| {
            series
                .labelled(&[("version", env!("CARGO_PKG_VERSION")), ("revision", revision())], 1.0)
        },
    ),
    counter(
        "redis_queue_empty_pops_total",
        &["worker", "queueKey"],
        "Pops that found the queue empty. Growing slowly is normal: each time the queue is drained, the last pops find nothing. Not growing under load means that the workers are always busy. Labels: worker is the reader's number, queueKey the Redis list.",
        |sources, series| {
            sources.per_worker(series, |worker| worker.empty_pops.load(Ordering::Relaxed))
        },
    ),
    gauge(
        "redis_queue_pending_size",
        &["queueKey"],
        "Elements that wait in the Redis list, asked once a second, and under exactly-once delivery those that are set aside and not applied yet; or in the embedded queue. Near 0 is normal. A value that keeps growing means that producers push faster than the gateway can take, or that it can't take at all (see redis_up): the graphs are then behind, though nothing is lost while Redis has memory. Label: queueKey is the Redis list.",
        |sources, series| {
            for (key, queue) in sources.metrics.queues() {
                series.labelled(&[("queueKey", &key)], queue.waiting() as f64);
            }
        },
    ),
    gauge(
        "redis_queue_consumers",
        &["queueKey", "delivery"],
        "Gateways on the same queue, this one included: each leaves a sign of life beside the queue every five seconds. Missing with the embedded queue, and where the user has no right to that key. More than 1 under at-most-once delivery is a mistake, except for a moment during a restart: each gateway gets a part of the samples, and the same series come from two targets. Under exactly-once delivery the others stand by. Labels: queueKey is the Redis list, delivery that of this gateway.",
        |sources, series| {
            let consumers = sources.metrics.queue.consumers.load(Ordering::Relaxed);
            if consumers != UNKNOWN {
                let SelfMetrics { queue_key, delivery, .. } = sources.metrics;
                let labels = [("queueKey", queue_key.as_str()), ("delivery", *delivery)];
                series.labelled(&labels, consumers as f64);
            }
        },
    ),
    gauge(
        "queue_lag_seconds",
        &[],
        "How far the graphs are behind while a backlog drains: the age of the newest sample of the last pop, by the timestamps in the samples; 0 once the queue is empty. Missing until a producer sends a timestamp. Near 0 is normal; one that grows means that producers push faster than the gateway takes.",
        |sources, series| {
            let pending = sources.metrics.queue.pending.load(Ordering::Relaxed);
            if let Some(lag) = sources.metrics.queue_lag.seconds(pending) {
                series.plain(lag);
            }
        },
    ),
    counter(
        "dropped_metrics_total",
        &["worker", "queueKey"],
        "Samples that were rejected, for any reason. Should not grow: if it does, rejected_samples_total has the reason and the gateway's log has examples. Labels: worker is the reader's number, queueKey the Redis list.",
        |sources, series| sources.per_worker(series, |worker| worker.rejected_total()),
    ),
    counter(
        "processed_metrics_total",
        &["worker", "queueKey"],
        "Samples that were accepted and are part of what this scrape shows. Its rate is the gateway's throughput; 0 while producers push means that nothing is taken from the queue. Labels: worker is the reader's number, queueKey the Redis list.",
        |sources, series| {
            sources.per_worker(series, |worker| worker.processed.load(Ordering::Relaxed))
        },
    ),
    counter(
        "rejected_samples_total",
        &["reason"],
        "Samples that were rejected, by reason, over all workers. Each reason is a fault of a producer or a limit in the gateway's settings; docs/debug.md lists them.",
        |sources, series| {
            for reason in Reason::ALL {
                let count = |counts: &[AtomicU64]| counts[*reason as usize].load(Ordering::Relaxed);
                let total: u64 = sources.metrics.workers.iter().map(|w| count(&w.rejected)).sum();
                series.labelled(&[("reason", reason.as_str())], total as f64);
            }
        },
    ),
    counter(
        "stale_gauge_samples_total",
        &[],
        "Samples of gauges that were accepted and changed nothing, because they were measured before the sample that is shown. Some are normal where samples overtake each other; many mean a producer whose clock is ahead and whose timestamps keep the others' samples out.",
        |sources, series| {
            let shards = sources.metrics.shards.iter();
            series.sum(shards.map(|shard| &shard.stale_gauge_samples));
        },
    ),
    counter(
        "future_timestamps_total",
        &[],
        "Samples of gauges that were accepted with a timestamp more than five minutes ahead of the gateway's clock; beyond ten minutes they are rejected. Should not grow: a producer's clock, or the gateway's, is wrong, and until that time no other sample sets these gauges.",
        |sources, series| {
            let shards = sources.metrics.shards.iter();
            series.sum(shards.map(|shard| &shard.future_timestamps));
        },
    ),
    counter(
        "dead_letters_total",
        &[],
        "Rejected samples that were written to the list Redis.DeadLetterKey; 0 where it is not set.",
        |sources, series| series.count(&sources.metrics.dead_letters.written),
    ),
    counter(
        "dead_letters_dropped_total",
        &[],
        "Rejected samples that could not be written to the list Redis.DeadLetterKey, because Redis refused them or was too slow. They are counted and explained like any rejected sample; only their bytes are lost. The gateway's log says why.",
        |sources, series| series.count(&sources.metrics.dead_letters.dropped),
    ),
    counter(
        "series_limit_hits_total",
        &[],
        "Samples that were rejected, or went to an overflow series, because they needed a new series where Metrics.MaxSeries, Metrics.MaxSeriesPerMetric or Metrics.MaxSeriesBytes is reached. Growing means that some label takes ever new values, or that the limits are too low for the fleet.",
        |sources, series| {
            let limits = [Reason::SeriesLimit, Reason::MetricSeriesLimit, Reason::SeriesBytesLimit];
            let of = |counts: &[AtomicU64]| -> u64 {
                limits.iter().map(|reason| counts[*reason as usize].load(Ordering::Relaxed)).sum()
            };
            let hits = |worker: &Arc<super::WorkerMetrics>| {
                of(&worker.rejected) + worker.folded.load(Ordering::Relaxed)
            };
            series.plain(sources.metrics.workers.iter().map(hits).sum::<u64>() as f64);
        },
    ),
    gauge(
        "series_limit",
        &[],
        "The limit on series in the process (Metrics.MaxSeries); compare the sum of prom_stream_gateway_series with it. Alert before it is reached.",
        |sources, series| series.plain(sources.metrics.catalog.limits().max_series as f64),
    ),
    gauge(
        "series_bytes",
        &[],
        "Bytes of what is kept of live series to tell them apart: label texts, the counts of histograms, and name, help and layout of each metric. The memory of the process grows with it.",
        |sources, series| series.plain(sources.metrics.catalog.series_bytes() as f64),
    ),
    gauge(
        "series_bytes_limit",
        &[],
        "How many bytes prom_stream_gateway_series_bytes may reach (Metrics.MaxSeriesBytes); not there where it is not bounded. Alert before it is reached.",
        |sources, series| {
            if let Some(bytes) = sources.metrics.catalog.limits().bounded_bytes() {
                series.plain(bytes as f64);
            }
        },
    ),
    counter(
        "layout_mismatches_total",
        &[],
        "Samples of histograms and summaries that came with other buckets, quantiles or epsilons than the first sample of their name. They count in the first layout, but for whole histograms that it can't take, which are rejected. Growing means that two versions of a producer disagree: to use the new layout, remove the metric or restart the gateway once all producers have it.",
        |sources, series| {
            series.sum(sources.metrics.workers.iter().map(|worker| &worker.layout_mismatches));
        },
    ),
    counter(
        "dropped_exemplars_total",
        &["reason"],
        "Exemplars that were dropped, of samples that were taken all the same. off: Metrics.Exemplars is not set. type: no format shows exemplars of a gauge, a summary, or a counter whose name does not end in _total. malformed: a part of it has a JSON type that it can't have. label_name: a label name is not [a-zA-Z_][a-zA-Z0-9_]*, or begins with __. too_long: names and values of its labels have more than 128 characters together. value: it has no value that a double holds, or none while its sample says several. timestamp: it is more than ten minutes ahead of the gateway's clock.",
        |sources, series| {
            for dropped in DroppedExemplar::ALL {
                let workers = sources.metrics.workers.iter();
                let dropped_by = workers
                    .map(|it| it.dropped_exemplars[dropped as usize].load(Ordering::Relaxed));
                series.labelled(&[("reason", dropped.as_str())], dropped_by.sum::<u64>() as f64);
            }
        },
    ),
    gauge(
        "exemplars",
        &[],
        "Exemplars that are kept, of counters and of buckets of histograms. Near Metrics.MaxExemplars, old ones make room for new ones.",
        |sources, series| {
            series.sum(sources.metrics.shards.iter().map(|shard| &shard.exemplars));
        },
    ),
    counter(
        "unknown_fields_total",
        &["field"],
        "Fields of samples that no version of the gateway known here reads, by name: they are ignored. Counted when a sample is parsed, which is not each time that it comes again with another value alone (compare parsed_samples_total): that a name is here says that producers send it. A misspelt name means that what it says is lost; a new one, that the gateway is older than its producers. At most 32 names, the others under the label value other.",
        |sources, series| {
            for (field, count) in sources.metrics.unknown_fields.lock().iter() {
                series.labelled(&[("field", field)], count as f64);
            }
        },
    ),
    counter(
        "door_requests_total",
        &["door"],
        "Requests that came to a door, or packets and reads of a stream. Missing for doors that are closed, as the other door_ metrics are. Label: door is how it came: pushgateway, otlp or statsd.",
        |sources, series| {
            for (door, counts) in sources.metrics.doors.all_open() {
                let requests = counts.requests.load(Ordering::Relaxed);
                series.labelled(&[("door", door.as_str())], requests as f64);
            }
        },
    ),
    counter(
        "door_samples_total",
        &["door"],
        "Samples that a door has put onto the queue. What is refused of them later is counted in rejected_samples_total as that of other producers. Label: door is how they came.",
        |sources, series| {
            for (door, counts) in sources.metrics.doors.all_open() {
                let samples = counts.samples.load(Ordering::Relaxed);
                series.labelled(&[("door", door.as_str())], samples as f64);
            }
        },
    ),
    counter(
        "door_refused_requests_total",
        &["door", "reason"],
        "Requests that a door refused as a whole: nothing of them was taken, and the client was told why. busy and queue_full mean more load than Push.MaxMemoryBytes or the queue lets in, queue_away that Redis does not answer; the others are faults of clients. Labels: door is how they came, reason is why.",
        |sources, series| {
            for (door, counts) in sources.metrics.doors.all_open() {
                for reason in RequestReason::ALL {
                    let refused = counts.refused[reason as usize].load(Ordering::Relaxed);
                    let labels = [("door", door.as_str()), ("reason", reason.as_str())];
                    series.labelled(&labels, refused as f64);
                }
            }
        },
    ),
    counter(
        "door_left_out_samples_total",
        &["door", "reason"],
        "Samples that a door left out of requests of which it took the others: they never were on the queue. unmergeable are quantiles and sets, cumulative are totals where only what was added can be taken. Labels: door is how they came, reason is why.",
        |sources, series| {
            for (door, counts) in sources.metrics.doors.all_open() {
                for reason in SampleReason::ALL {
                    let left_out = counts.left_out[reason as usize].load(Ordering::Relaxed);
                    let labels = [("door", door.as_str()), ("reason", reason.as_str())];
                    series.labelled(&labels, left_out as f64);
                }
            }
        },
    ),
    counter(
        "statsd_lost_packets_total",
        &[],
        "Packets of StatsD by UDP that the kernel dropped, since they came faster than they were read, as it says. A larger net.core.rmem_max lets more of them wait; by a Unix socket a sender waits instead. Missing where StatsD is not listened for.",
        |sources, series| {
            let doors = &sources.metrics.doors;
            if doors.all_open().any(|(door, _)| door == Door::Statsd) {
                series.count(&doors.lost_packets);
            }
        },
    ),
    gauge(
        "partition_owned",
        &["part", "partition"],
        "1 for each part of the queue that this gateway has, where the queue has partitions (Redis.MetricQueuePartitions). part=\"intake\": it takes what producers push to that partition, and delivers it to homes; part=\"home\": it shows the metrics whose home that partition is. Over all gateways each partition should be there once for each part; one that is missing for long waits for a gateway: run more.",
        |sources, series| {
            let Some(partitions) = &sources.metrics.partitions else { return };
            for part in PartKind::ALL {
                if let Some(partition) = partitions.owned(part) {
                    let partition = partition.to_string();
                    series.labelled(&[("part", part.as_str()), ("partition", &partition)], 1.0);
                }
            }
        },
    ),
    counter(
        "partition_forwarded_samples_total",
        &["partition"],
        "Samples that were taken from the partition that this gateway has, to be delivered to their homes. Over all gateways and restarts aside, what is forwarded is processed or rejected by a home, or on its way.",
        |sources, series| {
            let Some(partitions) = &sources.metrics.partitions else { return };
            let forwarded = partitions.router.forwarded.load(Ordering::Relaxed);
            if let Some(partition) = partitions.owned(PartKind::Intake) {
                series.labelled(&[("partition", &partition.to_string())], forwarded as f64);
            }
        },
    ),
    counter(
        "partition_delivered_samples_total",
        &["partition"],
        "Samples that this gateway has delivered to the queue of the home that the label partition says. One home with far more than the others has the largest metrics.",
        |sources, series| {
            sources.per_home(series, |home| home.delivered.load(Ordering::Relaxed) as f64);
        },
    ),
    counter(
        "partition_delivery_failures_total",
        &["partition"],
        "Requests to the home that the label partition says which failed or were not answered; each is made again. Some are normal at a failover; growing without end means that its node is away, full, or denies the right.",
        |sources, series| {
            sources.per_home(series, |home| home.failures.load(Ordering::Relaxed) as f64);
        },
    ),
    gauge(
        "partition_undelivered_bytes",
        &["partition"],
        "Bytes that wait in this gateway for the home that the label partition says. At 4 MiB for one of its eight lanes, the gateway takes nothing more.",
        |sources, series| {
            sources.per_home(series, |home| home.undelivered_bytes.load(Ordering::Relaxed) as f64);
        },
    ),
    gauge(
        "partition_undelivered_seconds",
        &["partition"],
        "How long the oldest sample has waited in this gateway for the home that the label partition says; 0 where none waits. Normally below two flush intervals (Redis.PartitionFlushMs); alert on minutes.",
        |sources, series| {
            let Some(partitions) = &sources.metrics.partitions else { return };
            sources.per_home(series, |home| partitions.waits_for(home).as_secs_f64());
        },
    ),
    histogram(
        "partition_delivery_seconds",
        &["partition"],
        "How long samples were on their way in this gateway, from the first one of a delivery until the home that the label partition says had it. Normally up to a flush interval (Redis.PartitionFlushMs) and some milliseconds.",
        |sources, series| {
            let Some(partitions) = sources.metrics.routing() else { return };
            for (number, home) in partitions.router.homes.iter().enumerate() {
                let labels = [("partition", &*number.to_string())];
                series.labelled_histogram(&labels, &home.on_their_way);
            }
        },
    ),
    gauge(
        "partition_entered",
        &["partition"],
        "1 where this gateway may deliver to the home that the label partition says. While one is 0, as after a failover of its node, nothing more is taken from the queue.",
        |sources, series| {
            sources.per_home(series, |home| {
                f64::from(u8::from(home.is_entered.load(Ordering::Relaxed)))
            });
        },
    ),
    counter(
        "partition_lost_lanes_total",
        &[],
        "How often a home had lost samples that could not be sent again: its node came back with older data. The log says which.",
        |sources, series| {
            if let Some(partitions) = &sources.metrics.partitions {
                series.count(&partitions.router.raised);
            }
        },
    ),
    counter(
        "partition_set_back_lanes_total",
        &[],
        "How often a home had samples that the partition's own node no longer proves, since that came back with older data: what is pushed again may count twice. The log says which.",
        |sources, series| {
            if let Some(partitions) = &sources.metrics.partitions {
                series.count(&partitions.router.set_back);
            }
        },
    ),
    gauge(
        "series",
        &["shard", "type"],
        "Series that are shown, by shard and metric type; a histogram or a summary counts as one. Growing without end means a label with ever new values. Shards should hold about equally many.",
        |sources, series| {
            for (number, shard) in sources.metrics.shards.iter().enumerate() {
                for kind in Kind::ALL {
                    let count = shard.series[kind as usize].load(Ordering::Relaxed);
                    let labels = [("shard", &*number.to_string()), ("type", kind.as_str())];
                    series.labelled(&labels, count as f64);
                }
            }
        },
    ),
    gauge(
        "families",
        &[],
        "Metric names in use by producers. Growing without end means that a producer invents names, for example with an id in them.",
        |sources, series| series.plain(sources.metrics.catalog.families() as f64),
    ),
    counter(
        "expired_series_total",
        &[],
        "Series that were removed because they got no sample within their time to live (Metrics.SeriesTtlSeconds, Metrics.GaugeTtlSeconds, or a sample's ttl). A rate near that of new series is normal; if the same series keep coming back, the time is too short.",
        |sources, series| {
            series.sum(sources.metrics.shards.iter().map(|shard| &shard.expired));
        },
    ),
    counter(
        "tombstones_evicted_total",
        &[],
        "Totals of expired series (counters, histograms, gauges that are added to) that were dropped early, because there were more than Metrics.MaxTombstones. If such a series returns, it begins at 0, which Prometheus takes for a reset. If it grows, raise Metrics.MaxTombstones (about 80 bytes each), or lower Metrics.TombstoneTtlSeconds.",
        |sources, series| {
            series.sum(sources.metrics.shards.iter().map(|shard| &shard.tombstones_evicted));
        },
    ),
    gauge(
        "shard_inbox_batches",
        &["shard"],
        "Messages waiting in each shard's inbox. Near 0 is normal; a value that stays near Shards.InboxCapacity means that this shard is the bottleneck and the readers wait for it.",
        |sources, series| {
            for (number, waiting) in sources.inboxes.iter().enumerate() {
                series.labelled(&[("shard", &number.to_string())], *waiting as f64);
            }
        },
    ),
    counter(
        "apply_seconds_total",
        &["shard"],
        "Seconds that each shard has spent applying samples. A rate near 1 means that the shard is always busy: raise Shards.Count if there are CPUs for it.",
        |sources, series| {
            for (number, shard) in sources.metrics.shards.iter().enumerate() {
                let nanoseconds = shard.apply_nanoseconds.load(Ordering::Relaxed);
                series.labelled(&[("shard", &number.to_string())], nanoseconds as f64 / 1e9);
            }
        },
    ),
    histogram(
        "inbox_wait_seconds",
        &[],
        "How long messages waited for room in a shard's inbox. Nearly all should be in the first bucket; long waits mean that shards can't keep up, and the backlog stays in Redis meanwhile.",
        |sources, series| series.histogram(&sources.metrics.inbox_wait),
    ),
    histogram(
        "scrape_duration_seconds",
        &[],
        "How long scrapes took inside the gateway, from asking the shards to the merged text, without sending it. Must stay well below Prometheus' scrape_timeout.",
        |sources, series| series.histogram(&sources.metrics.scrape_duration),
    ),
    gauge(
        "exposition_bytes",
        &[],
        "Uncompressed size of the previous scrape. Grows with the number of series; Prometheus' body_size_limit must be larger.",
        |sources, series| series.count(&sources.metrics.exposition_bytes),
    ),
    gauge(
        "scrapers",
        &[],
        "Scrapers that have fetched this page at least twice and in the last ten minutes, told apart by address, User-Agent and query; 16 at most. Normally the number of Prometheus servers. With Metrics.FirstIncrement=exact each of them is shown a new series once at its start; with Http.ShutdownLingerSeconds the gateway stays at its end until each has fetched the last totals.",
        |sources, series| series.count(&sources.metrics.known_scrapers),
    ),
    gauge(
        "shows_totals",
        &["queueKey"],
        "1 where this page shows the producers' series, 0 while this gateway stands by for another one (exactly-once delivery). 1 on none of a queue's gateways for long means that nobody owns it: the graphs have gaps though each gateway answers. Label: queueKey is the Redis list.",
        |sources, series| {
            let queue = [("queueKey", &*sources.metrics.queue_key)];
            series.flag(&queue, &sources.metrics.shows_totals);
        },
    ),
    counter(
        "late_scrapes_total",
        &[],
        "Scrapes that were answered with 503 because they would have taken longer than Prometheus waits (X-Prometheus-Scrape-Timeout-Seconds). Should not grow: raise scrape_timeout, or have fewer series.",
        |sources, series| series.count(&sources.metrics.late_scrapes),
    ),
    gauge(
        "unsent_bytes",
        &[],
        "Bytes of this page, uncompressed, that clients have asked for and not taken yet; what several share counts once. Normally 0 but for moments. Near Http.MaxUnsentBytes means that clients are slow: beyond it those that take least are cut, and others are answered with 503.",
        |sources, series| series.plain(sources.metrics.unsent.count() as f64),
    ),
    gauge(
        "http_config_last_reload_successful",
        &[],
        "1 where the file that Http.ConfigFile names is in force as it stands. 0 where it asks for less than before (a password, TLS, client certificates) and has not stood still for some seconds, or needs a restart: then what it said before is still in force; the gateway's log and /api/v1/status say why. Not there without that file. While the file can't be read at all, HTTP is closed and nothing can be scraped.",
        |sources, series| {
            if let Some(is_good) = sources.metrics.http_config.is_good() {
                series.plain(f64::from(u8::from(is_good)));
            }
        },
    ),
    gauge(
        "redis_up",
        &[],
        "1 while the queue can be read, else 0: then no samples are taken and the totals stand still. The gateway's log says why; it continues by itself when the queue is back.",
        |sources, series| {
            let is_up =
                sources.metrics.queues().iter().all(|(_, queue)| queue.up.load(Ordering::Relaxed));
            series.plain(f64::from(u8::from(is_up)));
        },
    ),
    counter(
        "redis_errors_total",
        &["kind"],
        "Errors of the connections to Redis, by kind; of the embedded queue, those of its clients (busy: pushes refused because the queue is full; wrong_key: pushes to a key other than the queue's, often by client libraries that add a prefix). A few around a restart of Redis are normal; steady growth is a fault of the network, the rights or the settings, as its kind says.",
        |sources, series| {
            for kind in ErrorKind::ALL {
                let queues = sources.metrics.queues();
                let errors =
                    queues.iter().map(|(_, it)| it.errors[kind as usize].load(Ordering::Relaxed));
                series.labelled(&[("kind", kind.as_str())], errors.sum::<u64>() as f64);
            }
        },
    ),
    counter(
        "redis_reconnects_total",
        &[],
        "Reconnects to Redis after a lost connection. Steady growth means that something in between cuts connections.",
        |sources, series| {
            sources.sum_over_queues(series, |queue| &queue.reconnects);
        },
    ),
    gauge(
        "checkpoint_last_success_timestamp_seconds",
        &[],
        "When the state was last kept safe (Metrics.StateFile, or exactly-once delivery), in seconds since 1970; missing until the first time. time() minus this is how much would be lost if the gateway died now; alert where it is several intervals.",
        |sources, series| {
            if let Some(seconds) = sources.metrics.checkpoints.last_success() {
                series.plain(seconds);
            }
        },
    ),
    counter(
        "checkpoint_failures_total",
        &[],
        "Checkpoints that could not be kept safe. Should not grow: the gateway's log says why.",
        |sources, series| {
            let router = sources.metrics.partitions.iter().map(|it| &it.checkpoints.failures);
            series.sum(router.chain([&sources.metrics.checkpoints.failures]));
        },
    ),
    counter(
        "checkpoint_bytes_total",
        &[],
        "Bytes written for checkpoints: its rate is the load on the disk or on Redis.",
        |sources, series| series.plain(sources.metrics.checkpoints.bytes() as f64),
    ),
    histogram(
        "checkpoint_duration_seconds",
        &[],
        "How long checkpoints took until they were safe. Samples are taken and applied meanwhile.",
        |sources, series| series.histogram(&sources.metrics.checkpoints.duration),
    ),
    histogram(
        "checkpoint_pause_seconds",
        &[],
        "For each checkpoint and shard, the longest time in a row in which the shard wrote its state and applied nothing. Should stay far below 0.02.",
        |sources, series| series.histogram(&sources.metrics.checkpoints.pause),
    ),
    counter(
        "checkpoint_reloads_total",
        &[],
        "How often the totals in memory were dropped and the last checkpoint loaded, because Redis had moved on without this gateway or had come back with older data. Exactly-once delivery only. Each has a line in the log that says why; /metrics answers 503 meanwhile.",
        |sources, series| sources.sum_over_queues(series, |queue| &queue.reloads),
    ),
    counter(
        "process_cpu_seconds_total",
        &[],
        "User and system CPU time of the gateway's process in seconds.",
        |sources, series| series.figure(sources, |process| process.cpu_seconds),
    ),
    gauge(
        "process_resident_memory_bytes",
        &[],
        "Resident memory of the gateway's process. Grows with the number of series; should be flat where that is.",
        |sources, series| series.figure(sources, |process| process.resident_bytes),
    ),
    gauge(
        "process_virtual_memory_bytes",
        &[],
        "Virtual memory of the gateway's process; says little by itself.",
        |sources, series| series.figure(sources, |process| process.virtual_bytes),
    ),
    gauge(
        "process_open_fds",
        &[],
        "Open file descriptors of the gateway's process. Near process_max_fds new connections fail.",
        |sources, series| series.figure(sources, |process| process.open_fds),
    ),
    gauge(
        "process_max_fds",
        &[],
        "How many file descriptors the gateway's process may have open.",
        |sources, series| series.figure(sources, |process| process.max_fds),
    ),
    gauge(
        "process_threads",
        &[],
        "Threads of the gateway's process. Set by the settings and constant after the start.",
        |sources, series| series.figure(sources, |process| process.threads),
    ),
    gauge(
        "process_start_time_seconds",
        &[],
        "When the gateway's process started, in seconds since 1970. A change is a restart.",
        |sources, series| series.figure(sources, |process| process.start_seconds),
    ),
];

/// The source revision, given to the build by its environment.
pub(crate) fn revision() -> &'static str {
    option_env!("PSG_REVISION").unwrap_or("unknown")
}
