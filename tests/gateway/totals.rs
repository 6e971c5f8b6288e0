//! Totals: what they come to beyond what a double tells apart, what they can't take,
//! and gauges that are totals.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer, Rig};

#[test]
fn a_sample_that_would_make_a_total_infinite_is_rejected() {
    let settings = [("Redis__DeadLetterKey", "dead"), ("Http__ExposePayloads", "true")];
    let mut rig = Rig::with(&settings);
    let big = [
        r#"{"name":"c","value":1.7e308,"labels":{"path":"/\"a\"","zone":"eu"}}"#,
        r#"{"type":"gauge","name":"g","op":"add","value":-1.7e308}"#,
        r#"{"type":"histogram","name":"h","value":1.7e308,"buckets":[1,2]}"#,
        r#"{"type":"histogram","name":"w","counts":[1,2,3],"sum":1.7e308,"buckets":[1,2]}"#,
        r#"{"type":"summary","name":"s","values":[1,1.7e308],"help":"Said.","quantiles":[0.9,0.5],"epsilons":[0.01,0.05]}"#,
    ];
    let before = rig.send(&big);
    assert_eq!(before.totals(), (5, 0));
    let after = rig.send(&big);
    assert_eq!((after.totals(), after.rejected("non_finite")), ((5, 5), 5));
    assert_eq!(after.produced(), before.produced(), "they changed nothing");

    let told = told_of_totals(&rig);
    let labels = json!({"path": "/\"a\"", "zone": "eu"});
    let expected = [
        (json!("c"), json!({"type": "counter", "name": "c", "value": 1.7e308, "labels": labels})),
        (
            json!("g"),
            json!({"type": "gauge", "name": "g", "op": "add", "value": -1.7e308, "labels": {}}),
        ),
        (
            json!("h"),
            json!({"type": "histogram", "name": "h", "value": 1.7e308, "buckets": [1.0, 2.0], "labels": {}}),
        ),
        (
            json!("s"),
            json!({
                "type": "summary", "name": "s", "help": "Said.", "values": [1.0, 1.7e308],
                "quantiles": [0.5, 0.9], "epsilons": [0.05, 0.01], "labels": {},
            }),
        ),
        (
            json!("w"),
            json!({"type": "histogram", "name": "w", "counts": [1, 2, 3], "sum": 1.7e308, "buckets": [1.0, 2.0], "labels": {}}),
        ),
    ];
    assert_eq!(told, expected);
    rig.gateway.scrape_until("the letters to be written", |seen| {
        seen.value("prom_stream_gateway_dead_letters_total", &[]) == Some(5.0)
    });
    // They are samples: each is refused once more for the same reason.
    let letters: Vec<String> = rig.redis.run(&["LRANGE", "dead", "0", "-1"]);
    assert_eq!(rig.send(&letters).rejected("non_finite"), 10);
}

/// The names and samples that were refused for their totals, sorted.
fn told_of_totals(rig: &Rig) -> Vec<(Value, Value)> {
    let report = rig.gateway.must_get("/api/v1/rejects", &[]).text();
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let mut told: Vec<(Value, Value)> = report["rejects"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|reject| {
            let detail = match reject["name"] == json!("w") {
                true => {
                    "expected a sum that a double holds and fewer than 2^55 observations in all, \
                     got more with this sample"
                }
                false => {
                    "expected a total that a double holds, got one that overflows with this sample"
                }
            };
            assert_eq!(
                (&reject["reason"], &reject["detail"]),
                (&json!("non_finite"), &json!(detail))
            );
            let payload = reject["payload"].as_str().expect("a text");
            (reject["name"].clone(), serde_json::from_str(payload).expect("JSON"))
        })
        .collect();
    told.sort_by_key(|(name, _)| name.to_string());
    told
}

/// What can't be taken does not begin a series either.
#[test]
fn values_whose_sum_is_infinite_leave_nothing() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"histogram","name":"h","values":[1.7e308,1.7e308],"buckets":[1]}"#,
        r#"{"type":"summary","name":"s","values":[-1.7e308,-1.7e308]}"#,
        r#"{"name":"c","values":[1.7e308,1.7e308]}"#,
    ]);
    assert_eq!(seen.rejected("non_finite"), 3);
    assert!(seen.produced().is_empty(), "left {:?}", seen.produced());
}

