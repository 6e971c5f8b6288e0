//! A queue in two partitions, and the two gateways that it needs.

use std::time::Duration;

use psg_testkit::http::push;
use psg_testkit::redis::QUEUE;
use psg_testkit::wait::wait_within;
use psg_testkit::{Gateway, GatewayBuilder, RedisCluster, RedisOptions, RedisServer, wait_until};

const PUSHED: &[u8] = b"# TYPE pushed_total counter\npushed_total 1\n";

const SETTLING: Duration = Duration::from_secs(60);

fn persistent() -> RedisOptions {
    RedisOptions { persistent: true, ..Default::default() }
}

fn of_two_partitions(connection: &str) -> GatewayBuilder {
    GatewayBuilder::connecting(connection)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__MetricQueuePartitions", "2")
}

/// Waits until a counter without labels shows that total, on one gateway alone.
fn await_total(gateways: &[Gateway], name: &str, expected: f64) {
    wait_within(SETTLING, "the total", || {
        let seen = gateways.iter().filter_map(|gateway| gateway.try_scrape().ok());
        let shown: Vec<f64> = seen.filter_map(|seen| seen.value(name, &[])).collect();
        if shown == [expected] { Ok(()) } else { Err(format!("{shown:?}")) }
    });
}

#[test]
fn samples_are_sent_on_once_the_flush_interval_is_over() {
    let redis = RedisServer::with(persistent());
    let fleet = |milliseconds: &str| {
        let builder = of_two_partitions(&redis.address());
        builder.set("Redis__PartitionFlushMs", milliseconds).start()
    };
    let push = || redis.push_to(0, QUEUE, &[r#"{"name":"n_total","value":1}"#]);
    let sum = |gateways: &[Gateway], name: &str| -> f64 {
        let seen = gateways.iter().map(Gateway::scrape);
        seen.map(|seen| seen.sum(&format!("prom_stream_gateway_partition_{name}"))).sum()
    };
    let gateways = [fleet("60000"), fleet("60000")];
    for taken in 1..=10 {
        push();
        wait_until("it to be taken", || {
            sum(&gateways, "forwarded_samples_total") == f64::from(taken)
        });
    }
    assert_eq!(sum(&gateways, "delivered_samples_total"), 0.0, "it is no minute yet");
    assert!(sum(&gateways, "undelivered_bytes") > 0.0);
    // The end of a gateway waits for no interval.
    for mut gateway in gateways {
        gateway.signal("TERM");
        assert_eq!(gateway.wait_at_most(SETTLING).code(), Some(0));
    }
    let gateways = [fleet("100"), fleet("100")];
    await_total(&gateways, "n_total", 10.0);
    push();
    await_total(&gateways, "n_total", 11.0);
}

/// The partition is chosen at random, when a gateway starts: so many of them are started
/// until both have been chosen.
#[test]
fn doors_push_to_any_partition() {
    const MOST: usize = 20;
    let cluster = RedisCluster::start(3);
    for (node, key) in [QUEUE.to_owned(), format!("{QUEUE}:1")].iter().enumerate() {
        cluster.reshard(key, node);
    }
    let builder = || {
        let builder = of_two_partitions(&cluster.addresses());
        builder.set("Push__Enabled", "true").set("Redis__PartitionFlushMs", "50")
    };
    let mut gateways = vec![builder().start(), builder().start()];
    let mut pushed = 0;
    loop {
        for gateway in &gateways[pushed..] {
            let answer = push(gateway.port(), ("POST", "/metrics"), &[], PUSHED);
            assert_eq!(answer.expect("an answer").status, 202);
        }
        pushed = gateways.len();
        await_total(&gateways, "pushed_total", pushed as f64);
        let chosen = ["0", "1"].map(|partition| forwarded(&gateways, partition));
        assert_eq!(chosen.iter().sum::<f64>(), pushed as f64);
        if !chosen.contains(&0.0) {
            return;
        }
        assert!(pushed < MOST, "one of the partitions was never chosen: {chosen:?}");
        // It stands by, and its door is open all the same.
        gateways.push(builder().start_listening());
    }
}

/// How many samples were taken from that partition.
fn forwarded(gateways: &[Gateway], partition: &str) -> f64 {
    const NAME: &str = "prom_stream_gateway_partition_forwarded_samples_total";
    let seen = gateways.iter().filter_map(|gateway| gateway.try_scrape().ok());
    seen.filter_map(|seen| seen.value(NAME, &[("partition", partition)])).sum()
}

/// As a user with the rights that docs/scale.md names.
#[test]
fn partitions_are_reached_by_tls_with_few_rights() {
    let redis = RedisServer::with(RedisOptions { tls_names: &["localhost"], ..persistent() });
    let page = std::fs::read_to_string(psg_testkit::root().join("docs/scale.md")).expect("a page");
    let (_, command) = page.split_once("redis-cli ACL SETUSER").expect("the rights");
    let (command, _) = command.split_once("```").expect("the end of a block");
    let words = command.split_whitespace().filter(|word| *word != "\\");
    let words: Vec<&str> = words.map(|word| word.trim_matches('\'')).collect();
    redis.run::<()>(&[&["ACL", "SETUSER"], &words[..]].concat());
    let connection =
        format!("localhost:{},ssl=true,user=gateway,password=secret", redis.tls_port());
    let builder = || {
        of_two_partitions(&connection)
            .set("Redis__TlsCaFile", &redis.certificates().authority)
            .set("Redis__PartitionFlushMs", "50")
    };
    let gateways = [builder().start(), builder().start()];
    for key in [QUEUE, &format!("{QUEUE}:1")] {
        let samples = (0..10).map(|number| format!(r#"{{"name":"n{number}_total","value":3}}"#));
        redis.push_to(0, key, &samples.collect::<Vec<_>>());
    }
    // Ten names have homes at both.
    for number in 0..10 {
        await_total(&gateways, &format!("n{number}_total"), 6.0);
    }
    let series = |gateway: &Gateway| gateway.scrape().sum("prom_stream_gateway_series");
    assert!(gateways.iter().all(|gateway| series(gateway) > 0.0), "one shows nothing");
    let refused: Vec<String> = redis.run(&["ACL", "LOG"]);
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_doctor_looks_at_each_partition_on_its_own_node_of_a_cluster() {
    const GOOD: &str = r#"{"name":"a_total","value":1}"#;
    let mut cluster = RedisCluster::start(3);
    let keys = [QUEUE.to_owned(), format!("{QUEUE}:1")];
    for (node, key) in keys.iter().enumerate() {
        cluster.reshard(key, node);
        cluster.run::<u32>(key, &["LPUSH", key, GOOD, GOOD]);
    }
    let connection = cluster.addresses();
    let waits = |key: &String| format!("2 elements wait in {key}, which nobody has");
    let examined = of_two_partitions(&connection).arguments(&["doctor"]).finish();
    assert_eq!(examined.code(), 0, "{}", examined.output());
    assert!(
        keys.iter().all(|key| examined.output().contains(&waits(key))),
        "{}",
        examined.output()
    );
    // The node of one is away: the other one is looked at all the same.
    cluster.nodes_mut()[1].go_down();
    let examined = of_two_partitions(&connection).arguments(&["doctor"]).finish();
    assert_eq!(examined.code(), 1, "{}", examined.output());
    assert!(examined.output().contains(&waits(&keys[0])), "{}", examined.output());
}
