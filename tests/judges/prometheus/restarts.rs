//! Restarts under load, of a gateway that a real Prometheus scrapes, in both ways
//! of delivery: what Prometheus has in the end is what was pushed, or falls short
//! of it by what it could not have seen.

use std::time::Duration;

use serde_json::json;

use super::{PATIENT_INTERVAL, check_extrapolation, rising};
use psg_testkit::process::free_port;
use psg_testkit::producers::Producers;
use psg_testkit::producers::seed;
use psg_testkit::prometheus::{Edition, Prometheus, Track, job, seconds_now};
use psg_testkit::totals::{Totals, difference, shown};
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer, wait_for, wait_until};

const JOB: &str = "gateway";

/// How a process ends; another one follows.
const SIGNALS: [&str; 2] = ["TERM", "KILL"];

/// How often each process is scraped before it ends, at least.
const SCRAPES: usize = 4;

/// Batches that are pushed after the last of them: for a part of the time until
/// the next one.
const MORE: u64 = 300;

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);

#[test]
fn exactly_once_sums_are_what_was_pushed() {
    let settings = [
        ("Redis__Delivery", "exactly-once"),
        ("Redis__LeaseSeconds", "1"),
        ("Redis__CheckpointIntervalSeconds", "1"),
    ];
    Edition::each(|edition| {
        let mut stage = Stage::set(edition, &settings);
        for signal in SIGNALS {
            stage.live();
            stage.end(signal);
            stage.start();
        }
        stage.live();
        let pushed = stage.finish(|pushed, _, seen| difference(pushed, &shown(seen)).is_none());
        for sum in [last, Track::total] {
            let stored = rising(&stage.prometheus, JOB, sum);
            assert_eq!(difference(&pushed, &stored), None);
        }
        for name in ["c_total", "t_total", "h_bucket"] {
            let resets = stage.prometheus.value(&format!("sum(resets({name}[10m]))"));
            assert_eq!(resets, Some(0.0), "no series of {name} fell");
        }
        stage.check();
    });
}

#[test]
fn at_most_once_falls_short_by_what_came_after_the_last_scrape() {
    Edition::each(|edition| {
        let mut stage = Stage::set(edition, &[]);
        let (mut taken, mut unseen) = (0, 0);
        for signal in SIGNALS {
            stage.live();
            stage.end(signal);
            stage.producers().pause();
            // All that was taken so far, and what of it no scrape has shown.
            taken = stage.producers().elements() - stage.redis.pending() as u64;
            let shown = stage.processed();
            assert!(shown + unseen <= taken, "{shown} shown, {unseen} not, of {taken} elements");
            unseen = taken - shown;
            stage.producers().resume();
            stage.start();
        }
        stage.live();
        let mut all = 0;
        let pushed = stage.finish(|_, elements, seen| {
            all = elements;
            seen.totals().0 == elements - taken
        });
        eprintln!("{unseen} of {all} elements came after the last scrape of their process");
        assert_eq!(stage.processed() + unseen, all);
        let stored = rising(&stage.prometheus, JOB, Track::total);
        check_shortfall(&pushed, &stored, unseen as f64);
        let restarts = stage.prometheus.value(&format!("sum(resets({PROCESSED}[10m]))"));
        assert_eq!(restarts, Some(SIGNALS.len() as f64));
        stage.check();
    });
}

const PROCESSED: &str = "prom_stream_gateway_processed_metrics_total";

/// Nothing counts twice, and what is missing is no more than was `unseen`.
fn check_shortfall(pushed: &Totals, stored: &Totals, unseen: f64) {
    let mut missing = 0.0;
    for (key, pushed) in pushed {
        let stored = stored.get(key).copied().unwrap_or(0.0);
        // Tenths are added in the order in which producers' batches met.
        assert!(stored <= pushed + 1e-6, "{key} is {stored}, pushed was {pushed}");
        if key.contains("_count{") {
            missing += pushed - stored;
        }
    }
    assert!(missing <= unseen, "{missing} observations are missing, {unseen} were not seen");
}

fn last(track: &Track) -> f64 {
    track.samples.last().expect("a track has samples").1
}

/// A gateway that is restarted on the same port, and those around it.
struct Stage {
    prometheus: Prometheus,
    /// Until the load ends.
    producers: Option<Producers>,
    gateway: Option<Gateway>,
    redis: RedisServer,
    port: u16,
    settings: Vec<(&'static str, &'static str)>,
    /// From when to when a process was ready; the last one still is.
    lives: Vec<(f64, f64)>,
    /// Batches that were pushed when the process became ready.
    pushed_before: u64,
}

impl Stage {
    /// All of it, with the first process.
    fn set(edition: &Edition, settings: &[(&'static str, &'static str)]) -> Self {
        let (redis, port) = (RedisServer::start(), free_port());
        let jobs = [job(JOB, port, PATIENT_INTERVAL)];
        let mut stage = Self {
            prometheus: Prometheus::with(edition, &json!({"scrape_configs": jobs})),
            producers: Some(Producers::start(seed(), redis.port(), 2)),
            gateway: None,
            redis,
            port,
            settings: settings.to_vec(),
            lives: Vec::new(),
            pushed_before: 0,
        };
        stage.start();
        stage
    }

