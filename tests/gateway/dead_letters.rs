//! Dead letters: refused payloads go to a list, bounded, and never in the way.

use std::time::Duration;

use psg_testkit::{GatewayBuilder, RedisServer, Rig, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
const KEY: &str = "dead";
const WRITTEN: &str = "prom_stream_gateway_dead_letters_total";
const DROPPED: &str = "prom_stream_gateway_dead_letters_dropped_total";

fn letters(redis: &RedisServer) -> Vec<String> {
    redis.run(&["LRANGE", KEY, "0", "-1"])
}

fn bad(number: usize) -> String {
    format!(r#"{{"name":"n{number}","value":-1}}"#)
}

/// Waits until so many letters were written in all.
fn wait_for_letters(rig: &Rig, count: f64) {
    rig.gateway
        .scrape_until("letters to be written", |seen| seen.value(WRITTEN, &[]) == Some(count));
}

#[test]
fn refused_samples_are_kept_as_they_came_the_newest_first() {
    let rig = Rig::with(&[("Redis__DeadLetterKey", KEY)]);
    let array = format!(r#"[{{"name":"good"}}, {}, 7]"#, bad(1));
    let huge = format!(r#"{{"name":"huge","pad":"{}"}}"#, "x".repeat(2_000_000));
    rig.redis.push(&[b"{broken \xff".to_vec(), array.into_bytes(), huge.clone().into_bytes()]);
    wait_for_letters(&rig, 4.0);
    let letters: Vec<Vec<u8>> = rig.redis.run(&["LRANGE", KEY, "0", "-1"]);
    let cut = format!("{}... ({} bytes)", &huge[..512], huge.len());
    let one = bad(1);
    let expected = [cut.as_bytes(), b"7".as_slice(), one.as_bytes(), b"{broken \xff".as_slice()];
    assert_eq!(letters, expected);
}

#[test]
fn without_a_key_nothing_is_kept() {
    let mut rig = Rig::start();
    let seen = rig.send(&[bad(1)]);
    assert_eq!((seen.value(WRITTEN, &[]), seen.value(DROPPED, &[])), (Some(0.0), Some(0.0)));
    // But for the sign that the gateway is there.
    let mut keys: Vec<String> = rig.redis.run(&["KEYS", "*"]);
    keys.retain(|key| !key.ends_with(":consumers"));
    assert_eq!(keys, Vec::<String>::new());
}

#[test]
fn the_newest_are_kept_within_both_bounds_also_over_a_restart() {
    let settings = [
        ("Redis__DeadLetterKey", KEY),
        ("Redis__DeadLetterMaxLength", "100"),
        ("Redis__DeadLetterMaxBytes", "2 KiB"),
    ];
    let mut rig = Rig::with(&settings);
    rig.send(&(0..1000).map(bad).collect::<Vec<_>>());
    wait_for_letters(&rig, 1000.0);
    let expected: Vec<String> = (0..1000).rev().map(bad).take(2048 / bad(999).len()).collect();
    assert_eq!(letters(&rig.redis), expected);

    // Somebody else's letter, which the account does not know.
    rig.redis.run::<i64>(&["LPUSH", KEY, &"y".repeat(1500)]);
    let Rig { gateway, redis, .. } = rig;
    drop(gateway);
    let mut builder = GatewayBuilder::reading(&redis).set("Redis__MetricQueueWorkers", "1");
    for (name, value) in settings {
        builder = builder.set(name, value);
    }
    let gateway = builder.start();
    redis.push(&[bad(1)]);
    gateway.scrape_until("a letter", |seen| seen.value(WRITTEN, &[]) == Some(1.0));
    let kept = letters(&redis);
    let bytes: usize = kept.iter().map(String::len).sum();
    assert_eq!(kept[..2], [bad(1), "y".repeat(1500)]);
    assert!(bytes <= 2048 && bytes > 2048 - 27, "{bytes} bytes are kept");

    // Short letters are bounded by their number.
    redis.run::<i64>(&["DEL", KEY]);
    redis.push(&["7"; 300]);
    gateway.scrape_until("letters", |seen| seen.value(WRITTEN, &[]) == Some(301.0));
    assert_eq!(letters(&redis), vec!["7"; 100]);
}

#[test]
fn a_list_that_can_t_be_written_is_in_nobody_s_way() {
    let mut rig = Rig::with(&[("Redis__DeadLetterKey", KEY)]);
    rig.redis.run::<String>(&["SET", KEY, "no list"]);
    let mut payloads: Vec<String> = (0..500).map(bad).collect();
    payloads.push(r#"{"name":"good"}"#.into());
    rig.send(&payloads);
    rig.gateway.scrape_until("the letters to be dropped", |seen| {
        seen.value(DROPPED, &[]) == Some(500.0) && seen.value("good", &[]) == Some(0.0)
    });
    rig.redis.run::<i64>(&["DEL", KEY]);
    rig.send(&[bad(1)]);
    wait_for_letters(&rig, 1.0);
    assert_eq!(letters(&rig.redis), [bad(1)]);
}

#[test]
fn letters_find_a_redis_that_was_away() {
    let mut rig = Rig::with(&[("Redis__DeadLetterKey", KEY)]);
    rig.send(&[bad(1)]);
    wait_for_letters(&rig, 1.0);
    rig.redis.go_down();
    rig.redis.go_up();
    rig.send(&[bad(2)]);
    wait_for_letters(&rig, 2.0);
    assert_eq!(letters(&rig.redis), [bad(2)], "the list went with its server");
}

#[test]
fn letters_are_written_before_the_end() {
    let rig = Rig::with(&[("Redis__DeadLetterKey", KEY)]);
    rig.redis.push(&(0..2000).map(bad).collect::<Vec<_>>());
    rig.gateway.scrape_after(2000);
    let Rig { mut gateway, redis, .. } = rig;
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(PATIENCE).code(), Some(0));
    assert_eq!(letters(&redis).len(), 2000);
}

/// They are known after the readers have ended.
#[test]
fn letters_of_what_series_refuse_are_written_before_the_end() {
    let rig = Rig::with(&[("Redis__DeadLetterKey", KEY)]);
    let big = r#"{"type":"histogram","name":"h","value":1.7e308,"buckets":[1,2,3,4,5,6,7,8]}"#;
    rig.redis.push(&vec![big; 3001]);
    let Rig { mut gateway, redis, .. } = rig;
    wait_until("the queue to be taken", || redis.pending() == 0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(PATIENCE).code(), Some(0));
    assert_eq!(letters(&redis).len(), 3000);
}

/// One message to a shard may have more of them than are kept.
#[test]
fn what_is_refused_beyond_what_is_kept_is_counted() {
    let rig = Rig::with(&[("Redis__DeadLetterKey", KEY), ("Redis__DeadLetterMaxLength", "50000")]);
    let big = r#"{"type":"histogram","name":"h","value":1.7e308,"buckets":[1]}"#;
    rig.redis.push(&[format!("[{}]", vec![big; 9001].join(","))]);
    let seen = rig.gateway.scrape_until("letters to be written or dropped", |seen| {
        let (written, dropped) = (seen.value(WRITTEN, &[]), seen.value(DROPPED, &[]));
        written.zip(dropped).is_some_and(|(written, dropped)| written + dropped == 9000.0)
    });
    assert_eq!((seen.totals(), seen.rejected("non_finite")), ((1, 9000), 9000));
    assert_eq!(seen.value(DROPPED, &[]), Some(9000.0 - 4096.0));
    assert_eq!(letters(&rig.redis).len(), 4096);
}
