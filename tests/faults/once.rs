//! Exactly-once delivery, rule by rule: what is claimed, kept, given back,
//! loaded, refused, and when `/metrics` may be answered.

mod damage;
mod fences;
mod servers;
mod strangers;

use std::time::Duration;

use psg_testkit::redis::QUEUE;
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

const OWNER: &str = "{prom-stream-gateway:metric-queue}:owner";
const STATE: &str = "{prom-stream-gateway:metric-queue}:state";
const WORK: &str = "{prom-stream-gateway:metric-queue}:work:";

const ONE: &str = r#"{"name":"n_total","value":1}"#;

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

/// An owner with a short lease that writes a checkpoint each second.
fn owner_of(redis: &RedisServer) -> GatewayBuilder {
    owner_at(&redis.address())
}

/// The same, with that connection string.
fn owner_at(connection: &str) -> GatewayBuilder {
    GatewayBuilder::connecting(connection)
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

/// As an owner that writes no checkpoint in the time of a test.
fn owner_without_checkpoints(redis: &RedisServer) -> GatewayBuilder {
    owner_of(redis).set("Redis__CheckpointIntervalSeconds", "3600")
}

#[test]
fn dead_letters_are_written_before_the_checkpoint_that_covers_them() {
    let redis = persistent();
    let gateway = owner_of(&redis).set("Redis__DeadLetterKey", "dead").start();
    for letters in 1..=5 {
        redis.push(&[ONE, "no JSON"]);
        await_total(&gateway, f64::from(letters));
        await_checkpoint(&redis);
        assert_eq!(redis.run::<u32>(&["LLEN", "dead"]), letters);
    }
}

#[test]
fn at_most_once_does_not_pass_over_what_is_set_aside() {
    let redis = persistent();
    let mut owner = owner_without_checkpoints(&redis).start();
    redis.push(&[ONE; 100]);
    await_total(&owner, 100.0);
    owner.kill();
    let refused = GatewayBuilder::reading(&redis).finish();
    assert_eq!(refused.code(), 78, "{}", refused.output());
    assert!(refused.output().contains("exactly-once"), "{}", refused.output());

    let mut owner = owner_of(&redis).start();
    await_total(&owner, 100.0);
    owner.signal("TERM");
    assert_eq!(owner.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    let gateway = GatewayBuilder::reading(&redis).start();
    redis.push(&[ONE]);
    gateway.scrape_after(1);
}

#[test]
fn a_redis_that_may_throw_the_queue_away_is_refused() {
    let redis = persistent();
    redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 78, "{}", refused.output());
    assert!(refused.output().contains("noeviction, got allkeys-lru"), "{}", refused.output());
}

#[test]
fn a_redis_that_comes_back_empty_gets_the_totals_from_memory() {
    let mut redis = RedisServer::start();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 1000]);
    await_total(&gateway, 1000.0);
    await_checkpoint(&redis);
    redis.go_down();
    redis.go_up();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 1010.0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    await_total(&owner_of(&redis).start(), 1010.0);
}

#[test]
fn a_damaged_state_ends_the_start_and_stays_as_it_is() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    let fields: Vec<String> = redis.run(&["HKEYS", STATE]);
    for field in &fields {
        redis.run::<()>(&["HSET", STATE, field, "damaged"]);
    }
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    for field in &fields {
        assert_eq!(redis.run::<String>(&["HGET", STATE, field]), "damaged");
    }
}

/// All that is kept comes back, under another number of shards too.
#[test]
fn all_types_come_back_under_another_k() {
    let redis = persistent();
    let samples = [
        r#"{"name":"c_total","value":0.1,"labels":{"a":"1"}}"#,
        r#"{"name":"g","type":"gauge","value":-2.5,"timestamp":1700000000,"help":"A gauge."}"#,
        r#"{"name":"h","type":"histogram","value":3,"buckets":[1,5,10]}"#,
        r#"{"name":"s","type":"summary","value":7,"quantiles":[0.5,0.9],"epsilons":[0.05,0.01]}"#,
    ];
    let mut gateway = owner_of(&redis).set("Shards__Count", "3").start();
    redis.push(&[samples[0], samples[1], samples[2], samples[3], samples[0], ONE]);
    await_total(&gateway, 1.0);
    let before = own_lines(&gateway);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    let gateway = owner_of(&redis).set("Shards__Count", "2").start();
    await_total(&gateway, 1.0);
    assert_eq!(own_lines(&gateway), before);
    // An older timestamp changes nothing still.
    redis.push(&[samples[1].replace("-2.5", "9").replace("1700000000", "1600000000"), ONE.into()]);
    let seen = await_total(&gateway, 2.0);
    assert_eq!(seen.value("g", &[]), Some(-2.5));
}

/// The lines of what producers pushed.
fn own_lines(gateway: &Gateway) -> Vec<String> {
    let text = gateway.must_get("/metrics", &[]).text();
    let is_own = |line: &&str| !line.contains("prom_stream_gateway_");
    text.lines().filter(is_own).map(str::to_owned).collect()
}
