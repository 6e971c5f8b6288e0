//! `/api/v1/status`: it agrees with `/metrics` and keeps secrets.

use serde_json::Value;

use psg_testkit::redis::QUEUE;
use psg_testkit::wait::wait_for;
use psg_testkit::{Gateway, GatewayBuilder, RedisOptions, RedisServer, Rig};

fn status(gateway: &Gateway) -> Value {
    let reply = gateway.must_get("/api/v1/status", &[]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    serde_json::from_str(&reply.text()).expect("JSON")
}

fn status_until(gateway: &Gateway, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let status = status(gateway);
        if condition(&status) { Ok(status) } else { Err(status.to_string()) }
    })
}

fn sum(numbers: &Value) -> f64 {
    numbers.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number")).sum()
}

#[test]
fn it_counts_what_was_sent() {
    let mut rig = Rig::with(&[("Shards__Count", "2"), ("Metrics__MaxSeries", "5000")]);
    let mut payloads: Vec<String> = (0..30)
        .map(|i| {
            let kind = ["counter", "gauge", "histogram"][i % 3];
            format!(
                r#"{{"type":"{kind}","name":"{kind}","value":1,"buckets":[1],"labels":{{"i":{i}}}}}"#
            )
        })
        .collect();
    payloads.extend(
        ["{broken", "{broken", "[]", r#"{"name":"counter","labels":{"i":"x"}}"#].map(String::from),
    );
    rig.send(&payloads);
    let status = status_until(&rig.gateway, "31 series", |s| s["series"]["total"] == 31);

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["unready"], Value::Null);
    assert_eq!(status["samples"]["processed"], 31);
    assert_eq!(status["samples"]["rejected"], 3);
    assert_eq!(status["series"]["limit"], 5000);
    assert_eq!(status["series"]["metrics"], 3);
    assert_eq!(status["series"]["expired"], 0);
    assert_eq!(
        status["series"]["by_type"],
        serde_json::json!({"counter": 11, "gauge": 10, "histogram": 10, "summary": 0})
    );
    let shards = status["shards"].as_array().expect("a list");
    let of_shards: u64 = shards.iter().map(|shard| shard["series"].as_u64().expect("one")).sum();
    assert_eq!((shards.len(), of_shards), (2, 31));
    assert_eq!(status["rejects"][0]["reason"], "invalid_json");
    assert_eq!(status["rejects"][0]["total"], 2);
    assert_eq!(status["rejects"][0]["last_minute"], 2);
    assert_eq!(status["rejects"][1]["reason"], "not_a_sample");
    assert_eq!(status["rejects"].as_array().map(Vec::len), Some(2));
    assert!(status["process"]["resident_bytes"].as_u64() > Some(1_000_000));
    let paths: Vec<&Value> =
        status["endpoints"].as_array().expect("a list").iter().map(|e| &e["path"]).collect();
    assert!(paths.contains(&&Value::from("/metrics")), "{paths:?}");
}

