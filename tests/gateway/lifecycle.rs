//! Lifecycle: start, the health of a running gateway, freshness, and an end
//! that loses nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use psg_testkit::wait::wait_within;
use psg_testkit::{Exposition, Format, Gateway, GatewayBuilder, RedisServer, Rig, wait_until};

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);

const SAMPLE: &str = r#"{"name":"n_total","value":1,"labels":{"i":"7"}}"#;

#[test]
fn health_paths_answer() {
    let rig = Rig::start();
    let root = rig.gateway.must_get("/", &[]);
    assert_eq!((root.status, root.text().as_str()), (200, "ok"));
    assert_eq!(rig.gateway.must_get("/-/healthy", &[]).status, 200);
    assert_eq!(rig.gateway.must_get("/-/ready", &[]).status, 200);
}

#[test]
fn an_idle_queue_is_seen_at_once() {
    let rig = Rig::start();
    for round in 1..=10 {
        rig.redis.push(&[SAMPLE]);
        wait_within(Duration::from_secs(5), "a sample to show", || {
            let value = rig.gateway.scrape().value("n_total", &[("i", "7")]);
            if value == Some(f64::from(round)) { Ok(()) } else { Err(format!("{value:?}")) }
        });
    }
}

#[test]
fn a_backlog_from_before_the_start_is_taken() {
    let redis = RedisServer::start();
    redis.push(&vec![SAMPLE; 20_000]);
    let gateway = GatewayBuilder::reading(&redis).start();
    let seen = gateway.scrape_after(20_000);
    assert_eq!(seen.value("n_total", &[("i", "7")]), Some(20_000.0));
}

#[test]
fn two_gateways_share_a_queue() {
    let redis = RedisServer::start();
    let first = GatewayBuilder::reading(&redis).start();
    let second = GatewayBuilder::reading(&redis).start();
    redis.push(&vec![SAMPLE; 10_000]);
    wait_until("both together to have taken all", || {
        let taken = first.scrape().totals().0 + second.scrape().totals().0;
        assert!(taken <= 10_000, "{taken} were taken");
        taken == 10_000
    });
}

#[test]
fn an_end_under_load_loses_nothing() {
    for signal in ["TERM", "INT"] {
        let redis = RedisServer::start();
        let mut gateway = GatewayBuilder::reading(&redis).start();
        let stop = AtomicBool::new(false);
        let pushed = thread::scope(|scope| {
            let pusher = scope.spawn(|| push_until(&redis, &stop));
            gateway.scrape_until("some samples to be taken", |seen| seen.totals().0 > 1_000);
            gateway.signal(signal);
            let status = gateway.wait_at_most(STOP);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(status.code(), Some(0), "after SIG{signal}");
            pusher.join().expect("the pusher ends")
        });
        let (processed, rejected) = last_totals(&gateway);
        let left = redis.pending() as u64;
        assert_eq!(
            processed + rejected + left,
            pushed,
            "{processed} processed, {rejected} rejected, {left} left after SIG{signal}"
        );
        assert!(rejected > 0, "some payloads were bad");
    }
}

/// Pushes good and bad samples until told to stop; returns how many.
fn push_until(redis: &RedisServer, stop: &AtomicBool) -> u64 {
    let payloads: Vec<&str> = (0..500).map(|i| if i % 50 == 0 { "{bad" } else { SAMPLE }).collect();
    let mut pushed = 0;
    while !stop.load(Ordering::Relaxed) {
        redis.push(&payloads);
        pushed += payloads.len() as u64;
    }
    pushed
}

/// `processed` and `rejected` of the log record that the gateway ends with.
fn last_totals(gateway: &Gateway) -> (u64, u64) {
    let log = gateway.log();
    let totals = log.iter().rev().find_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        let field = |name: &str| record.get(name).or_else(|| record.get("fields")?.get(name));
        Some((field("processed")?.as_u64()?, field("rejected")?.as_u64()?))
    });
    totals.unwrap_or_else(|| panic!("no record has processed and rejected:\n{}", log.join("\n")))
}

#[test]
fn replies_under_way_at_the_end_are_taken() {
    let mut rig = Rig::start();
    rig.push(&vec![SAMPLE; 100_000]);
    rig.gateway.scrape_until("some samples to be taken", |seen| seen.totals().0 > 1_000);
    // Pops that Redis has read or will read are answered only after the stop.
    rig.redis.pause();
    rig.gateway.signal("TERM");
    wait_until("the stop in the log", || {
        rig.gateway.log().iter().any(|line| line.contains("shutting down"))
    });
    rig.redis.resume();
    assert_eq!(rig.gateway.wait_at_most(STOP).code(), Some(0));
    let (processed, rejected) = last_totals(&rig.gateway);
    let left = rig.redis.pending() as u64;
    assert_eq!(processed + rejected + left, rig.pushed(), "{processed} processed, {left} left");
}

#[test]
fn a_stop_while_redis_is_away() {
    let mut rig = Rig::start();
    rig.send(&[SAMPLE]);
    rig.redis.go_down();
    wait_until("not ready", || rig.gateway.must_get("/-/ready", &[]).status == 503);
    rig.gateway.signal("TERM");
    assert_eq!(rig.gateway.wait_at_most(STOP).code(), Some(0));
    assert_eq!(last_totals(&rig.gateway), (1, 0));
}

