//! The owner hash of exactly-once delivery is gone, for it was deleted by
//! somebody: nothing that is still there may be lost or counted twice.

use std::time::Duration;

use psg_testkit::redis::QUEUE;
use psg_testkit::wait::wait_within;
use psg_testkit::{Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

const OWNER: &str = "{prom-stream-gateway:metric-queue}:owner";
const STATE: &str = "{prom-stream-gateway:metric-queue}:state";
const FIRST_LIST: &str = "{prom-stream-gateway:metric-queue}:work:1";

const ONE: &str = r#"{"name":"n_total","value":1}"#;
/// So many that they are not read at once.
const BACKLOG: usize = 60_000;

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

/// One that reads slowly, element by element.
fn owner_of(redis: &RedisServer) -> GatewayBuilder {
    GatewayBuilder::reading(redis)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__LeaseSeconds", "1")
        .set("Redis__CheckpointIntervalSeconds", "1")
        .set("Redis__MetricQueuePopCount", "1")
}

fn await_total(gateway: &Gateway, expected: usize) {
    // Element by element it takes a while where the machine has other work.
    wait_within(Duration::from_secs(120), &format!("n_total to be {expected}"), || {
        let found = gateway.try_scrape()?.value("n_total", &[]).unwrap_or(0.0);
        assert!(found <= expected as f64, "{found} shown, {expected} pushed");
        if found == expected as f64 { Ok(()) } else { Err(format!("{found}")) }
    });
}

/// Stops a gateway that has some of its totals in a checkpoint in the middle of a
/// backlog.
fn stop_in_the_middle(redis: &RedisServer, gateway: &Gateway) {
    redis.push(&[ONE; 10]);
    wait_for("a first checkpoint", || {
        let version: String = redis.run(&["HGET", OWNER, "version"]);
        if version.starts_with("0-") { Err(version) } else { Ok(()) }
    });
    redis.push(&vec![ONE; BACKLOG]);
    wait_for("the backlog to be claimed and read in part", || {
        let found = gateway.try_scrape()?.value("n_total", &[]).unwrap_or(0.0);
        let claimed = redis.run::<usize>(&["EXISTS", QUEUE]) == 0;
        if claimed && found > 10.0 { Ok(()) } else { Err(format!("{found}")) }
    });
    gateway.signal("STOP");
    let lists: Vec<String> = redis.run(&["KEYS", "*:work:*"]);
    let left: usize = lists.iter().map(|list| redis.run::<usize>(&["LLEN", list])).sum();
    assert!(left > 0, "the backlog was read before it could be stopped");
}

#[test]
fn an_owner_hash_that_was_deleted_is_written_again() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    stop_in_the_middle(&redis, &gateway);
    redis.run::<()>(&["DEL", OWNER]);
    gateway.signal("CONT");
    redis.push(&[ONE; 5]);
    await_total(&gateway, BACKLOG + 15);
    let log = gateway.log().join("\n");
    assert!(log.contains("restored as it was"), "{log}");
    gateway.kill();
    await_total(&owner_of(&redis).start(), BACKLOG + 15);
}

#[test]
fn lists_that_were_not_read_outlive_owner_hash_and_state() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    stop_in_the_middle(&redis, &gateway);
    redis.run::<()>(&["DEL", OWNER, STATE]);
    gateway.signal("CONT");
    redis.push(&[ONE; 5]);
    await_total(&gateway, BACKLOG + 15);
    let log = gateway.log().join("\n");
    assert!(log.contains("writing it from memory"), "{log}");
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    await_total(&owner_of(&redis).start(), BACKLOG + 15);
}

/// Nobody knows any more what the state covers: neither is it dropped, nor are
/// totals begun at 0.
#[test]
fn without_its_owner_hash_a_state_is_left_as_it_is() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    redis.run::<()>(&["RENAME", OWNER, "a copy"]);
    let fields: usize = redis.run(&["HLEN", STATE]);
    redis.push(&[ONE]);
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert!(refused.output().contains("somebody has deleted it"), "{}", refused.output());
    assert_eq!(redis.run::<usize>(&["HLEN", STATE]), fields);
    assert_eq!(redis.run::<usize>(&["EXISTS", OWNER, FIRST_LIST]), 0);
    // Back from a copy, it goes on.
    redis.run::<()>(&["RENAME", "a copy", OWNER]);
    await_total(&owner_of(&redis).start(), 11);
}

/// Lists that no checkpoint ever covered are no less a reason.
#[test]
fn without_its_owner_hash_a_claimed_list_is_left_as_it_is() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).set("Redis__CheckpointIntervalSeconds", "3600").start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10);
    gateway.kill();
    redis.run::<()>(&["DEL", OWNER]);
    let refused = owner_of(&redis).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert_eq!(redis.run::<usize>(&["LLEN", FIRST_LIST]), 10);
    // As the message says: back onto the queue, and it counts.
    redis.run::<()>(&["RENAME", FIRST_LIST, QUEUE]);
    await_total(&owner_of(&redis).start(), 10);
}