#[test]
fn the_metrics_with_the_most_series_come_first() {
    let mut rig = Rig::start();
    let series = |name: &str, count: usize| -> Vec<String> {
        (0..count).map(|i| format!(r#"{{"name":"{name}","labels":{{"i":{i}}}}}"#)).collect()
    };
    rig.send(&[series("few", 2), series("many", 7), series("some", 4)].concat());
    // It looks at the families once a second at most.
    let status = status_until(&rig.gateway, "three metrics", |status| {
        status["top_metrics"].as_array().is_some_and(|top| top.len() == 3)
    });
    let top: Vec<(&str, u64)> = status["top_metrics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| (m["name"].as_str().expect("a name"), m["series"].as_u64().expect("a number")))
        .collect();
    assert_eq!(top, [("many", 7), ("some", 4), ("few", 2)]);
}

#[test]
fn the_history_adds_up_to_what_was_sent() {
    let mut rig = Rig::start();
    rig.send(&vec![r#"{"name":"a"}"#; 500]);
    let status = status_until(&rig.gateway, "the samples in the history", |status| {
        sum(&status["history"]["processed"]) > 0.0
    });
    // A point is at least a second long, so that the sum is at most what was sent.
    let seen = sum(&status["history"]["processed"]);
    assert!(seen <= 501.0, "{seen} of 500");
    assert!(status["samples"]["last_minute"]["processed"].as_f64() > Some(0.0));
    assert!(status["samples"]["last_10_seconds"]["received"].as_f64() > Some(0.0));
}

#[test]
fn the_backlog_is_seen_while_nothing_is_taken() {
    let redis = RedisServer::start();
    redis.run::<()>(&"ACL SETUSER watcher on nopass ~* +llen".split(' ').collect::<Vec<_>>());
    redis.push(&["{}"; 7]);
    let connection = format!("{},user=watcher,password=any", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start_unready();
    let status = status_until(&gateway, "a backlog of 7 in the history", |status| {
        let pending = status["history"]["pending"].as_array().expect("a list");
        pending.last().is_some_and(|last| *last == 7)
    });
    assert_eq!(status["queue"]["pending"], 7);
    assert!(status["unready"].is_string(), "{status}");
}

#[test]
fn the_lag_is_told_where_samples_have_timestamps() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"a"}"#]);
    assert_eq!(status(&rig.gateway)["queue"]["lag_seconds"], Value::Null);
    rig.send(&[r#"{"name":"a","timestamp":1700000000}"#]);
    status_until(&rig.gateway, "no lag, since nothing waits", |status| {
        status["queue"]["lag_seconds"] == 0.0
    });
}

#[test]
fn trouble_with_redis_is_told() {
    let mut rig = Rig::start();
    assert_eq!(status(&rig.gateway)["queue"]["up"], true);
    rig.redis.go_down();
    let status = status_until(&rig.gateway, "redis to be missed", |s| s["queue"]["up"] == false);
    assert!(status["unready"].is_string(), "{status}");
    assert_eq!(status["queue"]["trouble"], "redis is not reachable");
    let errors = status["queue"]["errors"]["connection"].as_u64();
    assert!(errors > Some(0), "{status}");
    rig.redis.go_up();
    status_until(&rig.gateway, "redis to be back", |s| s["queue"]["trouble"].is_null());
}

#[test]
fn a_wrong_password_is_not_an_unreachable_redis() {
    let redis = RedisServer::with(RedisOptions { password: Some("right"), ..Default::default() });
    let connection = format!("{},password=wrong", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start_unready();
    status_until(&gateway, "the login to be refused", |status| {
        status["queue"]["trouble"] == "redis refuses the login"
    });
}

#[test]
fn partitions_are_told() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let rig = Rig::start();
    assert_eq!(status(&rig.gateway)["partitions"], Value::Null, "it has none");
    let gateway = || {
        GatewayBuilder::reading(&redis)
            .set("Redis__Delivery", "exactly-once")
            .set("Redis__MetricQueuePartitions", "2")
            .start_unready()
    };
    let gateway = gateway();
    let seen = status_until(&gateway, "an intake and a home", |status| {
        status["partitions"]["intake"].is_u64() && status["partitions"]["home"].is_u64()
    });
    let (intake, home) = (&seen["partitions"]["intake"], seen["partitions"]["home"].as_u64());
    assert_eq!(seen["partitions"]["count"], 2);
    let key = format!("{QUEUE}{}", if *intake == 0 { "" } else { ":1" });
    let payloads: Vec<String> = (0..50).map(|i| format!(r#"{{"name":"n{i}"}}"#)).collect();
    redis.push_to(0, &key, &payloads);
    let seen = status_until(&gateway, "all to be delivered", |status| {
        let homes = status["partitions"]["homes"].as_array().expect("a list");
        homes.iter().filter_map(|home| home["delivered"].as_u64()).sum::<u64>() == 50
    });
    assert_eq!(seen["partitions"]["forwarded"], 50);
    let homes = seen["partitions"]["homes"].as_array().expect("a list");
    assert_eq!(homes.len(), 2);
    assert!(homes.iter().all(|home| home["entered"] == true), "{seen}");
    let shown = home.and_then(|home| homes.get(home as usize)).expect("one of them");
    let delivered = shown["delivered"].as_u64().expect("a number");
    assert!((1..50).contains(&delivered), "by name: {seen}");
    status_until(&gateway, "its own part to show", |status| {
        status["series"]["total"].as_u64() == Some(delivered)
    });
}

#[test]
fn scrapes_are_told() {
    let rig = Rig::start();
    rig.gateway.scrape();
    let status = status(&rig.gateway);
    assert!(status["scrapes"]["total"].as_u64() > Some(0), "{status}");
    assert!(status["scrapes"]["last_bytes"].as_u64() > Some(1000), "{status}");
    assert!(status["scrapes"]["last_seconds"].as_f64() > Some(0.0), "{status}");
    assert!(status["scrapes"]["last_seconds_ago"].is_number(), "{status}");
}

#[test]
fn settings_are_shown_without_secrets() {
    let connection = "localhost:1,user=me,password=hunter2";
    let gateway = GatewayBuilder::connecting(connection).set("Shards__Count", "3").start_unready();
    let text = gateway.must_get("/api/v1/status", &[]).text();
    assert!(!text.contains("hunter2"), "{text}");
    let status = status(&gateway);
    let settings = status["settings"].as_array().expect("a list");
    let setting = |name: &str| settings.iter().find(|setting| setting["name"] == name);
    let shards = setting("Shards.Count").expect("it is built");
    assert_eq!((&shards["value"], &shards["origin"]), (&"3".into(), &"environment".into()));
    assert_eq!(setting("Metrics.MaxLabels").expect("it is built")["origin"], "default");
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(3));
    assert_eq!(status["queue"]["address"], "localhost:1");
    assert_eq!(status["queue"]["source"], "redis");
}

#[test]
fn it_is_compressed_where_that_is_asked_for() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let reply = gateway.must_get("/api/v1/status", &[("Accept-Encoding", "gzip")]);
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(serde_json::from_str::<Value>(&reply.text()).is_ok());
}
