//! The same faults under at-most-once delivery: nothing counts twice, and
//! nothing is lost but by a fault, and then no more than was in hand.

use super::arena::faults;
use super::proxy::Proxy;
use psg_testkit::process::free_port;
use psg_testkit::producers::Producers;
use psg_testkit::producers::seed;
use psg_testkit::totals::{Totals, shown};
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

/// Elements that may be on their way from Redis at the same time.
const IN_FLIGHT: u64 = 3000;

/// What Prometheus makes of the scrapes: the increases, summed over the resets.
#[derive(Default)]
struct Increases {
    last: Totals,
    sums: Totals,
    /// The same of the samples processed.
    last_processed: u64,
    processed: u64,
}

impl Increases {
    fn see(&mut self, seen: &Exposition) {
        for (key, now) in shown(seen) {
            let before = self.last.insert(key.clone(), now).unwrap_or(0.0);
            let increase = if now < before { now } else { now - before };
            *self.sums.entry(key).or_default() += increase;
        }
        let (processed, rejected) = seen.totals();
        assert_eq!(rejected, 0, "every sample is sound");
        let restarted = processed < self.last_processed;
        self.processed += processed - if restarted { 0 } else { self.last_processed };
        self.last_processed = processed;
    }

    /// The process that counted has gone.
    fn reset(&mut self) {
        self.last.clear();
        self.last_processed = 0;
    }
}

fn start(connection: &str, port: u16) -> Gateway {
    GatewayBuilder::connecting(connection)
        .on_port(port)
        .set("Redis__MetricQueueWorkers", "1")
        .start_unready()
}

/// Waits until the queue is empty and everything taken is shown.
fn settle(redis: &RedisServer, gateway: &Gateway, increases: &mut Increases) {
    let mut before = None;
    wait_for("the queue to be empty and its effect to be shown", || {
        let seen = gateway.try_scrape()?;
        increases.see(&seen);
        let now = (redis.pending(), seen.totals().0);
        // Once more the same, with the gateway's connection up: nothing is on
        // its way any more.
        let is_ready = gateway.get("/-/ready", &[])?.status == 200;
        let is_settled = now.0 == 0 && is_ready && before == Some(now);
        before = Some(now);
        if is_settled { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

#[test]
fn at_most_once_counts_nothing_twice_and_loses_no_more_than_was_in_hand() {
    let mut redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let proxy = Proxy::start(redis.port());
    let port = free_port();
    let producers = Producers::start(seed(), redis.port(), 2);
    let mut gateway = start(&proxy.address(), port);
    let mut increases = Increases::default();
    let mut lost = 0;
    for round in 0..faults(9) {
        producers.resume();
        let from = producers.pushed();
        wait_for("producers to push", || {
            if let Ok(seen) = gateway.try_scrape() {
                increases.see(&seen);
            }
            if producers.pushed() >= from + 60 { Ok(()) } else { Err("too little".to_owned()) }
        });
        let shown_before = increases.processed;
        match round % 3 {
            0 => gateway.kill(),
            1 => proxy.cut_all(),
            _ => {
                redis.go_down();
                redis.go_up();
            }
        }
        producers.pause();
        let was_killed = round % 3 == 0;
        if was_killed {
            // What is neither in Redis nor was shown was in hand.
            let in_redis = redis.pending() as u64;
            let in_hand = producers.elements() - in_redis - shown_before - lost;
            lost += in_hand;
            increases.reset();
            gateway = start(&proxy.address(), port);
        }
        settle(&redis, &gateway, &mut increases);
        let missing = producers.elements() - increases.processed;
        assert!(missing >= lost, "{} elements count twice", lost - missing);
        let more = missing - lost;
        let most = if was_killed { 0 } else { IN_FLIGHT };
        assert!(
            more <= most,
            "{more} elements are lost by fault {round}, {most} were on their way"
        );
        lost = missing;
    }
    let (expected, _) = producers.finish();
    for (key, sum) in &increases.sums {
        let pushed = expected.get(key).copied().unwrap_or(0.0);
        assert!(*sum <= pushed + 1e-6, "{key} increased by {sum}, pushed was {pushed}");
    }
}
