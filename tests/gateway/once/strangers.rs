//! Exactly-once delivery beside strangers: something else lies where the queue
//! or one of its own keys belongs.

use super::{ONE, OWNER, STATE, WORK, await_checkpoint, await_total, owner_of, persistent};
use crate::support::redis::QUEUE;
use crate::support::{Gateway, GatewayBuilder, RedisServer, wait_for};

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
    // As README says: an element that is empty in the place of what is lost.
    redis.run::<()>(&["DEL", &format!("{WORK}1")]);
    redis.run::<()>(&["RPUSH", &format!("{WORK}1"), ""]);
    redis.push(&[ONE]);
    await_total(&gateway, 1.0);
}
