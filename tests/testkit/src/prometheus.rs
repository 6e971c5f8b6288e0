//! A real Prometheus that scrapes what a test has started, and its answers to
//! PromQL. Tests run with each one that is there: the `prometheus` on the PATH,
//! which `./test` fetches from Debian, and the current one that
//! `tests/prometheus/build-3x` has built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, Reply};
use super::process::{Process, free_port};
use super::wait::wait_for;

/// A Prometheus program that is on this machine.
#[derive(Debug, Clone)]
pub struct Edition {
    program: PathBuf,
    version: String,
}

impl Edition {
    /// Puts each Prometheus that is there to the test; says so where there is
    /// none.
    pub fn each(mut test: impl FnMut(&Edition)) {
        let mut tested = 0;
        for edition in Self::all() {
            eprintln!("with Prometheus {}", edition.version);
            test(&edition);
            tested += 1;
        }
        if tested == 0 {
            eprintln!("skipped: there is no prometheus");
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let fetched = crate::root().join(".cache/bin");
        let current = fetched.join("prometheus-3x");
        let debian = Self::of(Path::new("prometheus"));
        let debian = debian.or_else(|| Self::of(&fetched.join("prometheus")));
        debian.into_iter().chain(Self::of(&current))
    }

    fn of(program: &Path) -> Option<Self> {
        let output = Command::new(program).arg("--version").output().ok()?;
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        let version = said.split_once("version ").map(|(_, rest)| rest);
        let version = version.and_then(|rest| rest.split([',', ' ']).next());
        let version = version.unwrap_or_else(|| panic!("{} says {said}", program.display()));
        Some(Self { program: program.to_owned(), version: version.to_owned() })
    }

    /// The first number of its version.
    pub fn major(&self) -> u32 {
        let number = self.version.split('.').next().expect("a split has a first part");
        number.parse().unwrap_or_else(|_| panic!("{} is no version", self.version))
    }
}

/// A part of `scrape_configs`: one target on this machine.
pub fn job(name: &str, port: u16, interval: &str) -> Value {
    json!({
        "job_name": name,
        "honor_labels": true,
        "scrape_interval": interval,
        // Where the interval is shorter, Prometheus wants the same of the
        // timeout; a busy machine is granted all that there is.
        "scrape_timeout": interval,
        "static_configs": [{"targets": [format!("127.0.0.1:{port}")]}],
    })
}

/// A Prometheus that runs, with its data in a folder of its own.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// One with that configuration, as in its file. It is ready; it may not have
    /// scraped yet.
    pub fn with(edition: &Edition, configuration: &Value) -> Self {
        Self::with_arguments(edition, configuration, &[])
    }

    /// The same with more arguments of its command line.
    pub fn with_arguments(edition: &Edition, configuration: &Value, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("prometheus.yml");
        // Each JSON is YAML.
        fs::write(&file, configuration.to_string()).expect("the folder can be written");
        let port = free_port();
        let mut command = Command::new(&edition.program);
        command
            .current_dir(folder.path())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn")
            .args(arguments);
        let mut process = Process::start("prometheus", &mut command);
        wait_for("prometheus to be ready", || {
            if let Some(status) = process.ended() {
                panic!("it ended while it started: {status}\n{}", process.lines().join("\n"));
            }
            let reply = http::get(port, "/-/ready", &[])?;
            if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
        });
        Self { process, port, _folder: folder }
    }

    /// What it has logged, from warnings on.
    pub fn log(&self) -> Vec<String> {
        self.process.lines()
    }

    /// The series that PromQL gives now, each with one value.
    pub fn query(&self, promql: &str) -> Vec<Point> {
        let data = self.ask(promql);
        assert_eq!(data["resultType"], "vector", "{promql}");
        list(&data["result"]).iter().map(Point::read).collect()
    }

    /// The one value that PromQL gives now; none where there is no series.
    pub fn value(&self, promql: &str) -> Option<f64> {
        let points = self.query(promql);
        assert!(points.len() <= 1, "{promql} is {points:?}");
        points.first().map(|point| point.value)
    }

