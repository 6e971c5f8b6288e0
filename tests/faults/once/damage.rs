//! Exactly-once delivery on a record that somebody else has written into, and on
//! one that had to be begun anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ONE, OWNER, STATE, await_checkpoint, await_total, owner_of, persistent};
use psg_testkit::{RedisServer, wait_for, wait_until};

/// What no gateway writes: a field, and what stands there; nothing where it was
/// deleted.
const DAMAGE: [(&str, Option<&str>); 16] = [
    ("epoch", Some("inf")),
    ("epoch", Some("1e308")),
    ("epoch", Some("-5")),
    ("epoch", Some("18446744073709551615")),
    ("epoch", None),
    ("deadline", Some("1e308")),
    ("version", Some("9007199254740993-a")),
    ("tip", Some("1000000000000-a")),
    ("tip", Some("18446744073709551615-a")),
    // Redis could be stopped by SIGKILL alone while a script counted from there.
    ("base", Some("18446744073709551615:0")),
    ("base", Some("9007199254740996:0")),
    ("base", Some("5:1")),
    ("index", None),
    // As if there were no segments: they would be swept.
    ("index", Some("")),
    ("head", None),
    ("head", Some("damaged")),
];

fn record(redis: &RedisServer) -> BTreeMap<String, Vec<u8>> {
    redis.run(&["HGETALL", OWNER])
}

fn damage(redis: &RedisServer, (field, value): (&str, Option<&str>)) {
    match value {
        Some(value) => redis.run::<()>(&["HSET", OWNER, field, value]),
        None => redis.run::<()>(&["HDEL", OWNER, field]),
    }
}

#[test]
fn a_record_that_no_gateway_wrote_ends_the_start_and_stays_as_it_is() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    redis.run::<()>(&["COPY", OWNER, "sound"]);
    let state: BTreeMap<String, Vec<u8>> = redis.run(&["HGETALL", STATE]);
    for what in DAMAGE {
        damage(&redis, what);
        let before = record(&redis);
        let refused = owner_of(&redis).finish();
        assert_eq!(refused.code(), 1, "{what:?}: {}", refused.output());
        let said = refused.output();
        assert!(said.contains("the state in redis is left as it is"), "{what:?}: {said}");
        if what == ("index", Some("")) {
            // That is seen in the state only, which is read under an epoch of its own.
            assert_eq!(record(&redis)["index"], b"");
        } else {
            assert_eq!(record(&redis), before, "{what:?}");
        }
        redis.run::<()>(&["COPY", "sound", OWNER, "REPLACE"]);
    }
    assert_eq!(redis.run::<BTreeMap<String, Vec<u8>>>(&["HGETALL", STATE]), state);
    redis.push(&[ONE]);
    await_total(&owner_of(&redis).start(), 11.0);
}