    fn producers(&self) -> &Producers {
        self.producers.as_ref().expect("the load goes on")
    }

    /// A new process, until its first scrape.
    fn start(&mut self) {
        let most = (self.producers().pushed() - self.pushed_before) / 3;
        let mut builder = GatewayBuilder::reading(&self.redis)
            .on_port(self.port)
            .set("Redis__MetricQueueWorkers", "1");
        for (name, value) in &self.settings {
            builder = builder.set(name, *value);
        }
        self.gateway = Some(builder.start());
        self.lives.push((seconds_now(), f64::INFINITY));
        self.pushed_before = self.producers().pushed();
        // A counter that has begun anew and is beyond its old value by the first
        // scrape looks as if it had gone on. That needs a scrape that is very
        // late; then the producers wait for it.
        wait_for("the first scrape", || {
            if self.lives.len() > 1 && self.producers().pushed() - self.pushed_before > most {
                self.producers().pause();
            }
            if self.scrapes() > 0 { Ok(()) } else { Err("none yet".to_owned()) }
        });
        self.producers().resume();
    }

    /// Until the process has been scraped some times and has taken more since.
    fn live(&self) {
        wait_for("scrapes under load", || {
            let scrapes = self.scrapes();
            if scrapes >= SCRAPES { Ok(()) } else { Err(format!("{scrapes}")) }
        });
        let from = self.producers().pushed();
        wait_until("more to be pushed", || self.producers().pushed() >= from + MORE);
    }

    /// How often the process has been scraped.
    fn scrapes(&self) -> usize {
        let (ready, _) = self.lives.last().expect("there is a process");
        self.up().iter().filter(|(at, up)| at > ready && *up == 1.0).count()
    }

    /// Each scrape: when it began, and whether it succeeded.
    fn up(&self) -> Vec<(f64, f64)> {
        let tracks = self.prometheus.samples("up[10m]");
        tracks.into_iter().next().map(|track| track.samples).unwrap_or_default()
    }

    /// Ends the process; until a scrape finds nobody.
    fn end(&mut self, signal: &str) {
        let mut gateway = self.gateway.take().expect("it runs");
        let life = self.lives.last_mut().expect("there is a process");
        life.1 = seconds_now();
        gateway.signal(signal);
        let status = gateway.wait_at_most(STOP);
        assert!(signal == "KILL" || status.code() == Some(0), "{status} after SIG{signal}");
        let ended = seconds_now();
        wait_for("a scrape that fails", || {
            let up = self.up();
            let failed = up.iter().any(|(at, up)| *at > ended && *up == 0.0);
            if failed { Ok(()) } else { Err(format!("{up:?}")) }
        });
    }

    /// Samples processed, over all processes, as far as Prometheus has seen them.
    fn processed(&self) -> u64 {
        let tracks = self.prometheus.samples(&format!("{PROCESSED}[10m]"));
        tracks.iter().map(|track| track.total() as u64).sum()
    }

    /// Ends the load; what it made, once Prometheus has seen the last of it: when
    /// the gateway shows what `is_whole` says of all that was pushed, of the number
    /// of its elements, and of a scrape.
    fn finish(&mut self, mut is_whole: impl FnMut(&Totals, u64, &Exposition) -> bool) -> Totals {
        let producers = self.producers.take().expect("the load goes on");
        producers.pause();
        let elements = producers.elements();
        let (pushed, _) = producers.finish();
        let gateway = self.gateway.as_ref().expect("it runs");
        wait_for("all to be taken", || {
            let seen = gateway.try_scrape()?;
            if is_whole(&pushed, elements, &seen) { Ok(()) } else { Err("it goes on".to_owned()) }
        });
        self.prometheus.wait_for_scrape();
        pushed
    }

    /// What holds in both ways of delivery.
    fn check(&self) {
        check_extrapolation(&self.prometheus, "c_total");
        check_extrapolation(&self.prometheus, "h_bucket");
        let rate = self.prometheus.value("min(rate(h_count[10m]))");
        assert!(rate >= Some(0.0), "{rate:?}");
        let took = self.prometheus.samples("scrape_duration_seconds[10m]");
        let took = took.first().expect("there were scrapes").samples.iter().copied();
        for ((at, up), (same, took)) in self.up().into_iter().zip(took) {
            assert_eq!(at, same, "both are of one scrape");
            // Prometheus may move a scrape's time by 2 ms.
            let during =
                |(ready, stopped): &(f64, f64)| at > *ready && at + took + 0.003 < *stopped;
            if self.lives.iter().any(during) {
                assert_eq!(up, 1.0, "a scrape of a gateway that was ready failed");
            }
        }
    }
}
