//! From push to `/metrics`, and an end that loses nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redis::cmd;

use psg_testkit::embedded::Embedded;
use psg_testkit::redis::QUEUE;

const SAMPLE: &str = r#"{"name":"n_total","value":1,"labels":{"i":"7"}}"#;

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);

#[test]
fn a_push_shows() {
    let embedded = Embedded::start();
    let mut connection = embedded.connect();
    let length: i64 = cmd("LPUSH").arg(QUEUE).arg(&[SAMPLE; 3]).query(&mut connection).unwrap();
    assert_eq!(length, 3);
    cmd("RPUSH").arg(QUEUE).arg(&[SAMPLE, "{bad"]).exec(&mut connection).unwrap();
    let seen = embedded.gateway.scrape_after(5);
    assert_eq!(seen.value("n_total", &[("i", "7")]), Some(4.0));
    assert_eq!(seen.totals(), (4, 1));
    let own = |name: &str| seen.value(&format!("prom_stream_gateway_{name}"), &[]);
    assert_eq!(own("redis_up"), Some(1.0));
    let pending = ("queueKey", QUEUE);
    let pending = seen.value("prom_stream_gateway_redis_queue_pending_size", &[pending]);
    assert_eq!(pending, Some(0.0));
}

#[test]
fn what_was_acknowledged_is_applied_before_the_end() {
    for signal in ["TERM", "INT"] {
        let mut embedded = Embedded::start();
        let stop = AtomicBool::new(false);
        let acknowledged: u64 = thread::scope(|scope| {
            let pushers: Vec<_> = (0..4)
                .map(|_| {
                    let mut connection = embedded.connect();
                    let stop = &stop;
                    scope.spawn(move || push_until(&mut connection, stop))
                })
                .collect();
            let taken = |seen: &psg_testkit::Exposition| seen.totals().0 > 1_000;
            embedded.gateway.scrape_until("some samples to be taken", taken);
            embedded.gateway.signal(signal);
            let status = embedded.gateway.wait_at_most(STOP);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(status.code(), Some(0), "after SIG{signal}");
            pushers.into_iter().map(|pusher| pusher.join().unwrap()).sum()
        });
        let log = embedded.gateway.log();
        let processed = log.iter().rev().find_map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).ok()?;
            record.get("processed")?.as_u64()
        });
        let processed = processed.expect("the last record has the totals");
        // A push whose answer did not come may have been taken too.
        let most = acknowledged + 4 * 20;
        assert!(
            (acknowledged..=most).contains(&processed),
            "{acknowledged} were acknowledged, {processed} processed"
        );
    }
}

/// Pushes until the connection ends; how many samples were acknowledged.
fn push_until(connection: &mut redis::Connection, stop: &AtomicBool) -> u64 {
    let push = cmd("LPUSH").arg(QUEUE).arg(&[SAMPLE; 20]).take();
    let mut acknowledged = 0;
    while !stop.load(Ordering::Relaxed) && push.exec(connection).is_ok() {
        acknowledged += 20;
    }
    acknowledged
}