    /// The samples as they are stored that a selector with a range gives, such
    /// as `up[10m]`.
    pub fn samples(&self, selector: &str) -> Vec<Track> {
        let data = self.ask(selector);
        assert_eq!(data["resultType"], "matrix", "{selector}");
        list(&data["result"]).iter().map(Track::read).collect()
    }

    /// GET of its API; `path` begins behind `/api/v1/`.
    pub fn api(&self, path: &str) -> Value {
        let reply = self.must_get(&format!("/api/v1/{path}"));
        let text = reply.text();
        let answer: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}: {text}", reply.status));
        assert_eq!(answer["status"], "success", "{path}: {text}");
        answer["data"].clone()
    }

    /// Waits until each target has been scraped with success by a scrape that
    /// began after now: all that targets show now is stored.
    pub fn wait_for_scrape(&self) {
        self.wait_for_scrape_after(seconds_now());
    }

    /// The same of scrapes that began after that time.
    pub fn wait_for_scrape_after(&self, begin: f64) {
        // Prometheus may move a scrape's time by 2 ms, to keep distances equal.
        let begin = begin + 0.003;
        wait_for("prometheus to scrape", || {
            let tracks = self.samples("up[1m]");
            let is_new = |up: &Track| up.samples.iter().any(|(at, up)| *at > begin && *up == 1.0);
            let scraped = tracks.iter().filter(|up| is_new(up)).count();
            let targets = self.api("targets?state=active")["activeTargets"].take();
            let all = list(&targets).len();
            // Before its first look at the configuration it knows of none.
            if all > 0 && scraped == all { Ok(()) } else { Err(targets.to_string()) }
        });
    }

    fn ask(&self, promql: &str) -> Value {
        let query = utf8_percent_encode(promql, NON_ALPHANUMERIC);
        self.api(&format!("query?query={query}"))
    }

    fn must_get(&self, path: &str) -> Reply {
        http::get(self.port, path, &[]).expect("prometheus answers")
    }
}

/// Labels of a series, `__name__` among them where PromQL has kept it.
pub type Labels = BTreeMap<String, String>;

/// A series with one value.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

impl Point {
    fn read(result: &Value) -> Self {
        Self { labels: labels(result), value: sample(&result["value"]).1 }
    }
}

/// A series with its stored samples, the oldest one first.
#[derive(Debug, Clone)]
pub struct Track {
    /// Its labels.
    pub labels: Labels,
    /// Times in seconds since 1970, and values.
    pub samples: Vec<(f64, f64)>,
}

impl Track {
    fn read(result: &Value) -> Self {
        Self {
            labels: labels(result),
            samples: list(&result["values"]).iter().map(sample).collect(),
        }
    }

    /// By how much a counter has grown from its first sample to its last, where
    /// one that falls has begun again at 0: what `increase` gives, without its
    /// extrapolation to the ends of the range.
    pub fn increase(&self) -> f64 {
        let values = self.samples.iter().map(|(_, value)| value);
        let steps = values.clone().zip(values.skip(1));
        steps.map(|(before, now)| if now < before { *now } else { now - before }).sum()
    }

    /// The same from 0 on: the first sample counts with its value.
    pub fn total(&self) -> f64 {
        self.samples.first().map_or(0.0, |(_, value)| *value) + self.increase()
    }
}

fn labels(result: &Value) -> Labels {
    let labels = result["metric"].as_object().expect("a series has labels");
    let text = |value: &Value| value.as_str().expect("a label is text").to_owned();
    labels.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// `[seconds, "value"]`
fn sample(pair: &Value) -> (f64, f64) {
    let value = pair[1].as_str().expect("a value is text");
    (pair[0].as_f64().expect("a time"), value.parse().expect("a number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Now, as Prometheus writes times.
pub fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64()
}

#[test]
fn an_increase_goes_on_over_a_reset() {
    let samples = [2.0, 5.0, 5.0, 1.0, 4.0].map(|value| (0.0, value)).to_vec();
    let track = Track { labels: Labels::new(), samples };
    assert_eq!(track.increase(), 7.0);
    assert_eq!(track.total(), 9.0);
}
