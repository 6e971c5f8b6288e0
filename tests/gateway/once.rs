//! Exactly-once delivery, rule by rule: what is claimed, kept, given back,
//! loaded, refused, and when `/metrics` may be answered.

use std::time::Duration;

use crate::support::redis::QUEUE;
use crate::support::{Exposition, Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

const OWNER: &str = "{prom-stream-gateway:metric-queue}:owner";
const STATE: &str = "{prom-stream-gateway:metric-queue}:state";
const WORK: &str = "{prom-stream-gateway:metric-queue}:work:";

const ONE: &str = r#"{"name":"n_total","value":1}"#;

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

/// An owner with a short lease that writes a checkpoint each second.
fn owner_of(redis: &RedisServer) -> GatewayBuilder {
    GatewayBuilder::reading(redis)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__LeaseSeconds", "1")
        .set("Redis__CheckpointIntervalSeconds", "1")
}

fn total(seen: &Exposition) -> Option<f64> {
    seen.value("n_total", &[])
}

/// The answer that shows `n_total` at `expected`; 503 meanwhile is fine, more is
/// not.
fn await_total(gateway: &Gateway, expected: f64) -> Exposition {
    wait_for(&format!("n_total to be {expected}"), || {
        let seen = gateway.try_scrape()?;
        let found = total(&seen).unwrap_or(0.0);
        assert!(found <= expected, "{found} shown, {expected} pushed");
        if found == expected { Ok(seen) } else { Err(format!("{found}")) }
    })
}

/// Waits until everything is covered by a checkpoint: no list is left.
fn await_checkpoint(redis: &RedisServer) {
    wait_for("a checkpoint that covers everything", || {
        let lists: Vec<String> = redis.run(&["KEYS", "*:work:*"]);
        let version: String = redis.run(&["HGET", OWNER, "version"]);
        let done = lists.is_empty() && !version.starts_with("0-") && redis.pending() == 0;
        if done { Ok(()) } else { Err(format!("{version} {lists:?}")) }
    });
}

#[test]
fn what_is_pushed_is_counted_and_kept_over_a_clean_stop() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 1000]);
    await_total(&gateway, 1000.0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    let token: String = redis.run(&["HGET", OWNER, "token"]);
    assert_eq!(token, "", "the queue is given back");
    let lists: Vec<String> = redis.run(&["KEYS", &format!("{}*", WORK)]);
    assert!(lists.is_empty(), "{lists:?}");

    redis.push(&[ONE; 10]);
    let gateway = owner_of(&redis).start();
    await_total(&gateway, 1010.0);
}

#[test]
fn what_a_kill_leaves_is_applied_once() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 1000]);
    await_total(&gateway, 1000.0);
    await_checkpoint(&redis);
    redis.push(&[ONE; 500]);
    await_total(&gateway, 1500.0);
    gateway.kill();
    redis.push(&[ONE; 50]);
    let gateway = owner_of(&redis).start();
    await_total(&gateway, 1550.0);
    let fields: usize = redis.run(&["HLEN", STATE]);
    assert!(fields > 0);
    assert_eq!(redis.run::<usize>(&["EXISTS", QUEUE]), 0);
}
