//! Exactly-once delivery beside strangers: something else lies where the queue
//! or one of its own keys belongs.

use std::time::Duration;

use super::{ONE, OWNER, STATE, WORK, await_checkpoint, await_total, owner_of, persistent};
use psg_testkit::redis::QUEUE;
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for, wait_until};

/// A gateway that owns the queue, with ten samples behind it.
fn settled(redis: &RedisServer) -> Gateway {
    let gateway = owner_of(redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    await_checkpoint(redis);
    gateway
}

/// Waits until the gateway has said that a key holds something else.
fn await_complaint(gateway: &Gateway) {
    let name = "prom_stream_gateway_redis_errors_total";
    wait_for("a redis error of kind wrong_type", || {
        let log = gateway.log().join("\n");
        let metrics = gateway.must_get("/metrics", &[]);
        let line = metrics
            .text()
            .lines()
            .find(|line| {
                line.starts_with(name) && line.contains("wrong_type") && !line.ends_with(" 0")
            })
            .map(str::to_owned);
        // Where no totals may be shown, the log tells.
        if line.is_some() || log.contains("WRONGTYPE") { Ok(()) } else { Err(log) }
    });
}

#[test]
fn a_queue_that_is_no_list_is_told_and_left_alone() {
    let redis = persistent();
    let gateway = settled(&redis);
    redis.run::<()>(&["SET", QUEUE, "a text"]);
    await_complaint(&gateway);
    assert_eq!(gateway.must_get("/-/ready", &[]).status, 503);
    await_total(&gateway, 10.0);
    assert_eq!(redis.run::<String>(&["GET", QUEUE]), "a text");
    redis.run::<()>(&["DEL", QUEUE]);
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
}

/// It is not set aside under another name either.
#[test]
fn a_queue_that_is_no_list_from_the_beginning_is_not_claimed() {
    let redis = persistent();
    redis.run::<()>(&["SET", QUEUE, "a text"]);
    let gateway = unready(&redis);
    // Of the trouble only the first is logged, which may be another command's.
    wait_for("a claim to be refused", || {
        let stats: String = redis.run(&["INFO", "commandstats"]);
        let eval = stats.lines().find(|line| line.starts_with("cmdstat_eval:")).unwrap_or_default();
        if eval.contains("failed_calls=0") || eval.is_empty() { Err(stats) } else { Ok(()) }
    });
    assert_eq!(redis.run::<String>(&["GET", QUEUE]), "a text");
    redis.run::<()>(&["DEL", QUEUE]);
    redis.push(&[ONE]);
    await_total(&gateway, 1.0);
}

/// The owner hash is something else before the gateway comes: it waits, and
/// takes nothing.
#[test]
fn an_owner_key_that_is_no_hash_is_told_and_left_alone() {
    let redis = persistent();
    redis.run::<()>(&["SET", OWNER, "a text"]);
    redis.push(&[ONE; 10]);
    let gateway = unready(&redis);
    await_complaint(&gateway);
    assert_eq!(gateway.must_get("/-/ready", &[]).status, 503);
    assert_eq!(redis.run::<String>(&["GET", OWNER]), "a text");
    assert_eq!(redis.pending(), 10);
    redis.run::<()>(&["DEL", OWNER]);
    await_total(&gateway, 10.0);
}

fn unready(redis: &RedisServer) -> Gateway {
    owner_of(redis).start_unready()
}

/// The hash of the totals gives way to something else: no checkpoint is
/// written, what it would have covered stays, and nothing is counted twice.
#[test]
fn a_state_key_that_is_no_hash_keeps_what_no_checkpoint_covers() {
    let redis = persistent();
    redis.run::<()>(&["SET", STATE, "a text"]);
    redis.push(&[ONE; 10]);
    let mut gateway = unready(&redis);
    await_complaint(&gateway);
    assert_eq!(redis.run::<String>(&["GET", STATE]), "a text");
    gateway.kill();
    redis.run::<()>(&["DEL", STATE]);
    let gateway = owner_of(&redis).start();
    await_total(&gateway, 10.0);
    await_checkpoint(&redis);
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
}

/// A text lies where the next list is to be set aside.
#[test]
fn a_claimed_list_s_key_that_is_taken_is_told_and_the_backlog_stays() {
    let redis = persistent();
    redis.run::<()>(&["SET", &format!("{WORK}1"), "a text"]);
    redis.push(&[ONE; 10]);
    let gateway = unready(&redis);
    await_complaint(&gateway);
    assert_eq!(redis.run::<String>(&["GET", &format!("{WORK}1")]), "a text");
    assert_eq!(redis.pending(), 10);
    redis.run::<()>(&["DEL", &format!("{WORK}1")]);
    await_total(&gateway, 10.0);
}

/// A claimed list gives way to a text while the gateway is down: what was in it
/// is lost for good, and that ends in words, not in wrong totals.
#[test]
fn a_claimed_list_that_gave_way_to_a_text_is_told() {
    let redis = persistent();
    let mut gateway = super::owner_without_checkpoints(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    gateway.kill();
    redis.run::<()>(&["SET", &format!("{WORK}1"), "a text"]);
    let gateway: Gateway = GatewayBuilder::start_unready(owner_of(&redis));
    await_complaint(&gateway);
    assert_eq!(gateway.must_get("/metrics", &[]).status, 503);
    // As docs/guarantee.md says: an element that is empty in the place of what is lost.
    redis.run::<()>(&["DEL", &format!("{WORK}1")]);
    redis.run::<()>(&["RPUSH", &format!("{WORK}1"), ""]);
    redis.push(&[ONE]);
    await_total(&gateway, 1.0);
}

/// While it is read, a stranger makes a claimed list shorter: what is missing is
/// not passed over in silence.
#[test]
fn a_claimed_list_that_vanishes_while_it_is_read_ends_the_gateway() {
    let redis = persistent();
    redis.push(&vec![ONE; 300_000]);
    let mut gateway = unready(&redis);
    let first = format!("{WORK}1");
    wait_until("the queue to be claimed", || redis.run::<u32>(&["EXISTS", &first]) == 1);
    redis.run::<()>(&["DEL", &first]);
    let status = gateway.wait_at_most(Duration::from_secs(20));
    let log = gateway.log().join("\n");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("a claimed list gave"), "{log}");
    assert!(log.contains("work:1 is missing"), "{log}");
}

/// Ten samples in a checkpoint, and the gateway gone.
fn stopped() -> RedisServer {
    let redis = persistent();
    let mut gateway = settled(&redis);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    redis
}

#[test]
fn a_segment_that_is_missing_ends_the_start() {
    let redis = stopped();
    let fields: Vec<String> = redis.run(&["HKEYS", STATE]);
    redis.run::<()>(&["HDEL", STATE, &fields[0]]);
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert!(refused.output().contains("are missing in"), "{}", refused.output());
    assert_eq!(redis.run::<usize>(&["HLEN", STATE]), fields.len() - 1, "nothing is touched");
}

#[test]
fn a_state_of_a_newer_version_ends_the_start_and_stays_as_it_is() {
    let redis = stopped();
    redis.run::<()>(&["HSET", OWNER, "format", "2"]);
    let epoch: String = redis.run(&["HGET", OWNER, "epoch"]);
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert!(refused.output().contains("its format is"), "{}", refused.output());
    assert_eq!(redis.run::<String>(&["HGET", OWNER, "epoch"]), epoch, "nothing is touched");
}

/// So that what is still under way on an old one is refused.
#[test]
fn each_connection_raises_the_epoch() {
    let redis = persistent();
    let gateway = settled(&redis);
    let epoch = || redis.run::<u64>(&["HGET", OWNER, "epoch"]);
    for _ in 0..3 {
        let before = epoch();
        redis.run::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        wait_until("the epoch to rise", || epoch() > before);
    }
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
}
