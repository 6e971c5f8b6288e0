//! Who has how much, and how an operator gets rid of it.

use serde_json::Value;

use psg_testkit::{Rig, wait_for};

#[test]
fn cardinality_tells_metrics_and_labels() {
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    let mut payloads = samples("many", 0..3000);
    payloads.extend(samples("few", 0..7));
    rig.send(&payloads);
    let reply = rig.gateway.must_get("/api/v1/cardinality", &[]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let found: Value = serde_json::from_str(&reply.text()).expect("JSON");
    assert_eq!((&found["series"], &found["families"]), (&3007.into(), &2.into()));
    assert_eq!(found["metrics"][0]["name"], "many");
    assert_eq!(found["metrics"][0]["series"], 3000);
    assert_eq!(found["metrics"][1], serde_json::json!({"name":"few","type":"counter","series":7}));
    let (id, parity) = (&found["labels"][0], &found["labels"][1]);
    assert_eq!((&id["name"], &id["exact"]), (&"id".into(), &false.into()));
    let values = id["values"].as_f64().expect("a number");
    assert!((values - 3000.0).abs() < 150.0, "{values}");
    let expected = serde_json::json!({"name":"parity","values":2,"exact":true,"series":3007});
    assert_eq!(*parity, expected);
}

#[test]
fn a_metric_can_be_removed() {
    let mut rig = Rig::with(&[("Http__EnableAdmin", "true"), ("Shards__Count", "2")]);
    rig.send(&samples("bad", 0..500));
    rig.send(&samples("good", 0..5));
    let reply = rig.gateway.delete("/api/v1/metrics/bad");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let removed: Value = serde_json::from_str(&reply.text()).expect("JSON");
    assert_eq!(removed, serde_json::json!({"name":"bad","series":500,"tombstones":0}));
    let seen = rig.gateway.scrape();
    assert!(seen.family("bad").is_none());
    assert_eq!(seen.samples("good").count(), 5);
    // What comes afterwards is new, of whatever type.
    let seen = rig.send(&[r#"{"type":"gauge","name":"bad","value":3,"labels":{"id":"1"}}"#]);
    assert_eq!(seen.value("bad", &[("id", "1")]), Some(3.0));
    assert_eq!(seen.totals().1, 0);
    wait_for("places to be given back", || {
        let found = rig.gateway.must_get("/api/v1/cardinality", &[]).text();
        let found: Value = serde_json::from_str(&found).map_err(|error| error.to_string())?;
        if found["series"] == 6 { Ok(()) } else { Err(found.to_string()) }
    });
    assert_eq!(rig.gateway.delete("/api/v1/metrics/bad").status, 200);
    assert_eq!(rig.gateway.delete("/api/v1/metrics/bad").status, 404);
    assert_eq!(rig.gateway.must_get("/api/v1/metrics/good", &[]).status, 405);
}

#[test]
fn nothing_can_be_removed_unless_that_is_enabled() {
    let mut rig = Rig::start();
    rig.send(&samples("counter", 0..1));
    assert_eq!(rig.gateway.delete("/api/v1/metrics/counter").status, 403);
    assert!(rig.gateway.scrape().family("counter").is_some());
}

fn samples(name: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    let sample = |number| {
        let parity = number % 2;
        format!(
            r#"{{"name":"{name}","type":"counter","value":1,"labels":{{"id":"{number}","parity":"{parity}"}}}}"#
        )
    };
    numbers.map(sample).collect()
}
