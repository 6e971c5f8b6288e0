//! The partitions bench: what it costs that several gateways share a queue.
//!
//! ```text
//! cargo bench --bench partitions
//! ```
//!
//! The load tool pushes at a rate, a process for each partition, until all gateways
//! together show every sample. All of them share the machine's cores, so compare the
//! lines of one run. Then samples are pushed one by one, each to the next partition,
//! and the gateways are scraped until one of them shows it.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use support::gateway::{Gateway, cpu_of};
use support::redis_server::{QUEUE, RedisServer};
use support::{BINARY, Failure};

/// How long the samples of a round may take to show after the producers have ended.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks whether they do.
const LOOK: Duration = Duration::from_millis(100);

/// Measures partitions beside a queue without.
#[derive(Debug, Parser)]
struct Options {
    /// Numbers of partitions.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    partitions: Vec<usize>,

    /// Samples a second [default: 100000; 20000 as a test].
    #[arg(long)]
    rate: Option<u64>,

    /// Seconds of each round [default: 15; 1 as a test].
    #[arg(long)]
    seconds: Option<u64>,

    /// Rounds of each, by turns [default: 3; 1 as a test].
    #[arg(long)]
    rounds: Option<usize>,

    /// Samples pushed one by one [default: 100; 2 as a test].
    #[arg(long)]
    pushes: Option<u64>,

    /// Milliseconds for which gateways add up before they send on.
    #[arg(long, default_value_t = 1000)]
    flush: u64,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by `cargo test` to select tests by name.
    #[arg(hide = true)]
    filters: Vec<String>,
}

/// What a round brought.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Of all gateways together, µs for a sample.
    gateways: f64,
    /// µs of redis-server for a sample.
    redis: f64,
    /// Bytes that came into redis-server, and went out of it, for a sample.
    bytes: [f64; 2],
}

/// A Redis and as many gateways as the queue has partitions.
struct Fleet {
    redis: RedisServer,
    gateways: Vec<Gateway>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    support::main("partitions", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let (rate, seconds, rounds, pushes) =
        if options.bench { (100_000, 15, 3, 100) } else { (20_000, 1, 1, 2) };
    let rate = options.rate.unwrap_or(rate);
    let samples = rate * options.seconds.unwrap_or(seconds);
    let mut seen: Vec<Vec<Round>> = options.partitions.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds.unwrap_or(rounds) {
        for (partitions, rounds) in options.partitions.iter().zip(&mut seen) {
            rounds.push(round(*partitions, rate, samples, options.flush)?);
        }
    }
    println!(
        "| partitions | CPU of all gateways, µs/sample | of the first line | CPU of redis-server, \
         µs/sample | bytes in, out for a sample | LPUSH to visible p50, p99, ms |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut first = None;
    for (partitions, rounds) in options.partitions.iter().zip(seen) {
        let Round { gateways, redis, bytes: [input, output] } = median(rounds);
        let ratio = gateways / *first.get_or_insert(gateways);
        let [p50, p99] = delays(*partitions, options.pushes.unwrap_or(pushes), options.flush)?;
        println!(
            "| {partitions} | {gateways:.2} | {ratio:.2} | {redis:.2} | {input:.0}, {output:.0} | \
             {p50:.0}, {p99:.0} |"
        );
    }
    Ok(())
}

impl Fleet {
    fn start(partitions: usize, flush: u64) -> Result<Self, Failure> {
        let redis = RedisServer::start(None)?;
        let (count, flush) = (partitions.to_string(), flush.to_string());
        let settings = [
            ("Redis__Delivery", "exactly-once"),
            ("Redis__MetricQueuePartitions", &*count),
            ("Redis__PartitionFlushMs", &*flush),
        ];
        let start = |_| Gateway::start(Path::new(BINARY), redis.port(), &settings);
        let gateways = (0..partitions).map(start).collect::<Result<_, Failure>>()?;
        Ok(Self { redis, gateways })
    }

    fn cpu(&self) -> Result<Duration, Failure> {
        self.gateways.iter().map(|gateway| Ok(gateway.usage()?.cpu)).sum()
    }

    fn taken(&self) -> Result<u64, Failure> {
        self.gateways.iter().map(Gateway::taken).sum()
    }
}

fn round(partitions: usize, rate: u64, samples: u64, flush: u64) -> Result<Round, Failure> {
    let mut fleet = Fleet::start(partitions, flush)?;
    let (gateways, redis) = (fleet.cpu()?, cpu_of(fleet.redis.process_id())?);
    let bytes = fleet.redis.network_bytes()?;
    let share = partitions as u64;
    let producers: Vec<Child> = (0..partitions)
        .map(|partition| push(&key(partition), fleet.redis.port(), rate / share, samples / share))
        .collect::<Result<_, Failure>>()?;
    for mut producer in producers {
        let status = producer.wait()?;
        if !status.success() {
            return Err(format!("a producer ended with {status}").into());
        }
    }
    let (pushed, expected) = (Instant::now(), samples / share * share);
    while fleet.taken()? < expected {
        if pushed.elapsed() > LIMIT {
            return Err(fleet.gateways[0].failure("and the others did not take every sample"));
        }
        pause(LOOK);
    }
    let per_sample = |spent: Duration| spent.as_secs_f64() * 1e6 / expected as f64;
    let now = fleet.redis.network_bytes()?;
    let bytes = [0, 1].map(|way| (now[way] - bytes[way]) as f64 / expected as f64);
    Ok(Round {
        gateways: per_sample(fleet.cpu()? - gateways),
        redis: per_sample(cpu_of(fleet.redis.process_id())? - redis),
        bytes,
    })
}

fn key(partition: usize) -> String {
    if partition == 0 { QUEUE.to_owned() } else { format!("{QUEUE}:{partition}") }
}

fn push(key: &str, port: u16, rate: u64, samples: u64) -> Result<Child, Failure> {
    let mut command = Command::new(BINARY);
    command.args(["load", "--batch", "20", "--connections", "1", "--seed", "1"]);
    command.args(["--rate", &rate.to_string(), "--count", &samples.to_string()]);
    command.args(["--key", key, "--redis", &format!("redis://127.0.0.1:{port}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

/// From the LPUSH of a sample to the scrape that shows it, in ms: median and p99.
fn delays(partitions: usize, pushes: u64, flush: u64) -> Result<[f64; 2], Failure> {
    let mut fleet = Fleet::start(partitions, flush)?;
    let mut delays = Vec::new();
    for number in 1..=pushes {
        let key = key(number as usize % partitions);
        // Not in step with a timer.
        pause(Duration::from_millis(number * 37 % flush.max(1)));
        fleet.redis.push_to(&key, &[r#"{"name":"fresh_total","value":1}"#.to_owned()])?;
        let pushed = Instant::now();
        loop {
            let shown = fleet.gateways.iter().map(|gateway| gateway.value_of("fresh_total "));
            if shown.sum::<Result<u64, Failure>>()? >= number {
                break;
            }
            if pushed.elapsed() > LIMIT {
                return Err(fleet.gateways[0].failure("and the others have not shown a sample"));
            }
        }
        delays.push(pushed.elapsed().as_secs_f64() * 1e3);
    }
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    Ok([at(0.5), at(0.99)])
}

/// The round whose gateways took the middle.
fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|one, other| one.gateways.total_cmp(&other.gateways));
    rounds[rounds.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "the pace of the bench")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
