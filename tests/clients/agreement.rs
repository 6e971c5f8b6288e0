//! A thousand random calls: `/metrics` shows what they come to.
//!
//! A busy machine may hold a push up for longer than the client waits. Then its
//! samples were taken or they were not, all of them, and once.

use std::thread;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use psg_testkit::embedded::Embedded;
use psg_testkit::producers::seed;
use psg_testkit::redis::QUEUE;
use psg_testkit::{Exposition, Gateway, RedisServer, Rig, wait_for};

use super::calls::{Call, Labels, Made, Process, batches};
use super::drivers::Driver;
use super::model::{Model, difference, shown};

const CALLS: usize = 1000;

/// Flushes that failed on a busy machine, at most.
const MAX_FAILED: usize = 6;

const DESCRIBED: [&str; 2] = ["contract_calls_total", "contract_run_seconds"];
const HELP: &str = "What \"calls\" \\ come to.";

/// By way of a real Redis, with one reader, so that the order is kept.
pub fn by_redis(driver: &Driver) {
    let rig = Rig::start();
    let flushed = make(driver, rig.redis.port(), seed(), Process::Alone);
    agree(&rig.gateway, &flushed);
    is_described(&rig.gateway);
    has_a_unit(&rig.gateway);
}

/// With the metrics of another library, and the package's bridge.
pub fn of_instrumented_code(driver: &Driver) {
    let rig = Rig::start();
    let flushed = make(driver, rig.redis.port(), seed(), Process::Alone);
    agree(&rig.gateway, &flushed);
    is_described(&rig.gateway);
}

/// By way of the gateway's own queue.
pub fn by_the_embedded_queue(driver: &Driver) {
    let embedded = Embedded::with("embedded", &[("Redis__MetricQueueWorkers", "1")]);
    let flushed = make(driver, embedded.port, seed(), Process::Alone);
    agree(&embedded.gateway, &flushed);
    is_described(&embedded.gateway);
    has_a_unit(&embedded.gateway);
}

/// Two at once, to readers who are several.
pub fn of_two_processes(driver: &Driver) {
    let rig = Rig::with(&[("Redis__MetricQueueWorkers", "2")]);
    let (port, seed) = (rig.redis.port(), seed());
    let flushed = thread::scope(|scope| {
        let process = |number: u8| {
            let seed = seed.wrapping_add(number.into());
            scope.spawn(move || make(driver, port, seed, Process::OneOf(number)))
        };
        let both = [process(0), process(1)];
        both.into_iter().flat_map(|one| one.join().expect("it has told")).collect::<Vec<_>>()
    });
    agree(&rig.gateway, &flushed);
}

