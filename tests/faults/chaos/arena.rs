//! The arena: one Redis, gateways before it, producers and a scraper, and the
//! judgement at the end.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scraper::{Scraper, totals_at};
use psg_testkit::process::free_port;
use psg_testkit::producers::{Producers, seed};
use psg_testkit::redis::QUEUE;
use psg_testkit::totals::{Totals, add, difference};
use psg_testkit::wait::wait_within;
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer, wait_for};

/// How many producers there are.
const PRODUCERS: usize = 2;
/// How long the last totals may take.
const SETTLING: Duration = Duration::from_secs(40);

/// Everything that a case plays with.
pub struct Arena {
    pub redis: RedisServer,
    pub producers: Producers,
    pub scraper: Scraper,
    /// One for each port; `None` while it is down.
    pub gateways: Vec<Option<Gateway>>,
    pub random: ChaCha8Rng,
    ports: Vec<u16>,
    connection: String,
    /// What is to be taken off what was pushed.
    removed: Totals,
}

/// How many faults a case has: 20 kills by default.
pub fn faults(default: usize) -> usize {
    let given = std::env::var("PSG_CHAOS_KILLS").ok().and_then(|text| text.parse::<usize>().ok());
    given.map_or(default, |kills| (default * kills).div_ceil(20))
}

impl Arena {
    /// So many gateways, up; they reach Redis at `connection`.
    pub fn new(redis: RedisServer, connection: &str, gateways: usize) -> Self {
        let port = redis.port();
        Self::pushing_to(port, redis, connection, gateways)
    }

    /// As [`Arena::new`], with producers that push to another server at first.
    pub fn pushing_to(port: u16, redis: RedisServer, connection: &str, gateways: usize) -> Self {
        let seed = seed();
        let ports: Vec<u16> = (0..gateways).map(|_| free_port()).collect();
        let mut arena = Self {
            producers: Producers::start(seed, port, PRODUCERS),
            scraper: Scraper::start(ports.clone()),
            gateways: ports.iter().map(|_| None).collect(),
            random: ChaCha8Rng::seed_from_u64(seed),
            connection: connection.to_owned(),
            removed: Totals::new(),
            redis,
            ports,
        };
        arena.all_up();
        arena.wait_until_served();
        arena
    }

    /// Starts every gateway that is down or has ended.
    pub fn all_up(&mut self) {
        for (gateway, port) in self.gateways.iter_mut().zip(&self.ports) {
            let runs = gateway.as_mut().is_some_and(|gateway| gateway.ended().is_none());
            if !runs {
                *gateway = Some(start(&self.connection, *port));
            }
        }
    }

    /// The gateway that shows totals.
    pub fn owner(&self) -> Option<usize> {
        self.ports.iter().position(|port| totals_at(*port).is_some_and(|seen| !seen.is_empty()))
    }

    /// Whether another gateway than that one shows totals.
    pub fn other_shows_totals(&self, not: usize) -> bool {
        let others = self.ports.iter().enumerate().filter(|(index, _)| *index != not);
        others.into_iter().any(|(_, port)| totals_at(*port).is_some_and(|seen| !seen.is_empty()))
    }

    /// Waits until some gateway shows totals; those that end are started again.
    pub fn wait_until_served(&mut self) -> usize {
        wait_within(SETTLING, "a gateway to show totals", || {
            self.all_up();
            self.owner().ok_or_else(|| "none does".to_owned())
        })
    }

    /// Lets things go on for a random time.
    #[expect(clippy::disallowed_methods, reason = "chaos comes at any time")]
    pub fn go_on(&mut self, most_milliseconds: u64) {
        let time = self.random.random_range(0..=most_milliseconds);
        std::thread::sleep(Duration::from_millis(time));
        self.scraper.check();
    }

    /// Waits for some more batches.
    pub fn go_on_for_batches(&self, count: u64) {
        let from = self.producers.pushed();
        wait_for("producers to push", || {
            let pushed = self.producers.pushed() - from;
            if pushed >= count { Ok(()) } else { Err(format!("{pushed}")) }
        });
    }

    /// A stranger takes elements off the queue: they are gone.
    pub fn stranger_pops(&mut self, count: usize) {
        let popped: Option<Vec<String>> = self.redis.run(&["RPOP", QUEUE, &count.to_string()]);
        for payload in popped.unwrap_or_default() {
            add(&mut self.removed, &payload, -1.0);
        }
    }

    /// Ends the producers and waits until a gateway shows exactly what they
    /// pushed. Gauges show the last batch of each.
    pub fn judge(self) {
        let (scrape, last) = self.judge_without_gauges();
        for (producer, last) in last.iter().enumerate() {
            let gauge = scrape.value("g", &[("p", &producer.to_string())]);
            assert_eq!(gauge, Some(*last as f64), "the gauge of producer {producer}");
        }
    }

    /// As [`Arena::judge`], where gauges may have lost their last sample. The
    /// last scrape, and the number of each producer's last batch.
    pub fn judge_without_gauges(mut self) -> (Exposition, Vec<u64>) {
        let taken = std::mem::take(&mut self.removed);
        let (mut expected, last) = self.producers.finish();
        for (key, total) in taken {
            *expected.entry(key).or_default() += total;
        }
        let since = Instant::now();
        let mut gateways = self.gateways;
        let owner = wait_within(SETTLING, "the totals to be those pushed", || {
            self.scraper.check();
            for (gateway, port) in gateways.iter_mut().zip(&self.ports) {
                if gateway.as_mut().is_none_or(|gateway| gateway.ended().is_some()) {
                    *gateway = Some(start(&self.connection, *port));
                }
            }
            let seen =
                self.ports.iter().position(|port| totals_at(*port).is_some_and(|t| !t.is_empty()));
            let owner = seen.ok_or("no gateway shows totals")?;
            let found = totals_at(self.ports[owner]).ok_or("it stopped showing them")?;
            difference(&expected, &found).map_or(Ok(owner), Err)
        });
        let gateway = gateways[owner].as_ref().expect("the owner is up");
        let seen = gateway.try_scrape().expect("the owner shows totals");
        let scrapes = self.scraper.finish();
        eprintln!("{last:?} batches, {scrapes} scrapes, settled in {:?}", since.elapsed());
        (seen, last)
    }
}

/// A gateway that serves, whether or not it owns the queue.
fn start(connection: &str, port: u16) -> Gateway {
    GatewayBuilder::connecting(connection)
        .on_port(port)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__LeaseSeconds", "1")
        .set("Redis__CheckpointIntervalSeconds", "1")
        .start_unready()
}
