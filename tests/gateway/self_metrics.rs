//! Self-metrics: each is there, explained, and tells the truth.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use psg_testkit::exposition::OWN;
use psg_testkit::{Exposition, GatewayBuilder, RedisOptions, RedisServer, Rig, wait_until};

/// Name without the prefix, type, and the labels.
const SELF_METRICS: &[(&str, &str, &[&str])] = &[
    ("info", "gauge", &[]),
    ("redis_queue_empty_pops_total", "counter", &["worker", "queueKey"]),
    ("dropped_metrics_total", "counter", &["worker", "queueKey"]),
    ("processed_metrics_total", "counter", &["worker", "queueKey"]),
    ("redis_queue_pending_size", "gauge", &["queueKey"]),
    ("queue_lag_seconds", "gauge", &[]),
    ("rejected_samples_total", "counter", &["reason"]),
    ("stale_gauge_samples_total", "counter", &[]),
    ("future_timestamps_total", "counter", &[]),
    ("dead_letters_total", "counter", &[]),
    ("dead_letters_dropped_total", "counter", &[]),
    ("series", "gauge", &["shard", "type"]),
    ("families", "gauge", &[]),
    ("expired_series_total", "counter", &[]),
    ("tombstones_evicted_total", "counter", &[]),
    ("shard_inbox_batches", "gauge", &["shard"]),
    ("apply_seconds_total", "counter", &["shard"]),
    ("scrape_duration_seconds", "histogram", &[]),
    ("exposition_bytes", "gauge", &[]),
    ("scrapers", "gauge", &[]),
    ("shows_totals", "gauge", &["queueKey"]),
    ("late_scrapes_total", "counter", &[]),
    ("unsent_bytes", "gauge", &[]),
    ("redis_up", "gauge", &[]),
    ("redis_errors_total", "counter", &["kind"]),
    ("redis_reconnects_total", "counter", &[]),
    ("series_limit_hits_total", "counter", &[]),
    ("series_limit", "gauge", &[]),
    ("series_bytes", "gauge", &[]),
    ("layout_mismatches_total", "counter", &[]),
    ("unknown_fields_total", "counter", &["field"]),
    ("dropped_exemplars_total", "counter", &["reason"]),
    ("exemplars", "gauge", &[]),
    ("inbox_wait_seconds", "histogram", &[]),
    ("checkpoint_failures_total", "counter", &[]),
    ("checkpoint_bytes_total", "counter", &[]),
    ("checkpoint_duration_seconds", "histogram", &[]),
    ("checkpoint_pause_seconds", "histogram", &[]),
    ("build_info", "gauge", &["version", "revision"]),
    ("process_cpu_seconds_total", "counter", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
    ("process_open_fds", "gauge", &[]),
    ("process_max_fds", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
];

/// Those of a queue in partitions alone.
const OF_PARTITIONS: &[(&str, &str, &[&str])] = &[
    ("partition_owned", "gauge", &["part", "partition"]),
    ("partition_forwarded_samples_total", "counter", &["partition"]),
    ("partition_delivered_samples_total", "counter", &["partition"]),
    ("partition_delivery_failures_total", "counter", &["partition"]),
    ("partition_undelivered_bytes", "gauge", &["partition"]),
    ("partition_undelivered_seconds", "gauge", &["partition"]),
    ("partition_delivery_seconds", "histogram", &["partition"]),
    ("partition_entered", "gauge", &["partition"]),
    ("partition_lost_lanes_total", "counter", &[]),
    ("partition_set_back_lanes_total", "counter", &[]),
];

#[test]
fn those_of_partitions_are_there_where_the_queue_has_some() {
    let rig = Rig::start();
    let has = |seen: &Exposition, name: &str| seen.family(&format!("{OWN}{name}")).is_some();
    let seen = rig.gateway.scrape();
    assert!(OF_PARTITIONS.iter().all(|(name, ..)| !has(&seen, name)), "it has one partition");
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let builder = || {
        GatewayBuilder::reading(&redis)
            .set("Redis__Delivery", "exactly-once")
            .set("Redis__MetricQueuePartitions", "2")
    };
    let (owned, entered) = ("prom_stream_gateway_partition_owned", "partition_entered");
    let gateways = [builder().start(), builder().start()];
    for gateway in &gateways {
        let seen = gateway.scrape_until("both parts", |seen| seen.sum(owned) == 2.0);
        let check =
            |(name, kind, labels): &(&str, &str, &[&str])| check(&seen, name, kind, labels).err();
        let faults: Vec<String> = OF_PARTITIONS.iter().filter_map(check).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert_eq!(seen.samples(&format!("{OWN}{entered}")).count(), 2, "one for each home");
    }
    // One that stands by delivers to nobody.
    let standby = builder().start_unready();
    assert!(!has(&standby.scrape(), entered));
}

#[test]
fn each_is_there_and_explained() {
    let mut rig = Rig::start();
    rig.send(&["{broken", r#"{"name":"n","value":1,"timestamp":1,"x":1}"#]);
    rig.redis.go_down();
    wait_until("an error to be counted", || {
        rig.gateway.scrape().sum("prom_stream_gateway_redis_errors_total") > 0.0
    });
    let seen = rig.gateway.scrape();
    let faults: Vec<String> = SELF_METRICS
        .iter()
        .filter_map(|(name, kind, labels)| check(&seen, name, kind, labels).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let info = seen.family("prom_stream_gateway_info").expect("it was just there");
    assert!(info.help.len() > 200, "info tells what the gateway is: {}", info.help);
    for family in seen.families.iter().filter(|family| family.name.starts_with(OWN)) {
        assert!(!family.help.is_empty(), "{} is not explained", family.name);
        assert!(!family.samples.is_empty(), "{} has no sample", family.name);
    }
}

fn check(seen: &Exposition, name: &str, kind: &str, labels: &[&str]) -> Result<(), String> {
    let name = format!("{OWN}{name}");
    let family = seen.family(&name).ok_or(format!("{name} is not there"))?;
    if family.kind != kind {
        return Err(format!("{name} is a {}, not a {kind}", family.kind));
    }
    if family.help.len() <= 30 {
        return Err(format!("{name} is hardly explained: {}", family.help));
    }
    let sample = family.samples.first().ok_or(format!("{name} has no sample"))?;
    let names = sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le");
    let (names, expected): (BTreeSet<_>, BTreeSet<_>) =
        (names.collect(), labels.iter().copied().collect());
    if names == expected { Ok(()) } else { Err(format!("{name} has the labels {names:?}")) }
}

#[test]
fn the_references_counters_are_at_zero_from_the_start() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Redis__MetricQueueKey", "my:queue")
        .set("Redis__MetricQueueWorkers", "3")
        .start_unready();
    let seen = gateway.scrape();
    assert_eq!(seen.value("prom_stream_gateway_info", &[]), Some(1.0));
    for name in ["redis_queue_empty_pops_total", "dropped_metrics_total", "processed_metrics_total"]
    {
        let name = format!("{OWN}{name}");
        assert_eq!(seen.samples(&name).count(), 3, "{name}");
        for worker in ["0", "1", "2"] {
            let labels = [("worker", worker), ("queueKey", "my:queue")];
            assert_eq!(seen.value(&name, &labels), Some(0.0), "{name} of worker {worker}");
        }
    }
    let pending = seen.samples("prom_stream_gateway_redis_queue_pending_size").next();
    assert_eq!(pending.and_then(|sample| sample.label("queueKey")), Some("my:queue"));
}

#[test]
fn an_empty_queue_is_noticed() {
    let rig = Rig::start();
    rig.gateway.scrape_until("a pop that found nothing", |seen| {
        seen.sum("prom_stream_gateway_redis_queue_empty_pops_total") >= 1.0
    });
}

#[test]
fn the_lag_is_the_age_of_the_newest_sample_while_a_backlog_is_drained() {
    let lag = |seen: &Exposition| seen.value("prom_stream_gateway_queue_lag_seconds", &[]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let samples = [300, 60, 200].map(|age| format!(r#"{{"name":"n","timestamp":{}}}"#, now - age));
    let mut rig = Rig::start();
    assert_eq!(lag(&rig.gateway.scrape()), None, "no sample has told its time");
    assert_eq!(lag(&rig.send(&samples)), Some(0.0), "the queue is empty");

    // Where the length can't be asked, there may always be a backlog.
    let redis = RedisServer::start();
    let rights = "ACL SETUSER taker on nopass ~* +rpop +blmove";
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    redis.push(&samples);
    let connection = format!("{},user=taker,password=any", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start();
    let lag = lag(&gateway.scrape_after(3)).expect("samples have told their time");
    assert!((60.0..120.0).contains(&lag), "{lag}");
}

#[test]
fn the_backlog_is_told_while_nothing_is_taken() {
    let redis = RedisServer::start();
    let rights = "ACL SETUSER watcher on nopass ~* +llen";
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    redis.push(&["{}"; 7]);
    let connection = format!("{},user=watcher,password=any", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start_unready();
    gateway.scrape_until("a pending size of 7", |seen| {
        seen.sum("prom_stream_gateway_redis_queue_pending_size") == 7.0
    });
}

#[test]
fn series_and_families_are_counted() {
    let mut rig = Rig::with(&[("Shards__Count", "2")]);
    let payloads: Vec<String> = (0..40)
        .map(|i| {
            let kind = ["counter", "gauge", "histogram", "summary"][i % 4];
            format!(
                r#"{{"type":"{kind}","name":"{kind}","value":1,"buckets":[1],"labels":{{"i":"{i}"}}}}"#
            )
        })
        .collect();
    rig.send(&payloads);
    let series = "prom_stream_gateway_series";
    // The gateway reads its own metrics before it asks the shards, so these may
    // be one scrape behind.
    let seen = rig.gateway.scrape_until("40 series", |seen| seen.sum(series) == 40.0);
    for kind in ["counter", "gauge", "histogram", "summary"] {
        let of_kind = seen.samples(series).filter(|sample| sample.label("type") == Some(kind));
        assert_eq!(of_kind.map(|sample| sample.number()).sum::<f64>(), 10.0, "series of {kind}");
    }
    assert_eq!(seen.value("prom_stream_gateway_families", &[]), Some(4.0));
}

#[test]
fn a_second_layout_is_counted() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"histogram","name":"h","value":1,"buckets":[1]}"#,
        r#"{"type":"histogram","name":"h","value":1,"buckets":[2]}"#,
    ]);
    assert_eq!(seen.sum("prom_stream_gateway_layout_mismatches_total"), 1.0);
    assert_eq!(seen.totals(), (2, 0));
}

#[test]
fn scrapes_are_measured() {
    let rig = Rig::start();
    let before = rig.gateway.scrape().sum("prom_stream_gateway_scrape_duration_seconds_count");
    rig.gateway.scrape();
    rig.gateway.scrape_until("the scrapes to be counted", |seen| {
        seen.sum("prom_stream_gateway_scrape_duration_seconds_count") >= before + 2.0
            && seen.sum("prom_stream_gateway_exposition_bytes") > 1_000.0
    });
}

#[test]
fn without_meta_metrics_only_info_is_left() {
    let rig = Rig::with(&[("Metrics__DisableMetaMetrics", "true")]);
    rig.redis.push(&[r#"{"type":"gauge","name":"g","value":1}"#, "{broken"]);
    let seen = rig.gateway.scrape_until("the sample to show", |seen| seen.family("g").is_some());
    let own: Vec<_> = seen
        .families
        .iter()
        .map(|f| f.name.as_str())
        .filter(|name| name.starts_with(OWN))
        .collect();
    assert_eq!(own, ["prom_stream_gateway_info"]);
}
