//! The arena: a cluster behind proxies, four gateways for three partitions, producers
//! for each partition, a scraper, and the judgement at the end.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::chaos::proxy::{Cut, Proxy};
use super::super::chaos::scraper::{Scraper, totals_at};
use psg_testkit::process::free_port;
use psg_testkit::producers::{Producers, Target, seed};
use psg_testkit::redis::QUEUE;
use psg_testkit::totals::{Totals, difference};
use psg_testkit::wait::wait_within;
use psg_testkit::{Gateway, GatewayBuilder, RedisCluster};

/// How many partitions there are, and nodes that have one each.
pub const PARTITIONS: usize = 3;
/// One more than there are partitions: it stands by.
const GATEWAYS: usize = PARTITIONS + 1;
/// Producers of each partition.
const PRODUCERS: usize = 2;
/// How long anything may take to be right again.
const SETTLING: Duration = Duration::from_secs(90);

/// What the scripts at a home say of themselves.
pub const ENTER: &[u8] = b"At a home: fences earlier owners";
pub const DELIVER: &[u8] = b"At a home: puts deltas";

pub struct PartitionArena {
    pub cluster: RedisCluster,
    pub random: ChaCha8Rng,
    proxies: Vec<Proxy>,
    producers: Producers,
    scraper: Scraper,
    gateways: Vec<Option<Gateway>>,
    ports: Vec<u16>,
    connection: String,
}

/// The key of a partition.
fn key(partition: usize) -> String {
    match partition {
        0 => QUEUE.to_owned(),
        partition => format!("{QUEUE}:{partition}"),
    }
}

impl PartitionArena {
    pub fn start() -> Self {
        let seed = seed();
        let mut proxies = Vec::new();
        let cluster = RedisCluster::behind(PARTITIONS, |port| {
            proxies.push(Proxy::start(port));
            proxies.last().expect("it was pushed").port()
        });
        // Each partition has a node of its own.
        for partition in 0..PARTITIONS {
            cluster.reshard(&key(partition), partition);
        }
        let nodes: Vec<u16> = cluster.nodes().iter().map(|node| node.port()).collect();
        let target =
            |producer: usize| Target { queue: key(producer % PARTITIONS), ports: nodes.clone() };
        let targets = (0..PARTITIONS * PRODUCERS).map(target).collect();
        let ports: Vec<u16> = (0..GATEWAYS).map(|_| free_port()).collect();
        let addresses: Vec<String> = proxies.iter().map(Proxy::address).collect();
        let mut arena = Self {
            producers: Producers::at(seed, targets),
            scraper: Scraper::of_partitions(ports.clone()),
            gateways: ports.iter().map(|_| None).collect(),
            random: ChaCha8Rng::seed_from_u64(seed),
            connection: addresses.join(","),
            cluster,
            proxies,
            ports,
        };
        arena.all_up();
        arena.wait_until_served();
        arena
    }

    /// Starts every gateway that is down or has ended, which only one does that was
    /// displaced.
    pub fn all_up(&mut self) {
        for (gateway, port) in self.gateways.iter_mut().zip(&self.ports) {
            if let Some(gateway) = gateway {
                if gateway.ended().is_none() {
                    continue;
                }
                let log = gateway.log().join("\n");
                assert!(log.contains("another gateway has taken the queue over"), "{log}");
            }
            *gateway = Some(start(&self.connection, *port));
        }
    }

    /// Lets things go on for a random time.
    #[expect(clippy::disallowed_methods, reason = "chaos comes at any time")]
    pub fn go_on(&mut self, most_milliseconds: u64) {
        let time = self.random.random_range(0..=most_milliseconds);
        std::thread::sleep(Duration::from_millis(time));
        self.scraper.check();
    }

    /// What each gateway shows, if it shows anything.
    fn shown(&self) -> Vec<(usize, Totals)> {
        let of = |(gateway, port): (usize, &u16)| {
            totals_at(*port).filter(|totals| !totals.is_empty()).map(|totals| (gateway, totals))
        };
        self.ports.iter().enumerate().filter_map(of).collect()
    }

    /// Waits until every partition has a gateway that shows what it has; those that
    /// end are started again.
    pub fn wait_until_served(&mut self) {
        wait_within(SETTLING, "all partitions to be served", || {
            self.all_up();
            self.is_served()
        });
    }

    /// The same, while that gateway stays down.
    pub fn wait_until_served_without(&mut self, down: usize, patience: Duration) {
        wait_within(patience, "the others to serve all partitions", || {
            assert!(self.gateways[down].is_none());
            self.is_served()
        });
    }

    fn is_served(&self) -> Result<(), String> {
        let ready = |port: &&u16| {
            psg_testkit::http::get(**port, "/-/ready", &[]).is_ok_and(|reply| reply.status == 200)
        };
        let count = self.ports.iter().filter(ready).count();
        if count == PARTITIONS { Ok(()) } else { Err(format!("{count} are ready")) }
    }

