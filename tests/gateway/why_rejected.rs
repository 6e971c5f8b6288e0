//! `/api/v1/rejects`: whoever wonders why a sample is not there finds out.

use std::net::UdpSocket;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use psg_testkit::http::push;
use psg_testkit::process::free_port;
use psg_testkit::{Gateway, Rig};

const PATH: &str = "/api/v1/rejects";

fn report(gateway: &Gateway) -> Value {
    let answer = gateway.must_get(PATH, &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_str(&answer.text()).expect("the answer is JSON")
}

#[test]
fn the_last_refused_samples_are_explained() {
    let mut rig = Rig::start();
    assert_eq!(report(&rig.gateway)["rejects"], Value::Array(Vec::new()));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let before = now();
    rig.send(&[r#"{"name":"good"}"#, r#"{"name":"jobs_total","value":-2}"#, "{broken"]);
    let report = report(&rig.gateway);
    let rejects = report["rejects"].as_array().expect("an array");
    assert_eq!(rejects.len(), 2);
    assert_eq!(rejects[0]["reason"], "invalid_json");
    assert_eq!(rejects[0]["name"], Value::Null);
    assert_eq!(rejects[0]["detail"], "expected a string at byte 1, got b");
    assert_eq!(rejects[0]["bytes"], 7);
    assert_eq!(rejects[1]["reason"], "negative_counter");
    assert_eq!(rejects[1]["name"], "jobs_total");
    let detail = "expected a counter's value of at least 0, got a negative one";
    assert_eq!(rejects[1]["detail"], detail);
    let time = rejects[1]["time"].as_f64().expect("a number");
    assert!((before - 0.001..=now()).contains(&time), "{time}");
    assert!(rejects.iter().all(|reject| reject.get("payload").is_none()), "payloads are not shown");
}

#[test]
fn of_an_array_only_the_refused_sample_is_shown() {
    let rig = Rig::with(&[("Http__ExposePayloads", "true"), ("Metrics__MaxSeries", "1")]);
    let (bad, new) = (r#"{"name":"a","value":-1}"#, r#"{"name":"b"}"#);
    rig.redis.push(&[format!(r#"[{{"name":"a"}},{bad}, {new}]"#)]);
    rig.gateway.scrape_after(3);
    let huge = format!(r#"{{"name":"huge","pad":"{}"}}"#, "é".repeat(1_000_000));
    rig.redis.push(&[&huge]);
    rig.gateway.scrape_after(4);
    let report = report(&rig.gateway);
    let rejects = report["rejects"].as_array().expect("an array");
    let told = |field: &str| -> Vec<Value> {
        rejects.iter().map(|reject| reject[field].clone()).collect()
    };
    assert_eq!(told("reason"), ["payload_too_large", "series_limit", "negative_counter"]);
    assert_eq!(told("name"), ["huge", "b", "a"]);
    assert_eq!(told("bytes"), [huge.len(), new.len(), bad.len()]);
    let payloads = told("payload");
    assert_eq!(payloads[1..], [new, bad]);
    let head = payloads[0].as_str().expect("a text");
    assert!(huge.starts_with(head) && (509..=512).contains(&head.len()), "{}", head.len());
}

#[test]
fn the_last_256_are_kept() {
    let mut rig = Rig::with(&[("Redis__MetricQueueWorkers", "1")]);
    let bad: Vec<String> = (0..1000).map(|i| format!(r#"{{"name":"n{i}","value":-1}}"#)).collect();
    rig.send(&bad);
    let report = report(&rig.gateway);
    let names: Vec<&str> = report["rejects"]
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|reject| reject["name"].as_str())
        .collect();
    let expected: Vec<String> = (744..1000).rev().map(|i| format!("n{i}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn names_whose_samples_disagree_on_the_layout_are_told() {
    let mut rig = Rig::start();
    let histogram = |buckets: &str| {
        format!(r#"{{"type":"histogram","name":"h","value":1,"buckets":[{buckets}]}}"#)
    };
    let summary = r#"{"type":"summary","name":"s","value":1,"quantiles":[0.5],"epsilons":[0.1]}"#;
    let mut payloads = vec![histogram("1,2"), r#"{"type":"summary","name":"s","value":1}"#.into()];
    payloads.extend(vec![histogram("2,4"); 5]);
    payloads.extend(vec![histogram("1,2,3"); 15]);
    payloads.push(summary.into());
    payloads.push(histogram("1,2"));
    rig.send(&payloads);
    let report = report(&rig.gateway);
    let expected = serde_json::json!([
        {
            "name": "h", "type": "histogram", "samples": 20,
            "expected": {"buckets": [1.0, 2.0]}, "got": {"buckets": [1.0, 2.0, 3.0]},
        },
        {
            "name": "s", "type": "summary", "samples": 1,
            "expected": {"quantiles": [], "epsilons": []},
            "got": {"quantiles": [0.5], "epsilons": [0.1]},
        },
    ]);
    assert_eq!(report["layout_mismatches"], expected);
    assert_eq!(report["rejects"], Value::Array(Vec::new()), "they are no rejects");
}

#[test]
fn fields_that_nobody_reads_are_told() {
    let mut rig = Rig::with(&[("Redis__MetricQueueWorkers", "1")]);
    let shaped = |number: usize| format!(r#"{{"name":"n","value":1,"f{}":1}}"#, number % 40);
    let mut payloads: Vec<String> = (0..80).map(shaped).collect();
    payloads.push(format!(r#"{{"name":"n","value":1,"{}\n":1}}"#, "long".repeat(100)));
    payloads.insert(0, r#"{"name":"n","tpye":1,"labels":{"x":"y"}}"#.into());
    payloads.insert(0, r#"{"tpye":2}"#.into());
    let seen = rig.send(&payloads);
    let unknown = "prom_stream_gateway_unknown_fields_total";
    assert_eq!(seen.value(unknown, &[("field", "tpye")]), Some(2.0));
    assert_eq!(seen.samples(unknown).count(), 33, "names are bounded");
    assert_eq!(seen.sum(unknown), 83.0);
    assert_eq!(seen.value(unknown, &[("field", "other")]), Some(19.0));
    let report = report(&rig.gateway);
    let fields = report["unknown_fields"].as_array().expect("an array");
    assert_eq!(fields[0], serde_json::json!({"name": "other", "samples": 19}));
    assert_eq!(fields.len(), 33);
}

/// A gauge by each way in, of a name that is a counter.
#[test]
fn the_door_that_a_sample_came_by_is_told() {
    let port = free_port();
    let listen = format!("udp://127.0.0.1:{port}");
    let rig = Rig::with(&[("Push__Enabled", "true"), ("Statsd__ListenAddress", &listen)]);
    let gateway = &rig.gateway;
    // Whatever a producer says, only doors that there are can be told.
    rig.redis.push(&[r#"{"door":["no door"],"name":"x","value":1}"#]);
    gateway.scrape_after(1);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    udp.send_to(b"x:1|g", ("127.0.0.1", port)).expect("it listens");
    gateway.scrape_after(2);
    let pushed = push(gateway.port(), ("POST", "/metrics/job/a"), &[], b"# TYPE x gauge\nx 1\n");
    assert_eq!(pushed.expect("an answer").status, 202);
    gateway.scrape_after(3);
    let otlp = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"x","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#;
    let json = [("Content-Type", "application/json")];
    let pushed = push(gateway.port(), ("POST", "/v1/metrics"), &json, otlp);
    assert_eq!(pushed.expect("an answer").status, 200);
    gateway.scrape_after(4);
    rig.redis.push(&[r#"{"door":"no door","type":"gauge","name":"x","value":1}"#]);
    gateway.scrape_after(5);
    let report = report(gateway);
    let rejects = report["rejects"].as_array().expect("an array");
    let told: Vec<(&Value, &Value)> =
        rejects.iter().map(|reject| (&reject["reason"], &reject["door"])).collect();
    let doors = [Value::Null, "otlp".into(), "pushgateway".into(), "statsd".into()];
    let conflict = Value::from("type_conflict");
    assert_eq!(told, doors.each_ref().map(|door| (&conflict, door)));
    // The log has the first one of a reason.
    let is_told = |line: &String| line.contains("sample rejected") && line.contains("statsd");
    assert!(gateway.log().iter().any(is_told), "{:?}", gateway.log());
}
