//! How many gateways are on a queue: by the signs of life beside it.

use std::time::Duration;

use psg_testkit::{Exposition, GatewayBuilder, RedisServer, wait_until};

const SIGNS: &str = "{prom-stream-gateway:metric-queue}:consumers";

fn consumers(seen: &Exposition, delivery: &str) -> Option<f64> {
    let labels = [("queueKey", "prom-stream-gateway:metric-queue"), ("delivery", delivery)];
    seen.value("prom_stream_gateway_redis_queue_consumers", &labels)
}

#[test]
fn each_counts_all_until_they_leave() {
    let redis = RedisServer::start();
    // One that ended without a word, long ago.
    redis.run::<()>(&["ZADD", SIGNS, "1000", "at-most-once host 1 0"]);
    let first = GatewayBuilder::reading(&redis).start();
    first.scrape_until("one consumer", |seen| consumers(seen, "at-most-once") == Some(1.0));
    let mut second = GatewayBuilder::reading(&redis).start();
    for gateway in [&first, &second] {
        gateway.scrape_until("two consumers", |seen| consumers(seen, "at-most-once") == Some(2.0));
    }
    second.signal("TERM");
    assert_eq!(second.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    assert_eq!(redis.run::<Vec<String>>(&["ZRANGE", SIGNS, "0", "-1"]).len(), 1);
    first.scrape_until("one again", |seen| consumers(seen, "at-most-once") == Some(1.0));
    let expiry: i64 = redis.run(&["TTL", SIGNS]);
    assert!((1..=60).contains(&expiry), "nothing stays behind for ever: {expiry}");
}

#[test]
fn a_standby_counts_too() {
    let redis = RedisServer::start();
    let builder = || GatewayBuilder::reading(&redis).set("Redis__Delivery", "exactly-once");
    let owner = builder().start();
    let standby = builder().start_unready();
    owner.scrape_until("both", |seen| consumers(seen, "exactly-once") == Some(2.0));
    let status = owner.must_get("/api/v1/status", &[]).text();
    assert!(status.contains(r#""consumers":2"#), "{status}");
    standby.scrape_until("both", |seen| consumers(seen, "exactly-once") == Some(2.0));
    // What tells a job whose gateways all stand by from one that has an owner.
    let shows = |seen: &Exposition| {
        let of_the_queue = [("queueKey", "prom-stream-gateway:metric-queue")];
        seen.value("prom_stream_gateway_shows_totals", &of_the_queue)
    };
    owner.scrape_until("the totals", |seen| shows(seen) == Some(1.0));
    standby.scrape_until("no totals", |seen| shows(seen) == Some(0.0));
}

#[test]
fn without_the_right_it_is_left_out_and_nothing_is_said() {
    let redis = RedisServer::start();
    let rights = "ACL SETUSER few on >pass ~prom-stream-gateway:metric-queue \
                  +rpop +llen +blmove +role +client|setname";
    redis.run::<()>(&rights.split_whitespace().collect::<Vec<_>>());
    let connection = format!("{},user=few,password=pass", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start();
    wait_until("the sign to be refused", || {
        let counts: String = redis.run(&["INFO", "commandstats"]);
        let time = counts.lines().find(|line| line.starts_with("cmdstat_time:"));
        time.is_some_and(|line| line.contains("rejected_calls=1"))
    });
    redis.push(&[r#"{"name":"a"}"#]);
    let seen = gateway.scrape_after(1);
    assert_eq!(consumers(&seen, "at-most-once"), None);
    assert_eq!(seen.sum("prom_stream_gateway_redis_errors_total"), 0.0);
    let log = gateway.log().join("\n");
    assert!(!log.contains("WARN"), "{log}");
}
