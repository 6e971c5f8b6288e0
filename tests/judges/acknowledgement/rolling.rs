//! Rolling restarts under two real Prometheus servers, with series that are born
//! now and then: in each server the raw increase of each series is what was
//! pushed. One of them shares the gateway out among two jobs.
//!
//! Three restarts, or as many as `PSG_ROLLING_RESTARTS` says.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use psg_testkit::process::free_port;
use psg_testkit::producers::seed;
use psg_testkit::prometheus::{Edition, Labels, Prometheus, Track, job};
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for};

/// The time that a scrape may take too: what a busy machine brings later, a server
/// throws away, and a first increment with it.
const INTERVAL: &str = "2s";
/// What compose.yaml sets.
const SETTINGS: [(&str, &str); 2] =
    [("Metrics__FirstIncrement", "exact"), ("Http__ShutdownLingerSeconds", "40")];

/// What was pushed, by name and the label `id`.
type Truth = BTreeMap<(String, String), f64>;

struct Rolling {
    redis: RedisServer,
    folder: TempDir,
    port: u16,
    random: ChaCha8Rng,
    pushed: Truth,
    elements: u64,
    born: usize,
}

impl Rolling {
    fn start(&self) -> Gateway {
        let builder = GatewayBuilder::reading(&self.redis).on_port(self.port);
        let builder = builder.set("Metrics__StateFile", self.folder.path().join("state"));
        let settings = SETTINGS.iter();
        settings.fold(builder, |builder, (name, value)| builder.set(name, *value)).start()
    }

    /// One sample, one time in three of a series that was never there.
    fn push(&mut self) {
        let id = if self.born == 0 || self.random.random_ratio(1, 3) {
            self.born += 1;
            self.born
        } else {
            self.random.random_range(1..=self.born)
        };
        let value = *[1_u32, 1, 1, 2, 7].choose(&mut self.random).expect("there are some");
        let (kind, name) = [("counter", "c_total"), ("histogram", "h")][id % 2];
        self.redis.push(&[format!(
            r#"{{"type":"{kind}","name":"{name}","value":{value},"labels":{{"id":"{id}"}},"buckets":[1,5]}}"#
        )]);
        self.elements += 1;
        let value = f64::from(value);
        if kind == "counter" {
            return self.add("c_total", id, "", value);
        }
        self.add("h_sum", id, "", value);
        self.add("h_count", id, "", 1.0);
        for (le, bound) in [("1", 1.0), ("5", 5.0), ("+Inf", f64::INFINITY)] {
            self.add("h_bucket", id, le, f64::from(u8::from(value <= bound)));
        }
    }

    fn add(&mut self, name: &str, id: usize, le: &str, by: f64) {
        *self.pushed.entry((name.to_owned(), format!("{id} {le}"))).or_default() += by;
    }

    /// A few samples, each after the one before was taken.
    fn push_slowly(&mut self, count: usize) {
        for _ in 0..count {
            self.push();
            wait_for("it to be taken", || match self.redis.pending() {
                0 => Ok(()),
                pending => Err(format!("{pending} are pending")),
            });
        }
    }
}