    /// A gateway that shows totals.
    pub fn an_owner(&mut self) -> usize {
        let owners = self.shown();
        owners[self.random.random_range(0..owners.len())].0
    }

    /// Kills it, and leaves it down.
    pub fn kill(&mut self, gateway: usize) {
        if let Some(mut killed) = self.gateways[gateway].take() {
            killed.kill();
        }
    }

    pub fn kill_a_gateway(&mut self) {
        let gateway = self.random.random_range(0..GATEWAYS);
        self.kill(gateway);
    }

    pub fn stop_a_gateway_past_its_lease(&mut self) {
        self.wait_until_served();
        let owner = self.an_owner();
        let Some(gateway) = &self.gateways[owner] else { return };
        gateway.signal("STOP");
        // It counts as running meanwhile; others may end and are started again.
        self.wait_until_served();
        let Some(gateway) = &self.gateways[owner] else { return };
        gateway.signal("CONT");
        self.go_on(300);
    }

    /// Sets a trap before that node.
    pub fn trap(&self, node: usize, words: &'static [u8], cut: Cut) {
        self.proxies[node].trap(words, cut);
    }

    /// A slot goes to another node while it is used.
    pub fn reshard(&mut self) {
        let partition = self.random.random_range(0..PARTITIONS);
        let key = key(partition);
        let to = self.random.random_range(0..PARTITIONS);
        let to = self.cluster.primary_of(&self::key(to));
        self.cluster.reshard(&key, to);
    }

    /// A replica takes the place of its primary.
    pub fn fail_over(&mut self) {
        let key = key(self.random.random_range(0..PARTITIONS));
        let primary = self.cluster.primary_of(&key);
        self.cluster.fail_over(primary);
        self.cluster.wait_until_whole();
    }

    /// A node is killed, and comes back with its file.
    pub fn restart_a_node(&mut self) {
        let key = key(self.random.random_range(0..PARTITIONS));
        let primary = self.cluster.primary_of(&key);
        self.cluster.nodes_mut()[primary].go_down();
        self.go_on(300);
        self.cluster.nodes_mut()[primary].go_up();
        self.cluster.wait_until_whole();
    }

    /// Waits until so many partitions are shown.
    pub fn wait_until_some_are_served(&self, count: usize) {
        wait_within(SETTLING, "the partitions that are left to be served", || {
            let shown = self.shown().len();
            if shown == count { Ok(()) } else { Err(format!("{shown} are shown")) }
        });
    }

    /// Waits until some total is more than it is now.
    pub fn wait_until_totals_rise(&self) {
        let before: Totals = self.shown().into_iter().flat_map(|(_, totals)| totals).collect();
        wait_within(SETTLING, "a total to rise", || {
            let now = self.shown().into_iter().flat_map(|(_, totals)| totals);
            let has_risen =
                |(key, total): &(String, f64)| before.get(key).is_some_and(|before| total > before);
            now.into_iter().find(has_risen).map(drop).ok_or_else(|| "none does".to_owned())
        });
    }

    /// Ends the producers and waits until the gateways show exactly what they pushed,
    /// each series on one of them. Gauges show the last batch of each producer.
    pub fn judge(mut self) {
        let producers = std::mem::replace(&mut self.producers, Producers::at(0, Vec::new()));
        let (expected, last) = producers.finish();
        wait_within(SETTLING, "the totals to be those pushed", || {
            self.scraper.check();
            self.all_up();
            let mut found = Totals::new();
            for (gateway, totals) in self.shown() {
                for (key, total) in totals {
                    if found.insert(key.clone(), total).is_some() {
                        return Err(format!("{key} is on gateway {gateway} and another one"));
                    }
                }
            }
            difference(&expected, &found).map_or(Ok(()), Err)
        });
        for (producer, last) in last.iter().enumerate() {
            self.judge_gauge(producer, *last);
        }
        let scrapes = self.scraper.finish();
        eprintln!("{last:?} batches, {scrapes} scrapes");
    }

    fn judge_gauge(&self, producer: usize, last: u64) {
        let label = producer.to_string();
        let seen = self.gateways.iter().flatten().filter_map(|gateway| gateway.try_scrape().ok());
        let found: Vec<f64> = seen.filter_map(|seen| seen.value("g", &[("p", &label)])).collect();
        assert_eq!(found, [last as f64], "the gauge of producer {producer}");
    }
}

/// A gateway that serves, whether or not it owns anything.
fn start(connection: &str, port: u16) -> Gateway {
    GatewayBuilder::connecting(connection)
        .on_port(port)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__MetricQueuePartitions", PARTITIONS.to_string())
        .set("Redis__PartitionFlushMs", "200")
        .set("Redis__LeaseSeconds", "2")
        .set("Redis__CheckpointIntervalSeconds", "1")
        .start_unready()
}