#[test]
fn a_record_that_is_damaged_while_it_is_held_is_put_back() {
    let redis = persistent();
    let mut gateway = owner_of(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    await_checkpoint(&redis);
    let known = record(&redis);
    for what in DAMAGE {
        damage(&redis, what);
        // What no answer shows is seen by the next connection.
        redis.run::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        wait_for("the record to be as it was", || {
            let mut now = record(&redis);
            let number = |value: Option<Vec<u8>>| {
                String::from_utf8(value.unwrap_or_default()).ok()?.parse::<u64>().ok()
            };
            let (epoch, deadline) = (number(now.remove("epoch")), number(now.remove("deadline")));
            let is_sound = epoch.is_some_and(|epoch| epoch < 1 << 52) && deadline.is_some();
            let same = now.iter().all(|(field, value)| known.get(field) == Some(value));
            let whole = now.len() + 2 == known.len();
            if is_sound && same && whole { Ok(()) } else { Err(format!("{what:?}: {now:?}")) }
        });
    }
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
    await_checkpoint(&redis);
    // Without a cut, too: the renewal tells.
    redis.run::<()>(&["HDEL", OWNER, "index", "head"]);
    wait_until("index and head to be put back", || {
        record(&redis).contains_key("index") && record(&redis).contains_key("head")
    });
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    await_total(&owner_of(&redis).start(), 11.0);
}

/// A reload would find nothing of what was read before that.
#[test]
fn nothing_is_read_before_the_first_checkpoint_of_a_record_that_was_begun_anew() {
    let mut redis = RedisServer::start();
    let gateway = owner_of(&redis).start();
    redis.push(&[ONE; 1000]);
    await_total(&gateway, 1000.0);
    await_checkpoint(&redis);
    gateway.signal("STOP");
    redis.go_down();
    redis.go_up();
    // So that no checkpoint can be written.
    redis.run::<()>(&["SET", STATE, "a text"]);
    redis.push(&[ONE; 10]);
    gateway.signal("CONT");
    wait_until("the record to be begun anew", || redis.run::<u32>(&["EXISTS", OWNER]) == 1);
    wait_for("checkpoints to be tried", || {
        let stats: String = redis.run(&["INFO", "commandstats"]);
        let eval = stats.lines().find(|line| line.starts_with("cmdstat_eval:")).unwrap_or_default();
        let failed = eval.rsplit("failed_calls=").next().and_then(|count| count.parse().ok());
        if failed.is_some_and(|failed: u32| failed >= 2) { Ok(()) } else { Err(stats) }
    });
    assert_eq!(redis.pending(), 10, "they wait where they are safe");
    redis.run::<()>(&["DEL", STATE]);
    await_total(&gateway, 1010.0);
}

/// By its token it is known to have run here, and to run no longer.
#[test]
fn a_restart_after_a_kill_does_not_wait_for_the_lease_of_the_process_that_is_gone() {
    let redis = persistent();
    let builder = || owner_of(&redis).set("Redis__LeaseSeconds", "600");
    let mut gateway = builder().start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    gateway.kill();
    redis.push(&[ONE]);
    await_total(&builder().start(), 11.0);
}

#[test]
fn a_standby_says_that_it_stands_by_and_not_that_it_takes() {
    let redis = persistent();
    let builder = || owner_of(&redis).set("Redis__LeaseSeconds", "600");
    let owner = builder().start();
    // One that does not answer is there all the same.
    owner.signal("STOP");
    let standby = builder().start_unready();
    wait_for("a word that it stands by", || {
        let log = standby.log().join("\n");
        if log.contains("standing by: another gateway owns the queue") { Ok(()) } else { Err(log) }
    });
    let log = standby.log().join("\n");
    assert!(!log.contains("taking from redis"), "{log}");
    let ready = standby.must_get("/-/ready", &[]);
    assert!(ready.text().contains("standby: another gateway owns the queue"), "{}", ready.text());
}

/// Elements whose size nobody could expect, behind many small ones: they are held
/// no more than those of at-most-once delivery, also by the start that finds
/// them.
#[test]
fn large_elements_behind_small_ones_do_not_fill_the_memory() {
    let redis = persistent();
    let large = format!(r#"{{"name":"n_total","value":1,"pad":"{}"}}"#, "x".repeat(120_000));
    let mut gateway = owner_of(&redis).start();
    redis.push(&vec![ONE; 5000]);
    await_total(&gateway, 5000.0);
    let before = gateway.peak_memory();
    let push = |small: usize, count: usize| {
        redis.push_to(0, "aside", &vec![ONE; small]);
        for _ in 0..count / 100 {
            redis.push_to(0, "aside", &vec![&large; 100]);
        }
    };
    push(5000, 600);
    redis.run::<()>(&["RENAME", "aside", psg_testkit::redis::QUEUE]);
    await_total(&gateway, 10_600.0);
    let grown = gateway.peak_memory() - before;
    assert!(grown < 24 << 20, "{} MiB more for 72 MB of elements", grown >> 20);
    await_checkpoint(&redis);
    gateway.kill();
    push(5000, 600);
    redis.run::<()>(&["RENAME", "aside", psg_testkit::redis::QUEUE]);
    let again = owner_of(&redis).start();
    await_total(&again, 16_200.0);
    let peak = again.peak_memory();
    assert!(peak < before + (24 << 20), "{} MiB at a start, {} before", peak >> 20, before >> 20);
}
