//! The dashboard and the rules, asked of a real Prometheus that scrapes a real
//! gateway: each query is answered, each rule is evaluated, and the alert for
//! refused samples fires, alone.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::INTERVAL;
use psg_testkit::prometheus::{Edition, Prometheus, job};
use psg_testkit::{GatewayBuilder, RedisOptions, RedisServer, Rig, http, wait_for, wait_until};

const DASHBOARD: &str = include_str!("../../../compose/grafana/dashboards/gateway.json");

/// What the alerts call the job.
const JOB: &str = "prom-stream-gateway";

#[test]
fn the_dashboard_and_the_rules_are_answered() {
    Edition::each(|edition| {
        let state = tempfile::tempdir().expect("a temporary folder");
        let file = state.path().join("state");
        let statsd = state.path().join("statsd.sock");
        let mut rig = Rig::with(&[
            ("Push__Enabled", "true"),
            ("Statsd__ListenAddress", &format!("unix://{}", statsd.display())),
            ("Metrics__StateFile", file.to_str().expect("the path is text")),
            ("Metrics__StateFileIntervalSeconds", "1"),
        ]);
        // A queue in partitions is another gateway's.
        let other = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
        let partitioned = GatewayBuilder::reading(&other)
            .set("Redis__Delivery", "exactly-once")
            .set("Redis__MetricQueuePartitions", "2")
            .start();
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/rules");
        let prometheus = Prometheus::with(
            edition,
            &json!({
                "global": {"evaluation_interval": INTERVAL},
                "rule_files": [rules.join("*.yml")],
                "scrape_configs": [
                    job(JOB, rig.gateway.port(), INTERVAL),
                    job("partitions", partitioned.port(), INTERVAL),
                ],
            }),
        );
        // What grows from here on is seen to grow.
        prometheus.wait_for_scrape();
        rig.redis.go_down();
        wait_until("an error to be counted", || {
            rig.gateway.scrape().sum("prom_stream_gateway_redis_errors_total") > 0.0
        });
        rig.redis.go_up();
        let mut load = Command::new(env!("CARGO_BIN_EXE_prom-stream-gateway"));
        load.args(["load", "--timestamps", "--rate", "0", "--count", "100", "--seed", "1"]);
        load.args(["--redis", &rig.redis.address()]);
        let pushed = load.output().expect("the load tool runs");
        assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
        rig.redis.push(&["no JSON"]);
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.send_to(b"a:1|c\nno line", &statsd).expect("it listens");
        let refused = http::post(rig.gateway.port(), "/metrics/job/j", &[], b"no line");
        assert_eq!(refused.expect("it answers").status, 400);

        for (title, query) in dashboard_queries() {
            wait_for(&format!("panel {title}: {query}"), || {
                let points = prometheus.query(&query);
                let is_number = |value: f64| value.is_finite();
                let is_whole = !points.is_empty() && points.iter().all(|p| is_number(p.value));
                if is_whole { Ok(()) } else { Err(format!("{points:?}")) }
            });
        }
        check_rules(&prometheus);
        // It asks for restarts, of which there are none.
        let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
        for annotation in list(&dashboard["annotations"]["list"]) {
            assert_eq!(prometheus.query(&filled_in(text(&annotation["target"]["expr"]))).len(), 0);
        }
    });
}

/// Each `(panel's title, query)`, with what Grafana would fill in.
fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row");
    let queries = panels.flat_map(|panel| {
        let title = text(&panel["title"]);
        let targets = list(&panel["targets"]).iter();
        targets.map(move |target| (title.to_owned(), filled_in(text(&target["expr"]))))
    });
    queries.collect()
}

fn filled_in(query: &str) -> String {
    let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
    assert!(!query.contains('$'), "{query} has a variable that is not known here");
    query
}

/// All rules are evaluated without an error, what is recorded is there, and the
/// one alert that there is cause for fires.
fn check_rules(prometheus: &Prometheus) {
    let all = wait_for("all rules to be evaluated", || {
        let groups = prometheus.api("rules")["groups"].take();
        let rules: Vec<Value> =
            list(&groups).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect();
        let waiting = rules.iter().find(|rule| rule["health"] == "unknown");
        if let Some(rule) = waiting { Err(rule.to_string()) } else { Ok(rules) }
    });
    let files = ["alerts.yml", "recording.yml"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/rules").join(name);
        fs::read_to_string(path).expect("the rules can be read")
    });
    let written = files.iter().map(|file| file.matches("expr: ").count()).sum::<usize>();
    assert_eq!(all.len(), written);
    for rule in &all {
        assert_eq!(rule["health"], "ok", "{rule}");
        if rule["type"] == "recording" {
            let name = text(&rule["name"]);
            wait_for(name, || prometheus.query(name).pop().ok_or_else(|| "nothing".to_owned()));
        }
    }
    wait_for("the alert for refused samples, alone", || {
        let alerts = prometheus.api("alerts")["alerts"].take();
        let firing: Vec<&Value> =
            list(&alerts).iter().filter(|alert| alert["state"] == "firing").collect();
        let [alert] = firing[..] else { return Err(alerts.to_string()) };
        assert_eq!(alert["labels"]["alertname"], "PromStreamGatewayRejects");
        assert_eq!(alert["labels"]["reason"], "invalid_json");
        let summary = text(&alert["annotations"]["summary"]);
        assert_eq!(summary, "prom-stream-gateway refuses samples: invalid_json");
        Ok(())
    });
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
