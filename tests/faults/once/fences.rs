//! The scripts of exactly-once delivery, one by one against a real Redis: what
//! each compares is what it refuses for, and what is refused changes nothing.

use std::fs;

use super::{OWNER, STATE, WORK, persistent};
use psg_testkit::RedisServer;
use psg_testkit::redis::QUEUE;

/// A script as its owner calls it, and what it compares.
struct Fenced {
    name: &'static str,
    keys: &'static [&'static str],
    arguments: &'static [&'static str],
    /// Which argument, and the word that refuses another one.
    compares: &'static [(usize, &'static str)],
}

const LIST_7: &str = "{prom-stream-gateway:metric-queue}:work:7";
const LIST_8: &str = "{prom-stream-gateway:metric-queue}:work:8";

const FENCED: &[Fenced] = &[
    Fenced {
        name: "renew",
        keys: &[OWNER],
        arguments: &["5", "token", "10000"],
        compares: &[(0, "lost"), (1, "lost")],
    },
    Fenced {
        name: "acquire",
        keys: &[OWNER, STATE, LIST_7],
        arguments: &["5", "token", "1", "6", "heir", "10000", "n", "", "0", "epoch", "token"],
        compares: &[(0, "lost"), (1, "lost"), (2, "lost")],
    },
    Fenced {
        name: "claim",
        keys: &[OWNER, QUEUE, LIST_8],
        arguments: &["5", "token", "7-b", "8-d"],
        compares: &[(0, "lost"), (1, "lost"), (2, "moved")],
    },
    Fenced {
        name: "stage",
        keys: &[OWNER, STATE],
        arguments: &["5", "token", "3-a", "2:4-c", "bytes"],
        compares: &[(0, "lost"), (1, "lost"), (2, "moved")],
    },
    Fenced {
        name: "commit",
        keys: &[OWNER, STATE],
        arguments: &[
            "5", "token", "3-a", "4-c", "index", "7:2", WORK, "6", "1", "7", "0", "head", "",
            "1:4-c",
        ],
        compares: &[(0, "lost"), (1, "lost"), (2, "moved"), (13, "missing")],
    },
    Fenced {
        name: "sweep",
        keys: &[OWNER, STATE],
        arguments: &["5", "token", "3-a", "1:2-z"],
        compares: &[(0, "lost"), (1, "lost"), (2, "moved")],
    },
    Fenced {
        name: "release",
        keys: &[OWNER],
        arguments: &["5", "token"],
        compares: &[(0, "lost"), (1, "lost")],
    },
    Fenced {
        name: "lengths",
        keys: &[OWNER],
        arguments: &["5", "token", WORK, "6", "2"],
        compares: &[(0, "lost"), (1, "lost")],
    },
];

/// What an owner left: version 3 is in force, version 4 is staged, lists 6 and 7
/// are claimed, the queue has elements.
fn prepared() -> RedisServer {
    let redis = persistent();
    let set = |words: &[&str]| redis.run::<()>(words);
    set(&["HSET", OWNER, "format", "1", "epoch", "5", "token", "token", "deadline", "1"]);
    set(&["HSET", OWNER, "version", "3-a", "tip", "7-b", "base", "6:0", "index", "old"]);
    set(&["HSET", STATE, "1:2-z", "replaced", "1:3-a", "in force", "1:4-c", "staged"]);
    set(&["LPUSH", &format!("{WORK}6"), "a", "b"]);
    set(&["LPUSH", LIST_7, "c", "d", "e"]);
    set(&["LPUSH", QUEUE, "f", "g"]);
    set(&["EXPIRE", QUEUE, "1000"]);
    redis
}

/// The text as it is now, so that it may be another one than this test was
/// built with.
fn script(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/actors/src/source/redis/once");
    let read = |file: &str| fs::read_to_string(format!("{folder}/{file}")).expect("it is there");
    let table = read("scripts.rs");
    let row = table.lines().find(|line| line.ends_with(&format!("\"{name}\";")));
    let mut words = row.expect("a row of the table of scripts").split('"').skip(1).step_by(2);
    let flags = words.next().unwrap_or_default();
    let parts = words.map(|part| read(&format!("scripts/{part}.lua")));
    format!("#!lua flags={flags}\n") + &parts.collect::<String>()
}