#[test]
fn a_stop_while_idle_is_quick() {
    let mut rig = Rig::start();
    rig.gateway.signal("TERM");
    assert_eq!(rig.gateway.wait_at_most(STOP).code(), Some(0));
    let log = rig.gateway.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_scrape_under_way_is_answered_whole() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..60_000)
        .map(|i| {
            format!(r#"{{"type":"gauge","name":"g","value":1,"labels":{{"series":"number {i}"}}}}"#)
        })
        .collect();
    rig.send(&payloads);
    let mut connection = TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens");
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out is set");
    let request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    connection.write_all(request.as_bytes()).expect("it reads");
    // The first byte of the answer says that the scrape has begun.
    let mut answer = vec![0];
    connection.read_exact(&mut answer).expect("it answers");
    rig.gateway.signal("TERM");
    connection.read_to_end(&mut answer).expect("the answer goes on to its end");
    let answer = String::from_utf8(answer).expect("the answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.") && head.contains(" 200 "), "{head}");
    let seen = Exposition::parse(body, Format::Text).expect("it is whole");
    assert_eq!(seen.samples("g").count(), 60_000);
    assert_eq!(rig.gateway.wait_at_most(STOP).code(), Some(0));
}

#[test]
fn scrapes_during_ingestion_are_whole_and_never_fall() {
    let mut rig = Rig::with(&[("Shards__Count", "3"), ("Redis__MetricQueueWorkers", "2")]);
    let payloads: Vec<String> = (0..30_000)
        .map(|i| {
            let kind = ["counter", "histogram", "summary"][i % 3];
            format!(
                r#"{{"type":"{kind}","name":"{kind}_{}","value":1,"buckets":[1],"labels":{{"i":"{}"}}}}"#,
                i % 12,
                i % 40
            )
        })
        .collect();
    rig.push(&payloads);
    let gateway = &rig.gateway;
    thread::scope(|scope| {
        for format in [Format::Text, Format::OpenMetrics, Format::Text] {
            scope.spawn(move || scrape_to_the_end(gateway, format, 30_000));
        }
    });
}

/// Scrapes until all is taken; each scrape must hold at least what the one
/// before held.
fn scrape_to_the_end(gateway: &Gateway, format: Format, all: u64) {
    let mut before = gateway.scrape_as(format);
    wait_until("all to be taken", || {
        let seen = gateway.scrape_as(format);
        for sample in before.families.iter().flat_map(|family| &family.samples) {
            if !only_rises(&sample.name) {
                continue;
            }
            let labels: Vec<_> =
                sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let now = seen.value(&sample.name, &labels);
            let (then, line) = (sample.number(), &sample.canonical);
            assert!(now.is_some_and(|now| now >= then), "{line} became {now:?}");
        }
        check_shown(&seen);
        before = seen;
        before.totals().0 == all
    });
}

fn only_rises(name: &str) -> bool {
    ["_total", "_count", "_bucket", "_sum"].iter().any(|suffix| name.ends_with(suffix))
        || name.starts_with("counter_")
}

/// A scrape that shows n samples as processed shows the effect of those n.
fn check_shown(seen: &Exposition) {
    let effects: f64 = (0..12)
        .flat_map(|i| {
            [format!("counter_{i}"), format!("histogram_{i}_count"), format!("summary_{i}_count")]
        })
        .map(|name| seen.sum(&name))
        .sum();
    let (processed, _) = seen.totals();
    assert!(effects >= processed as f64, "{processed} processed, but {effects} to be seen");
}

#[test]
fn many_scrapes_at_once_are_all_answered() {
    let mut rig = Rig::start();
    rig.send(&[SAMPLE; 100]);
    let gateway = &rig.gateway;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                for _ in 0..10 {
                    let seen = gateway.scrape();
                    assert_eq!(seen.value("n_total", &[("i", "7")]), Some(100.0));
                }
            });
        }
    });
}

/// Each that ends a program by default, when a terminal closes for one.
#[test]
fn no_signal_is_a_sudden_death_that_loses_the_totals() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let builder =
        || GatewayBuilder::reading(&redis).set("Metrics__StateFile", folder.path().join("state"));
    for (signal, total) in [("HUP", 1.0), ("QUIT", 2.0), ("INT", 3.0), ("TERM", 4.0)] {
        let mut gateway = builder().start();
        redis.push(&[SAMPLE]);
        assert_eq!(gateway.scrape_after(1).value("n_total", &[("i", "7")]), Some(total));
        gateway.signal(signal);
        assert_eq!(gateway.wait_at_most(STOP).code(), Some(0), "SIG{signal}");
        let log = gateway.log().join("\n");
        assert!(log.contains(&format!("SIG{signal}")), "{log}");
        let signs: usize = redis.run(&["ZCARD", "{prom-stream-gateway:metric-queue}:consumers"]);
        assert_eq!(signs, 0, "nothing is left of it");
    }
}

#[test]
fn under_nohup_a_closing_terminal_ends_nothing() {
    let builder = GatewayBuilder::connecting("127.0.0.1:1").started_by("/usr/bin/nohup");
    let mut gateway = builder.start_unready();
    gateway.signal("HUP");
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(STOP).code(), Some(0));
    let log = gateway.log().join("\n");
    assert!(log.contains("SIGTERM") && !log.contains("SIGHUP"), "{log}");
}

#[test]
fn a_stop_does_not_wait_for_connections_on_which_nothing_is_asked() {
    let mut gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    // As Prometheus keeps its own from one scrape to the next.
    let mut kept = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
    kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    kept.read_exact(&mut [0; 12]).expect("an answer");
    gateway.signal("TERM");
    // Less than the time that answers under way are given.
    let status = gateway.wait_at_most(Duration::from_millis(2900));
    assert_eq!(status.code(), Some(0));
}
