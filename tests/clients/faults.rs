//! A Redis that fails: no flush waits for long, what is lost is counted, and what
//! comes afterwards arrives.

use std::time::Duration;

use psg_testkit::process::free_port;
use psg_testkit::{GatewayBuilder, RedisServer, Rig};

use super::drivers::{Driven, Driver, Report};
use super::model::shown;
use super::peers::{answers_with_errors, cuts, cuts_an_answer, peer, says_nothing};

/// What the packages promise of a flush, whatever Redis does. What is more, a busy
/// machine has taken: of several flushes one keeps to it.
const PROMISED: Duration = Duration::from_millis(300);
const TRIES: usize = 8;

/// All of them keep to far less than what the libraries wait by themselves.
const PATIENCE: Duration = Duration::from_secs(4);

const COUNTER: &str = r#"{"call":"counter","name":"contract_calls_total","labels":{"a":"b"}}"#;
const GAUGE: &str = r#"{"call":"gauge","op":"set","name":"contract_level","value":1}"#;

pub fn nothing_holds_a_flush_up(driver: &Driver) {
    let port = free_port();
    let gateway = GatewayBuilder::connecting("embedded")
        .set("Embedded__ListenAddress", format!("127.0.0.1:{port}"))
        .set("Redis__MetricQueueKey", "another-queue");
    let _gateway = gateway.start();
    for (what, port) in [
        ("a gateway of another key", port),
        ("a port that refuses", free_port()),
        ("a server that says nothing", peer(says_nothing)),
        ("a server that cuts", peer(cuts)),
        ("a server that cuts an answer", peer(cuts_an_answer)),
        ("a server that answers with errors", peer(answers_with_errors)),
    ] {
        fails_in_time(driver.start(port), what);
    }
}

fn fails_in_time(mut driven: Driven, what: &str) {
    let mut dropped = 0;
    let mut times = Vec::new();
    for _ in 0..TRIES {
        driven.call(COUNTER);
        driven.call(GAUGE);
        let report = driven.flush();
        let whole = || format!("{}, {what}: {report:?}", driven.name());
        assert!(report.dropped == dropped + 2, "expected {} dropped: {}", dropped + 2, whole());
        assert!(report.reason.is_some() && took(&report) < PATIENCE, "{}", whole());
        dropped = report.dropped;
        times.push(took(&report));
        if took(&report) < PROMISED {
            break;
        }
    }
    let shortest = times.iter().min().expect("it was tried");
    assert!(*shortest < PROMISED, "{}, {what}: it took {times:?}", driven.name());
    driven.end();
}

fn took(report: &Report) -> Duration {
    Duration::from_secs_f64(report.elapsed_ms / 1000.0)
}

/// Between two flushes, as while a function is frozen. A busy machine may hold one
/// of them up.
pub fn a_connection_that_was_cut_is_replaced(driver: &Driver) {
    const ROUNDS: u64 = 6;
    let redis = RedisServer::start();
    let mut driven = driver.start(redis.port());
    let mut dropped = 0;
    let mut lost = 0;
    for _ in 0..ROUNDS {
        (_, dropped) = until_taken(&mut driven, dropped);
        let killed: u64 = redis.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert!(killed > 0, "{} has no connection", driven.name());
        driven.call(COUNTER);
        let report = driven.flush();
        lost += report.dropped - dropped;
        dropped = report.dropped;
    }
    assert!(lost <= 1, "{}: {lost} of {ROUNDS} were lost", driven.name());
    driven.end();
}

/// Down and up again, and stopped in the middle of a push, which it takes
/// afterwards or doesn't.
pub fn it_goes_on_after_an_outage_and_counts_nothing_twice(driver: &Driver) {
    let mut rig = Rig::start();
    let mut driven = driver.start(rig.redis.port());
    let mut called = 0;
    let mut dropped = 0;
    for round in 0..3 {
        let is_paused = round == 1;
        match round {
            0 => {}
            1 => rig.redis.pause(),
            _ => rig.redis.go_down(),
        }
        if round > 0 {
            called += 1;
            driven.call(COUNTER);
            let report = driven.flush();
            let whole = || format!("{}, in round {round}: {report:?}", driven.name());
            assert_eq!(report.dropped, dropped + 1, "{}", whole());
            dropped = report.dropped;
            if is_paused { rig.redis.resume() } else { rig.redis.go_up() }
        }
        let (tried, lost) = until_taken(&mut driven, dropped);
        called += tried;
        dropped = lost;
        // Before the next outage takes the queue away.
        rig.gateway.scrape_until("what was taken to be applied", |seen| {
            rig.redis.pending() == 0 && seen.value("contract_calls_total", &[("a", "b")]).is_some()
        });
    }
    driven.end();
    let seen = rig
        .gateway
        .scrape_until("all that is sure to be shown", |seen| total(seen) >= called - dropped);
    assert!(total(&seen) <= called, "{} of {called}, {dropped} dropped", total(&seen));
    assert_eq!(shown(&seen).len(), 1);
}

/// Calls until a flush says that it was taken; how many calls, and how many were
/// dropped in all.
fn until_taken(driven: &mut Driven, mut dropped: u64) -> (u64, u64) {
    for called in 1..=50 {
        driven.call(COUNTER);
        let report = driven.flush();
        if report.dropped == dropped {
            return (called, dropped);
        }
        dropped = report.dropped;
        #[expect(clippy::disallowed_methods, reason = "the pace of a producer")]
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{} does not go on", driven.name());
}

fn total(seen: &psg_testkit::Exposition) -> u64 {
    seen.value("contract_calls_total", &[("a", "b")]).unwrap_or(0.0) as u64
}

/// NaN, text that is not UTF-8, what is no JSON: nothing of it is thrown or sent,
/// and it keeps nothing else back.
pub fn what_is_no_sample_is_dropped(driver: &Driver) {
    let mut rig = Rig::start();
    let mut driven = driver.start(rig.redis.port());
    driven.call(r#"{"call":"bad"}"#);
    let bad = driven.flush();
    assert!(bad.dropped > 0 && bad.reason.is_some(), "{}: {bad:?}", driven.name());
    let (called, dropped) = until_taken(&mut driven, bad.dropped);
    driven.call(r#"{"call":"bad"}"#);
    driven.call(COUNTER);
    let last = driven.end();
    assert!(last.dropped > dropped, "{last:?}");
    // What others push in between tells that all was taken.
    rig.push(&[r#"{"type":"counter","name":"end_total","value":1}"#]);
    let seen =
        rig.gateway.scrape_until("the last one", |seen| seen.value("end_total", &[]).is_some());
    assert_eq!(seen.totals().1, 0, "the gateway refused samples");
    let names: Vec<_> = seen.produced().into_keys().collect();
    assert_eq!(names, ["contract_calls_total", "end_total"]);
    assert!(total(&seen) <= called + 1);
}
