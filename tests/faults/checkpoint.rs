//! Checkpoints of exactly-once delivery, as operators meet them: what is said of
//! those that fail, and when a removal is safe.

use std::time::{Duration, Instant};

use psg_testkit::redis::QUEUE;
use psg_testkit::wait::wait_within;
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

const GOOD: &str = r#"{"name":"good_total","value":1}"#;
const BAD: &str = r#"{"name":"bad_total","value":1,"labels":{"request":"1"}}"#;
const OTHER: &str = r#"{"name":"other_total","value":1}"#;

/// An owner that writes no checkpoint in the time of a test unless it is asked
/// to, and lets metrics be removed.
fn owner_of(redis: &RedisServer) -> GatewayBuilder {
    GatewayBuilder::reading(redis)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__LeaseSeconds", "1")
        .set("Redis__CheckpointIntervalSeconds", "3600")
        .set("Http__EnableAdmin", "true")
}

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

/// The scrape that shows `good_total` at `expected`.
fn await_good(gateway: &Gateway, expected: f64) -> Exposition {
    wait_for(&format!("good_total to be {expected}"), || {
        let seen = gateway.try_scrape()?;
        let found = seen.value("good_total", &[]);
        if found == Some(expected) { Ok(seen) } else { Err(format!("{found:?}")) }
    })
}

#[test]
fn what_was_removed_does_not_come_back_after_a_kill() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[BAD, OTHER, GOOD]);
    await_good(&gateway, 1.0);
    // This writes a checkpoint that still has the other one.
    assert_eq!(gateway.delete("/api/v1/metrics/other_total").status, 200);
    redis.push(&[BAD, GOOD]);
    await_good(&gateway, 2.0);
    assert_eq!(gateway.delete("/api/v1/metrics/bad_total").status, 200);
    gateway.kill();
    let gateway = owner_of(&redis).start();
    let seen = await_good(&gateway, 2.0);
    assert!(seen.family("bad_total").is_none() && seen.family("other_total").is_none());
    assert_eq!(gateway.delete("/api/v1/metrics/bad_total").status, 404);
}

#[test]
fn a_removal_without_a_checkpoint_is_not_said_to_be_done() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[BAD, GOOD]);
    await_good(&gateway, 1.0);
    redis.pause();
    let reply = gateway.delete("/api/v1/metrics/bad_total");
    redis.resume();
    assert_eq!(reply.status, 504, "{}", reply.text());
    assert!(reply.text().contains("no checkpoint"), "{}", reply.text());
    // That nothing has the name is said once that is safe.
    wait_for("the removal to be safe", || {
        let reply = gateway.delete("/api/v1/metrics/bad_total");
        if reply.status == 404 { Ok(()) } else { Err(reply.text()) }
    });
    gateway.kill();
    let seen = await_good(&owner_of(&redis).start(), 1.0);
    assert!(seen.family("bad_total").is_none());
}

#[test]
fn a_standby_removes_nothing() {
    let redis = persistent();
    let _owner = owner_of(&redis).start();
    let standby = owner_of(&redis).start_unready();
    wait_for("the standby to know", || {
        let reply = standby.delete("/api/v1/metrics/bad_total");
        assert_eq!(reply.status, 503, "{}", reply.text());
        if reply.text().contains("another gateway") { Ok(()) } else { Err(reply.text()) }
    });
}

#[test]
fn a_checkpoint_that_redis_refuses_is_counted_and_written_later() {
    let redis = persistent();
    let user = |keys: &[String]| {
        let mut words = vec!["ACL", "SETUSER", "gateway", "on", ">secret", "+@all", "resetkeys"];
        words.extend(keys.iter().map(String::as_str));
        redis.run::<()>(&words);
    };
    let beside = |name: &str| format!("~{{{QUEUE}}}:{name}");
    user(&["~*".to_owned()]);
    let connection = format!("{},user=gateway,password=secret", redis.address());
    let gateway = GatewayBuilder::connecting(&connection)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__CheckpointIntervalSeconds", "1")
        .start();
    redis.push(&[GOOD]);
    await_good(&gateway, 1.0);
    // Everything but where the state is kept.
    user(&[format!("~{QUEUE}"), beside("owner"), beside("work:*")]);
    redis.push(&[GOOD]);
    wait_for("the log to tell of it", || {
        let log = gateway.log().join("\n");
        if log.contains("NOPERM") || log.contains("permission") { Ok(()) } else { Err(log) }
    });
    user(&["~*".to_owned()]);
    let state = format!("{{{QUEUE}}}:state");
    wait_for("a checkpoint that covers everything", || {
        let fields: usize = redis.run(&["HLEN", &state]);
        let lists: Vec<String> = redis.run(&["KEYS", "*:work:*"]);
        if fields > 0 && lists.is_empty() { Ok(()) } else { Err(format!("{fields} {lists:?}")) }
    });
    let seen = await_good(&gateway, 2.0);
    let failures = seen.value("prom_stream_gateway_checkpoint_failures_total", &[]);
    assert!(failures >= Some(1.0), "{failures:?}");
}

/// How long filling and loading a large state may take on a busy machine.
const LARGE: Duration = Duration::from_secs(180);

fn await_ready<const N: usize>(gateways: [&Gateway; N]) {
    wait_within(LARGE, "one of them to be ready", || {
        let statuses = gateways.map(|gateway| gateway.must_get("/-/ready", &[]).status);
        if statuses.contains(&200) { Ok(()) } else { Err(format!("{statuses:?}")) }
    });
}

fn stop(mut gateway: Gateway) {
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(LARGE).code(), Some(0), "{}", gateway.log().join("\n"));
}

/// Longer than a lease, while another gateway waits for the queue. A busy machine
/// holds up loading and renewing alike, so how long the lease is depends on how
/// long the same state takes to load a moment before.
#[test]
fn a_long_load_keeps_the_lease() {
    const SERIES: usize = 500_000;
    let redis = RedisServer::start();
    let owner = |lease: u64| {
        owner_of(&redis)
            .set("Redis__LeaseSeconds", lease.to_string())
            // One thread takes all series back in.
            .set("Shards__Count", "1")
            .set("Metrics__MaxSeriesPerMetric", "600000")
            .set("Metrics__ReaderCacheSeries", "600000")
    };
    let first = owner(60).start();
    let payload = |n| format!(r#"{{"name":"many_total","value":1,"labels":{{"n":{n}}}}}"#);
    redis.push(&(0..SERIES).map(payload).collect::<Vec<_>>());
    redis.push(&[GOOD]);
    // A scrape of all, again and again, would take longer than taking them.
    wait_within(LARGE, "good_total to be there", || {
        let reply = first.get("/metrics?name[]=good_total", &[])?;
        if reply.text().lines().any(|line| line == "good_total 1") {
            Ok(())
        } else {
            Err(reply.text())
        }
    });
    stop(first);
    let begun = Instant::now();
    let alone = owner(60).start_unready();
    await_ready([&alone]);
    let load = begun.elapsed();
    stop(alone);
    let lease = (load.as_secs() / 2).max(1);
    eprintln!("a load takes {load:?}, a lease is {lease} s");
    // Both come at once; one of them has to load all of it, the other to wait.
    let mut gateways = [owner(lease).start_unready(), owner(lease).start_unready()];
    await_ready(gateways.each_ref());
    for gateway in &mut gateways {
        assert_eq!(gateway.ended(), None, "{}", gateway.log().join("\n"));
    }
    let taken = gateways.iter().filter(|gateway| {
        gateway.log().iter().any(|line| line.contains("this gateway owns the queue"))
    });
    assert_eq!(taken.count(), 1);
}