/// Some values may leave for a while what a double holds.
#[test]
fn values_count_by_what_they_come_to() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"summary","name":"s","values":[1e308,1e308,-1e308]}"#,
        r#"{"name":"c_total","values":[9007199254740992,1,1,1,1]}"#,
        r#"{"name":"d_total","value":9007199254740992}"#,
        r#"{"name":"d_total","values":[1,1,1,1]}"#,
    ]);
    assert_eq!(seen.value("s_sum", &[]), Some(1e308));
    assert_eq!(seen.value("c_total", &[]), Some(9_007_199_254_740_996.0));
    assert_eq!(seen.value("d_total", &[]), Some(9_007_199_254_740_996.0));
}

#[test]
fn clocks_that_are_ahead_are_counted() {
    let mut rig = Rig::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let gauge = |ahead: u64| {
        format!(r#"{{"type":"gauge","name":"g","value":{ahead},"timestamp":{}}}"#, now + ahead)
    };
    let seen = rig.send(&[gauge(60), gauge(400), gauge(3600)]);
    assert_eq!((seen.value("g", &[]), seen.rejected("bad_timestamp")), (Some(400.0), 1));
    rig.gateway.scrape_until("it to be counted", |seen| {
        seen.value("prom_stream_gateway_future_timestamps_total", &[]) == Some(1.0)
    });
}

/// One Redis, one state file, and gateways one after the other.
struct Restarts {
    redis: RedisServer,
    folder: tempfile::TempDir,
    gateway: Gateway,
}

impl Restarts {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let redis = RedisServer::start();
        let gateway = builder(&redis, &folder).start();
        Self { redis, folder, gateway }
    }

    fn restart(&mut self) {
        self.gateway.signal("TERM");
        assert!(self.gateway.wait_at_most(Duration::from_secs(30)).success());
        self.gateway = builder(&self.redis, &self.folder).start();
    }

    fn send(&self, payloads: &[&str], taken: u64) -> Exposition {
        self.redis.push(payloads);
        self.gateway.scrape_after(taken)
    }
}

fn builder(redis: &RedisServer, folder: &tempfile::TempDir) -> GatewayBuilder {
    GatewayBuilder::reading(redis)
        .set("Metrics__StateFile", folder.path().join("state"))
        .set("Metrics__GaugeTtlSeconds", "1")
}

#[test]
fn a_counter_beyond_two_to_the_53_counts_every_one_over_restarts() {
    let mut rig = Restarts::start();
    let one = r#"{"name":"c_total","value":1}"#;
    let seen = rig.send(&[r#"{"name":"c_total","value":9007199254740992}"#, one], 2);
    let shown = |seen: &Exposition| seen.samples("c_total").next().map(|it| it.value.clone());
    // The nearest double is all that Prometheus could read.
    assert_eq!(shown(&seen).as_deref(), Some("9007199254740992"));
    rig.restart();
    let seen = rig.send(&[one], 1);
    assert_eq!(shown(&seen).as_deref(), Some("9007199254740994"));
    rig.restart();
    let seen = rig.send(&[one; 6], 6);
    assert_eq!(shown(&seen).as_deref(), Some("9007199254741000"));
}

#[test]
fn a_gauge_that_was_added_to_goes_on_after_it_expired_and_over_restarts() {
    let mut rig = Restarts::start();
    let add =
        |value: i32| format!(r#"{{"type":"gauge","name":"added","op":"add","value":{value}}}"#);
    let most = r#"{"type":"gauge","name":"most","op":"max","value":7}"#;
    let seen = rig.send(&[&add(3), most, &add(-1)], 3);
    assert_eq!((seen.value("added", &[]), seen.value("most", &[])), (Some(2.0), Some(7.0)));
    let have_left = |seen: &Exposition| {
        seen.sum("prom_stream_gateway_series") == 0.0 && seen.family("added").is_none()
    };
    rig.gateway.scrape_until("both to leave", have_left);
    rig.restart();
    assert!(rig.gateway.scrape().family("added").is_none());
    let lower = r#"{"type":"gauge","name":"most","op":"max","value":-5}"#;
    let seen = rig.send(&[&add(-2), lower], 2);
    assert_eq!(seen.value("added", &[]), Some(0.0), "it ended what was begun before");
    assert_eq!(seen.value("most", &[]), Some(-5.0), "it is the highest of a new time");
}