fn call(redis: &RedisServer, fenced: &Fenced, arguments: &[&str]) -> Vec<String> {
    let (text, count) = (script(fenced.name), fenced.keys.len().to_string());
    let words = [&["EVAL", &text, &count], fenced.keys, arguments].concat();
    redis.run(&words)
}

/// Everything that Redis holds, in an order.
fn everything(redis: &RedisServer) -> Vec<(String, i64, String)> {
    let mut keys: Vec<String> = redis.run(&["KEYS", "*"]);
    keys.sort();
    let of = |key: String| {
        let kind: String = redis.run(&["TYPE", &key]);
        let mut content: Vec<String> = match &*kind {
            "hash" => redis.run(&["HGETALL", &key]),
            "list" => redis.run(&["LRANGE", &key, "0", "-1"]),
            _ => vec![kind],
        };
        if key.ends_with(":owner") {
            let mut fields: Vec<String> = content.chunks(2).map(|pair| pair.join("=")).collect();
            fields.sort();
            content = fields;
        }
        let has_expiry = redis.run::<i64>(&["TTL", &key]).min(0);
        (key, has_expiry, content.join(" "))
    };
    keys.into_iter().map(of).collect()
}

#[test]
fn what_is_compared_refuses_and_what_is_refused_changes_nothing() {
    for fenced in FENCED {
        let redis = prepared();
        let before = everything(&redis);
        for (at, word) in fenced.compares {
            for other in ["4", "6", "other", "3-other", ""] {
                let mut arguments = fenced.arguments.to_vec();
                arguments[*at] = other;
                let reply = call(&redis, fenced, &arguments);
                let what = format!("{} with {other:?} for {}", fenced.name, fenced.arguments[*at]);
                assert_eq!(reply[0], *word, "{what}");
                assert_eq!(everything(&redis), before, "{what}");
            }
        }
        assert_eq!(call(&redis, fenced, fenced.arguments)[0], "ok", "{}", fenced.name);
        if fenced.name != "lengths" {
            assert_ne!(everything(&redis), before, "{}", fenced.name);
        }
    }
}

fn called(name: &str) -> RedisServer {
    let redis = prepared();
    let fenced = FENCED.iter().find(|fenced| fenced.name == name).expect("it is in the table");
    assert_eq!(call(&redis, fenced, fenced.arguments)[0], "ok");
    redis
}

#[test]
fn a_commit_makes_the_state_valid_and_lets_go_of_what_it_covers_at_once() {
    let redis = called("commit");
    let record: Vec<String> = redis.run(&["HMGET", OWNER, "version", "index", "base", "head"]);
    assert_eq!(record, ["4-c", "index", "7:2", "head"]);
    assert_eq!(redis.run::<u32>(&["EXISTS", &format!("{WORK}6")]), 0, "covered whole");
    assert_eq!(redis.run::<Vec<String>>(&["LRANGE", LIST_7, "0", "-1"]), ["e"], "covered in part");
}

/// What a script counts over is bounded: one that never ends can't be stopped,
/// and Redis neither.
#[test]
fn a_range_without_an_end_is_refused_before_anything_is_written() {
    let redis = prepared();
    let before = everything(&redis);
    for (name, at) in [("commit", 8), ("lengths", 4)] {
        let fenced = FENCED.iter().find(|fenced| fenced.name == name).expect("it is in the table");
        for count in ["1000001", "9007199254740993", "1e308", "inf", "none"] {
            let mut arguments = fenced.arguments.to_vec();
            arguments[at] = count;
            let (text, keys) = (script(name), fenced.keys.len().to_string());
            let words = [&["EVAL", &text, &keys], fenced.keys, &arguments].concat();
            let refused = redis.try_run::<Vec<String>>(&words).is_err();
            assert!(refused, "{name} {count}");
            assert_eq!(everything(&redis), before, "{name} {count}");
        }
    }
}

#[test]
fn a_claim_sets_the_whole_queue_aside_for_good() {
    let redis = called("claim");
    assert_eq!(redis.pending(), 0);
    assert_eq!(redis.run::<Vec<String>>(&["LRANGE", LIST_8, "0", "-1"]), ["g", "f"]);
    assert_eq!(redis.run::<i64>(&["TTL", LIST_8]), -1, "producers' expiry is taken away");
    assert_eq!(redis.run::<String>(&["HGET", OWNER, "tip"]), "8-d");
}