/// A process keeps to one of the partitions, and processes spread over all of them.
pub fn of_partitions(driver: &Driver) {
    const PARTITIONS: [&str; 2] = [QUEUE, "prom-stream-gateway:metric-queue:1"];
    let redis = RedisServer::start();
    let lengths = || PARTITIONS.map(|key| redis.run::<u64>(&["LLEN", key]));
    let mut before = lengths();
    // Were one chosen by all of these, that would be once in a million runs.
    for _ in 0..20 {
        let environment = [("PROM_STREAM_GATEWAY_PARTITIONS", "2")];
        let mut driven = driver.start_with(redis.port(), &environment);
        for _ in 0..=MAX_FAILED {
            driven.call(r#"{"call":"counter","name":"a_total","labels":{},"value":1}"#);
            driven.flush();
        }
        driven.end();
        let now = lengths();
        let gained = now.iter().zip(before).filter(|(now, before)| **now > *before).count();
        assert_eq!(gained, 1, "{}: from {before:?} to {now:?}", driver.language);
        before = now;
        if now.iter().all(|length| *length > 0) {
            break;
        }
    }
    assert!(before.iter().all(|length| *length > 0), "{before:?}");
    let keys: Vec<String> = redis.run(&["KEYS", "*"]);
    assert_eq!(keys.len(), PARTITIONS.len(), "{keys:?}");
}

/// Any names that the gateway takes where nothing is set, and no others.
pub fn of_any_script(driver: &Driver) {
    const TAKEN: [&str; 4] = ["größe.bytes", "温度", "a \"b\" \\ c", "1st"];
    const NOT_TAKEN: [(&str, &str); 4] = [(" \u{2003}", "a"), ("", "a"), ("a", "__é"), ("a", "")];
    let rig = Rig::start();
    let mut driven = driver.start(rig.redis.port());
    let set = |name: &str, label: &str| {
        let (name, label) = (serde_json::json!(name), serde_json::json!(label));
        format!(r#"{{"call":"gauge","op":"set","name":{name},"labels":{{{label}:"x"}},"value":1}}"#)
    };
    NOT_TAKEN.iter().for_each(|(name, label)| driven.call(&set(name, label)));
    assert_eq!(driven.flush().dropped, NOT_TAKEN.len() as u64, "{}", driven.name());
    // One of these flushes arrives.
    for _ in 0..=MAX_FAILED {
        TAKEN.iter().for_each(|name| driven.call(&set(name, name)));
        driven.flush();
    }
    driven.end();
    let accept = ("Accept", "text/plain;version=1.0.0;escaping=allow-utf-8");
    wait_for("the names to be shown as they are", || {
        let page = rig.gateway.must_get("/metrics", &[accept]).text();
        let is_missing = |name: &&&str| {
            let name = serde_json::json!(name);
            !page.lines().any(|line| line == format!(r#"{{{name},{name}="x"}} 1"#))
        };
        let missing: Vec<_> = TAKEN.iter().filter(is_missing).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no {missing:?} in {page}")) }
    });
    nothing_is_refused(&rig.gateway.scrape());
}

/// The calls between two flushes, and whether the flush said that they are there.
struct Flushed {
    calls: Vec<Made>,
    is_sure: bool,
}

fn make(driver: &Driver, port: u16, seed: u64, process: Process) -> Vec<Flushed> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut driven = driver.start(port);
    let help = serde_json::to_string(HELP).expect("text is JSON");
    for (name, unit) in DESCRIBED.into_iter().zip(["null", "\"seconds\""]) {
        driven
            .call(&format!(r#"{{"call":"describe","name":"{name}","help":{help},"unit":{unit}}}"#));
    }
    let mut dropped = 0;
    let mut flushed: Vec<Flushed> = Vec::new();
    let mut batches = batches(seed, process, CALLS);
    // A random choice may have none of what is described; one of these flushes arrives.
    batches.extend(vec![of_each_described(); MAX_FAILED + 1]);
    for calls in batches {
        for made in &calls {
            driven.call(&made.json(&mut draw));
        }
        let report = driven.flush();
        flushed.push(Flushed { calls, is_sure: report.dropped == dropped });
        dropped = report.dropped;
    }
    let failed = flushed.iter().filter(|one| !one.is_sure).count();
    let last = driven.end();
    assert!(failed <= MAX_FAILED && last.dropped == dropped, "{failed} flushes failed: {last:?}");
    flushed
}

fn of_each_described() -> Vec<Made> {
    let made = |call, name| Made { call, name, labels: Labels::new(), value: 1.0 };
    vec![made(Call::Counter, DESCRIBED[0]), made(Call::Histogram(false), DESCRIBED[1])]
}

/// Some choice of the flushes that failed, together with all others, is shown.
fn agree(gateway: &Gateway, flushed: &[Flushed]) {
    let unsure: Vec<usize> = (0..flushed.len()).filter(|index| !flushed[*index].is_sure).collect();
    let candidates: Vec<_> = (0..1u32 << unsure.len())
        .map(|choice| {
            let mut model = Model::default();
            for (index, one) in flushed.iter().enumerate() {
                let bit = unsure.iter().position(|unsure| *unsure == index);
                if bit.is_none_or(|bit| choice & (1 << bit) != 0) {
                    one.calls.iter().for_each(|made| model.add(made));
                }
            }
            model.lines()
        })
        .collect();
    let seen = wait_for("/metrics to show what was called", || {
        let seen = gateway.scrape();
        let lines = shown(&seen);
        let differences: Vec<_> =
            candidates.iter().map(|candidate| difference(candidate, &lines)).collect();
        match differences.into_iter().reduce(|one, other| one.or(other)) {
            Some(Err(why)) => Err(why),
            Some(Ok(())) | None => Ok(seen),
        }
    });
    nothing_is_refused(&seen);
}

/// A client sends nothing that the gateway refuses.
fn nothing_is_refused(seen: &Exposition) {
    let (_, rejected) = seen.totals();
    assert_eq!(rejected, 0, "the gateway refused samples");
}

fn is_described(gateway: &Gateway) {
    let seen = gateway.scrape();
    for name in DESCRIBED {
        let help = seen.family(name).map(|family| family.help.clone());
        assert_eq!(help.as_deref(), Some("What \"calls\" \\\\ come to."), "{name}");
    }
}

fn has_a_unit(gateway: &Gateway) {
    let openmetrics = psg_testkit::gateway::ACCEPT_OPENMETRICS;
    let text = gateway.must_get("/metrics", &[openmetrics]).text();
    let unit = "# UNIT contract_run_seconds seconds\n";
    assert!(text.contains(unit), "OpenMetrics has no {unit:?}");
}
