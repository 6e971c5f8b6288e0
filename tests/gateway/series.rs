//! `/api/v1/series`: what is found, how it is bounded, and when nothing is told.

use serde_json::{Value, json};

use psg_testkit::{Gateway, GatewayBuilder, RedisOptions, RedisServer, Rig, wait_for};

fn search(gateway: &Gateway, query: &str) -> Value {
    let reply = gateway.must_get(&format!("/api/v1/series?{query}"), &[]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    serde_json::from_str(&reply.text()).expect("JSON")
}

/// The series without what depends on the time.
fn series(found: &Value) -> Vec<Value> {
    let mut series = found["series"].as_array().expect("a list").clone();
    for one in &mut series {
        let idle = one.as_object_mut().expect("an object").remove("idle_seconds");
        assert!(
            idle.and_then(|idle| idle.as_f64()).is_some_and(|idle| (0.0..60.0).contains(&idle))
        );
    }
    series
}

#[test]
fn series_are_shown_with_what_they_hold() {
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    rig.send(&[
        r#"{"name":"jobs_total","help":"Jobs.","value":2,"labels":{"queue":"mail","path":"a\\b\"c\nd"}}"#,
        r#"{"name":"jobs_total","value":0.5,"labels":{"queue":"web"}}"#,
        r#"{"type":"gauge","name":"jobs_open","value":-3}"#,
        r#"{"type":"histogram","name":"job_seconds","value":1.5,"buckets":[1,2]}"#,
        r#"{"type":"summary","name":"job_bytes","value":7,"quantiles":[0.5],"epsilons":[0.05]}"#,
        r#"{"type":"histogram","name":"job_native","values":[1.5,-4,0],"factor":2}"#,
    ]);
    let found = search(&rig.gateway, "name=jobs_total&exact=true");
    assert_eq!((&found["metrics_found"], &found["complete"]), (&json!(1), &json!(true)));
    let metric =
        json!({"name": "jobs_total", "type": "counter", "help": "Jobs.", "unit": "", "series": 2});
    assert_eq!(found["metrics"], json!([metric]));
    assert_eq!(
        series(&found),
        [
            json!({"metric": "jobs_total", "labels": {"path": "a\\b\"c\nd", "queue": "mail"}, "value": "2"}),
            json!({"metric": "jobs_total", "labels": {"queue": "web"}, "value": "0.5"}),
        ]
    );
    let found = search(&rig.gateway, "name=JOB&labels=");
    assert_eq!(found["metrics_found"], 5);
    let named = |name: &str| {
        series(&found).into_iter().find(|one| one["metric"] == name).expect("it is found")
    };
    assert_eq!(named("jobs_open")["value"], "-3");
    let buckets =
        json!([{"le": "1", "count": 0}, {"le": "2", "count": 1}, {"le": "+Inf", "count": 1}]);
    let histogram = json!({"metric": "job_seconds", "labels": {}, "count": 1, "sum": "1.5", "buckets": buckets});
    assert_eq!(named("job_seconds"), histogram);
    let buckets = json!([
        {"from": "-4", "to": "-2", "count": 1},
        {"from": "-2.938735877055719e-39", "to": "2.938735877055719e-39", "count": 1},
        {"from": "1", "to": "2", "count": 1},
    ]);
    let native = json!({"schema": 0, "factor": 2.0, "buckets": buckets});
    assert_eq!(named("job_native")["native"], native);
    let quantiles = json!([{"quantile": "0.5", "value": "7"}]);
    let summary = json!({"metric": "job_bytes", "labels": {}, "count": 1, "sum": "7", "quantiles": quantiles});
    assert_eq!(named("job_bytes"), summary);
}

#[test]
fn an_answer_is_bounded_and_says_so() {
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    let sample = |i| format!(r#"{{"name":"many_{}","labels":{{"i":"n{i}"}}}}"#, i % 60);
    rig.send(&(0..3000).map(sample).collect::<Vec<_>>());
    let count = |query: &str| {
        let found = search(&rig.gateway, query);
        let length = |list: &str| found[list].as_array().map_or(0, Vec::len);
        (length("metrics"), length("series"), found["complete"].as_bool().expect("a flag"))
    };
    assert_eq!(count("name=many"), (50, 100, false));
    assert_eq!(count("name=many&limit=1000"), (50, 1000, false));
    assert_eq!(count("name=many_7&exact=true"), (1, 50, true));
    assert_eq!(count("name=many_7&exact=true&limit=50"), (1, 50, true));
    assert_eq!(count("name=many_7&exact=true&limit=49"), (1, 49, false));
    assert_eq!(count("name=many&limit=0"), (50, 0, false));
    assert_eq!(count("name=many_7&exact=true&labels=I%3D%22N67%22"), (1, 1, true));
    assert_eq!(count("name=none"), (0, 0, true));
    assert_eq!(count("name=many_&exact=true"), (0, 0, true));
    for wrong in ["limit=1001", "limit=-1", "exact=1", "match=a"] {
        let reply = rig.gateway.must_get(&format!("/api/v1/series?{wrong}"), &[]);
        assert_eq!(reply.status, 400, "{wrong}");
        assert!(reply.text().starts_with("expected "), "{}", reply.text());
    }
}

#[test]
fn bytes_are_bounded_too() {
    let mut rig = Rig::with(&[("Shards__Count", "2")]);
    let long = "x".repeat(2000);
    let labels: Vec<String> = (0..20).map(|name| format!(r#""l{name}":"{long}""#)).collect();
    let labels = labels.join(",");
    let sample = |i| format!(r#"{{"name":"long","labels":{{"i":{i},{labels}}}}}"#);
    rig.send(&(0..500).map(sample).collect::<Vec<_>>());
    let reply = rig.gateway.must_get("/api/v1/series?name=long&limit=1000", &[]);
    assert!((3 << 20..5 << 20).contains(&reply.body.len()), "{} bytes", reply.body.len());
    let found: Value = serde_json::from_str(&reply.text()).expect("JSON");
    assert_eq!(found["complete"], false);
}

#[test]
fn a_standby_has_nothing_to_tell() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let once = || GatewayBuilder::reading(&redis).set("Redis__Delivery", "exactly-once");
    let owner = once().start();
    redis.push(&[r#"{"name":"a_total","value":1}"#]);
    wait_for("the series to be found", || {
        let found = search(&owner, "name=a_total");
        if found["series"][0]["value"] == "1" { Ok(()) } else { Err(found.to_string()) }
    });
    wait_for("a checkpoint to be told", || {
        let status = owner.must_get("/api/v1/status", &[]).text();
        let status: Value = serde_json::from_str(&status).map_err(|error| error.to_string())?;
        let ago = status["checkpoints"]["last_seconds_ago"].as_f64();
        if ago.is_some_and(|ago| ago < 60.0) { Ok(()) } else { Err(status.to_string()) }
    });
    let standby = once().start_unready();
    wait_for("the standby to say so", || {
        let reply = standby.must_get("/api/v1/series?name=a_total", &[]);
        let said = format!("{}: {}", reply.status, reply.text());
        if reply.status == 503 && said.contains("standby") { Ok(()) } else { Err(said) }
    });
}