/// What a server has, in the words of the truth.
fn increases(prometheus: &Prometheus) -> Truth {
    let tracks = prometheus.samples(r#"{__name__=~"c_total|h_.*"}[1h]"#);
    let key = |labels: &Labels| {
        let le = labels.get("le").map_or("", |le| le.strip_suffix(".0").unwrap_or(le));
        (labels["__name__"].clone(), format!("{} {le}", labels["id"]))
    };
    tracks.iter().map(|track| (key(&track.labels), Track::increase(track))).collect()
}

/// Which scrapes of a server failed though the gateway was there (what it had of
/// these it has thrown away), and what it saw first of those series.
fn told(prometheus: &Prometheus, ids: &BTreeSet<&str>) -> String {
    let (durations, up) =
        (prometheus.samples("scrape_duration_seconds[1h]"), prometheus.samples("up[1h]"));
    let mut said = String::new();
    for (durations, up) in durations.iter().zip(&up) {
        let both = durations.samples.iter().zip(&up.samples);
        // One that is not there refuses at once.
        let slow = both.filter(|((_, seconds), (_, up))| *up == 0.0 && *seconds > 0.1);
        let slow: Vec<_> = slow.map(|(duration, _)| duration).collect();
        said += &format!("{} failed at, after so many seconds: {slow:?}\n", up.labels["job"]);
    }
    for id in ids {
        let names = "c_total|h_count";
        for track in prometheus.samples(&format!(r#"{{id="{id}",__name__=~"{names}"}}[1h]"#)) {
            let first = &track.samples[..track.samples.len().min(5)];
            said += &format!("{id} begins with {first:?}\n");
        }
    }
    said
}

/// They have the same address and are of one version: their queries tell them
/// apart.
fn servers(edition: &Edition, port: u16) -> [Prometheus; 2] {
    let mut whole = job("gateway", port, INTERVAL);
    whole["params"] = json!({"server": ["a"]});
    let parts = ["0", "1"].map(|part| {
        let mut job = job(&format!("part-{part}"), port, INTERVAL);
        job["params"] = json!({"shard": [part], "of": ["2"]});
        job
    });
    let with = |jobs: &[Value]| Prometheus::with(edition, &json!({"scrape_configs": jobs}));
    [with(&[whole]), with(&parts)]
}

fn wait_until_known(prometheus: &Prometheus) {
    wait_for("it to be known", || match prometheus.value("prom_stream_gateway_scrapers") {
        Some(3.0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn over_rolling_restarts_each_server_has_what_was_pushed() {
    let restarts =
        env::var("PSG_ROLLING_RESTARTS").map_or(3, |text| text.parse().expect("a number"));
    Edition::each(|edition| {
        let mut rolling = Rolling {
            redis: RedisServer::start(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            port: free_port(),
            random: ChaCha8Rng::seed_from_u64(seed()),
            pushed: Truth::new(),
            elements: 0,
            born: 0,
        };
        let mut gateway = rolling.start();
        let servers = servers(edition, rolling.port);
        servers.iter().for_each(wait_until_known);
        for restart in 1..=restarts {
            let count = rolling.random.random_range(0..60);
            rolling.push_slowly(count);
            gateway.signal("TERM");
            // Some of these wait for the next process.
            (0..5).for_each(|_| rolling.push());
            let status = gateway.wait_at_most(std::time::Duration::from_secs(60));
            let log = gateway.log().join("\n");
            assert_eq!(status.code(), Some(0), "{log}");
            assert!(!log.contains("have not fetched"), "restart {restart}: {log}");
            (0..5).for_each(|_| rolling.push());
            gateway = rolling.start();
            let count = rolling.random.random_range(0..20);
            rolling.push_slowly(count);
        }
        rolling.push_slowly(1);
        // At its start, then as it is.
        for _ in 0..2 {
            servers.iter().for_each(Prometheus::wait_for_scrape);
        }
        for (prometheus, name) in servers.iter().zip(["of all", "of two parts"]) {
            let found = increases(prometheus);
            let differ =
                rolling.pushed.iter().filter(|(key, pushed)| found.get(key) != Some(pushed));
            let differ: Vec<_> =
                differ.map(|(key, pushed)| (key, pushed, found.get(key))).collect();
            assert!(
                differ.is_empty(),
                "server {name}, pushed and found: {differ:?}\n{}",
                told(
                    prometheus,
                    &differ.iter().filter_map(|((_, id), ..)| id.split(' ').next()).collect()
                )
            );
            assert_eq!(found.len(), rolling.pushed.len());
        }
        let (elements, born) = (rolling.elements, rolling.born);
        eprintln!("{restarts} restarts, {elements} samples of {born} series, in both servers");
    });
}
