//! Metrics.StateFile: totals outlive the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer, wait_for};

/// All four types, and a help text.
const SAMPLES: &[&str] = &[
    r#"{"type":"counter","name":"c_total","value":0.1,"help":"what it counts","labels":{"a":"b"}}"#,
    r#"{"type":"gauge","name":"g","value":7.5,"timestamp":1700000000}"#,
    r#"{"type":"histogram","name":"h","value":2,"buckets":[1,2.5,50]}"#,
    r#"{"type":"summary","name":"s","value":3,"quantiles":[0.5],"epsilons":[0.05]}"#,
];

/// One Redis, one state file, and gateways one after the other.
struct Rig {
    redis: RedisServer,
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { redis: RedisServer::start(), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A folder for the file that can be moved away.
    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn aside(&self) -> PathBuf {
        self.folder.path().join("aside")
    }

    fn builder(&self) -> GatewayBuilder {
        GatewayBuilder::reading(&self.redis)
            .set("Redis__MetricQueueWorkers", "1")
            .set("Metrics__StateFile", self.path())
    }

    /// Sends a signal that ends a gateway, and waits for that.
    fn end(&self, mut gateway: Gateway, signal: &str) -> (Option<i32>, String) {
        gateway.signal(signal);
        let status = gateway.wait_at_most(Duration::from_secs(30));
        (status.code(), gateway.log().join("\n"))
    }
}

/// The lines of producers' metrics, sorted.
fn lines(exposition: &Exposition) -> Vec<String> {
    let own = |family: &str| family.starts_with("prom_stream_gateway_");
    let families = exposition.families.iter().filter(|family| !own(&family.name));
    let mut lines: Vec<String> = families.map(|family| format!("{family:?}")).collect();
    lines.sort();
    lines
}

#[test]
fn totals_outlive_a_clean_stop_whatever_k_is() {
    let rig = Rig::new();
    let first = rig.builder().set("Shards__Count", "3").start();
    rig.redis.push(SAMPLES);
    let before = lines(&first.scrape_after(4));
    assert_eq!(before.len(), 4);
    let (code, log) = rig.end(first, "TERM");
    assert_eq!(code, Some(0), "{log}");

    let second = rig.builder().set("Shards__Count", "2").start();
    assert_eq!(lines(&second.scrape()), before);
    rig.redis.push(SAMPLES);
    let seen = second.scrape_after(4);
    assert_eq!(seen.value("c_total", &[("a", "b")]), Some(0.1 + 0.1));
    assert_eq!(seen.value("h_count", &[]), Some(2.0));
    assert_eq!(seen.value("s_count", &[]), Some(2.0));
    assert_eq!(seen.family("c_total").map(|family| &*family.help), Some("what it counts"));
    // An older measurement does not replace a newer one, over a restart too.
    rig.redis.push(&[r#"{"type":"gauge","name":"g","value":1,"timestamp":1600000000}"#]);
    assert_eq!(second.scrape_after(5).value("g", &[]), Some(7.5));
    let (code, log) = rig.end(second, "TERM");
    assert_eq!(code, Some(0), "{log}");
}

/// The file was written at commit f5dbad2: segments of version 2, with created times,
/// of [`SAMPLES`] and of two series that had expired at 41 and with one observation.
#[test]
fn a_state_file_of_an_earlier_build_is_read() {
    let rig = Rig::new();
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/state-file-2026-11-30");
    fs::copy(earlier, rig.path()).expect("the file can be copied");
    let gateway = rig.builder().start();
    let seen = gateway.scrape();
    assert_eq!(seen.value("c_total", &[("a", "b")]), Some(0.1));
    assert_eq!(seen.value("g", &[]), Some(7.5));
    assert_eq!(seen.value("h_bucket", &[("le", "2.5")]), Some(1.0));
    assert_eq!(seen.value("s_sum", &[]), Some(3.0));
    assert_eq!(seen.value("gone_total", &[]), None);
    rig.redis.push(&[
        r#"{"type":"counter","name":"gone_total","value":1}"#,
        r#"{"type":"histogram","name":"gone","value":3,"buckets":[1,2.5,50]}"#,
    ]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("gone_total", &[]), Some(42.0));
    assert_eq!(seen.value("gone_count", &[]), Some(2.0));
}

/// A gateway that does not stop cleanly goes on from what was written last.
#[test]
fn a_kill_loses_what_came_since() {
    let rig = Rig::new();
    let first = rig.builder().start();
    rig.redis.push(&[COUNTER]);
    first.scrape_after(1);
    rig.end(first, "TERM");
    let second = rig.builder().start();
    rig.redis.push(&[COUNTER]);
    assert_eq!(second.scrape_after(1).value("c_total", &[]), Some(2.0));
    rig.end(second, "KILL");
    let third = rig.builder().start();
    assert_eq!(third.scrape().value("c_total", &[]), Some(1.0));
}

/// Waits until the file has been written so often since a look before.
fn await_writings(gateway: &Gateway, before: f64) {
    wait_for("the file to be written", || {
        let written = writings(gateway);
        if written >= before + 1.0 { Ok(()) } else { Err(format!("{written}")) }
    });
}

/// How often the file was written.
fn writings(gateway: &Gateway) -> f64 {
    let name = "prom_stream_gateway_checkpoint_duration_seconds_count";
    gateway.scrape().value(name, &[]).expect("it is counted")
}

fn failures(gateway: &Gateway) -> f64 {
    let name = "prom_stream_gateway_checkpoint_failures_total";
    gateway.scrape().value(name, &[]).expect("it is counted")
}

const COUNTER: &str = r#"{"name":"c_total","value":1}"#;

/// A kill loses what came since the last writing, and no more.
#[test]
fn it_is_written_again_and_again_while_the_gateway_runs() {
    let rig = Rig::new();
    for total in [1.0, 2.0, 3.0] {
        let gateway = rig.builder().set("Metrics__StateFileIntervalSeconds", "1").start();
        rig.redis.push(&[COUNTER]);
        assert_eq!(gateway.scrape_after(1).value("c_total", &[]), Some(total));
        // One that began after the sample was applied, once more than one under way.
        await_writings(&gateway, writings(&gateway) + 1.0);
        rig.end(gateway, "KILL");
    }
    assert_eq!(rig.builder().start().scrape().value("c_total", &[]), Some(3.0));
}

/// While it can't be written, samples are taken as ever; it is told, the old
/// file stays, and once it works again everything is kept.
#[test]
fn what_can_not_be_written_while_it_runs_is_told_and_holds_up_nothing() {
    type Act = fn(&Rig);
    let cases: [(&str, Act, Act); 3] = [
        (
            "No such file or directory",
            |rig| fs::rename(rig.kept(), rig.aside()).expect("it is there"),
            |rig| fs::rename(rig.aside(), rig.kept()).expect("it is there"),
        ),
        (
            "expected a file, got a folder",
            |rig| fs::create_dir(rig.kept().join("state.new")).expect("nothing is there"),
            |rig| fs::remove_dir(rig.kept().join("state.new")).expect("it is there"),
        ),
        (
            // It would be waited for.
            "expected a file, got a pipe",
            |rig| {
                let made = Command::new("mkfifo").arg(rig.kept().join("state.new")).status();
                assert!(made.expect("mkfifo runs").success());
            },
            |rig| fs::remove_file(rig.kept().join("state.new")).expect("it is there"),
        ),
    ];
    for (cause, break_it, mend_it) in cases {
        let rig = Rig::new();
        fs::create_dir(rig.kept()).expect("a new folder");
        let builder = || {
            let builder = rig.builder().set("Metrics__StateFile", rig.kept().join("state"));
            builder.set("Metrics__StateFileIntervalSeconds", "1")
        };
        let gateway = builder().start();
        rig.redis.push(&[COUNTER]);
        gateway.scrape_after(1);
        await_writings(&gateway, writings(&gateway));
        break_it(&rig);
        wait_for("a failure to be counted", || {
            if failures(&gateway) > 0.0 { Ok(()) } else { Err("none is".to_owned()) }
        });
        rig.redis.push(&[COUNTER; 10]);
        gateway.scrape_after(11);
        assert_eq!(gateway.must_get("/-/ready", &[]).status, 200);
        let log = gateway.log().join("\n");
        assert!(log.contains("the state file can't be written") && log.contains(cause), "{log}");
        mend_it(&rig);
        await_writings(&gateway, writings(&gateway) + 1.0);
        let log = gateway.log().join("\n");
        assert!(log.contains("the state file can be written again"), "{log}");
        assert!(!rig.kept().join("state.new").exists(), "nothing is left beside it");
        rig.end(gateway, "KILL");
        assert_eq!(builder().start().scrape().value("c_total", &[]), Some(11.0), "{cause}");
    }
}

/// Killed at any moment of its writing, there is the old file or the new one.
#[test]
fn a_kill_while_it_is_written_leaves_one_that_is_whole() {
    let rig = Rig::new();
    let samples: Vec<String> = (0..20_000)
        .map(|n| format!(r#"{{"name":"c_total","value":1,"labels":{{"n":{n}}}}}"#))
        .collect();
    let (mut total, seed) = (0.0, std::process::id());
    for round in 0..8 {
        let mut gateway = rig.builder().start();
        let known = gateway.scrape().sum("c_total");
        assert!(known == total || known == total - 20_000.0, "{known} of {total}, seed {seed}");
        rig.redis.push(&samples);
        gateway.scrape_after(samples.len() as u64);
        total = known + 20_000.0;
        gateway.signal("TERM");
        // From at once to long after the writing began, in uneven steps.
        let moment = Duration::from_micros(u64::from((seed * 7919 + round * 9601) % 60_000));
        let begin = Instant::now();
        while begin.elapsed() < moment {
            std::thread::yield_now();
        }
        gateway.signal_if_running("KILL");
        gateway.wait_at_most(Duration::from_secs(30));
    }
    let last = rig.builder().start();
    let known = last.scrape().sum("c_total");
    assert!(known == total || known == total - 20_000.0, "{known} of {total}, seed {seed}");
}

fn check_refused(rig: &Rig, expected: &str) {
    let before = fs::read(rig.path()).ok();
    let finished = rig.builder().finish();
    assert_eq!(finished.code(), 1, "{}", finished.output());
    assert!(finished.output().contains(expected), "{}", finished.output());
    assert!(finished.output().contains("Metrics.StateFile"), "{}", finished.output());
    assert_eq!(fs::read(rig.path()).ok(), before, "it is left as it was");
}

#[test]
fn a_file_that_is_damaged_or_newer_stops_the_start_and_is_left_untouched() {
    let rig = Rig::new();
    let gateway = rig.builder().start();
    rig.redis.push(SAMPLES);
    gateway.scrape_after(4);
    rig.end(gateway, "TERM");
    let good = fs::read(rig.path()).expect("it was written");

    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        fs::write(rig.path(), bytes).expect("it can be written");
    };
    with(20, 3);
    check_refused(&rig, "got 3: a newer gateway wrote it");
    with(good.len() - 1, good[good.len() - 1] ^ 1);
    check_refused(&rig, "segment 1023: it is damaged");
    fs::write(rig.path(), &good[..good.len() - 1]).expect("it can be written");
    check_refused(&rig, "it is cut off");
    fs::write(rig.path(), "").expect("it can be written");
    check_refused(&rig, "it is cut off");
    fs::write(rig.path(), "totals").expect("it can be written");
    check_refused(&rig, "expected a state file, got something else");

    fs::write(rig.path(), &good).expect("it can be written");
    assert_eq!(rig.builder().start().scrape().value("g", &[]), Some(7.5));
}

#[test]
fn two_gateways_never_share_one() {
    let rig = Rig::new();
    let _first = rig.builder().start();
    check_refused(&rig, "another gateway uses it");
}

#[test]
fn a_place_that_can_not_be_written_stops_the_start() {
    let rig = Rig::new();
    let missing: &Path = &rig.folder.path().join("missing/state");
    for path in [missing, rig.folder.path()] {
        let finished = rig.builder().set("Metrics__StateFile", path).finish();
        assert_eq!(finished.code(), 1, "{}", finished.output());
        assert!(finished.output().contains("Metrics.StateFile"), "{}", finished.output());
    }
}

/// What can't be kept at the end is said, and shows in the exit status.
#[test]
fn a_last_writing_that_fails_is_told() {
    let rig = Rig::new();
    let gateway = rig.builder().start();
    fs::remove_dir_all(rig.folder.path()).expect("it can be removed");
    let (code, log) = rig.end(gateway, "TERM");
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("the state file can't be written"), "{log}");
}

/// The time between two gateways does not count for what is idle.
#[test]
fn the_time_in_which_no_gateway_ran_does_not_count() {
    let rig = Rig::new();
    let builder = || rig.builder().set("Metrics__SeriesTtlSeconds", "4");
    let first = builder().start();
    rig.redis.push(&[r#"{"name":"c_total","value":1}"#]);
    first.scrape_after(1);
    rig.end(first, "TERM");
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_secs(5) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let second = builder().start();
    assert_eq!(second.scrape().value("c_total", &[]), Some(1.0));
    second.scrape_until("it to leave", |seen| seen.family("c_total").is_none());
}
