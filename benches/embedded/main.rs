//! The embedded bench: the gateway as its own queue, beside the same gateway
//! behind a redis-server, with real producers in the same run.
//!
//! ```text
//! cargo bench --bench embedded
//! ```
//!
//! Each push is one LPUSH of 20 samples, whose answer is waited for before the
//! connection pushes again, as invocations do. The time runs from the start of
//! the producer to the scrape that shows every sample; producer, redis-server
//! and gateway share the machine's cores, so compare within a producer.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use support::gateway::{Gateway, cpu_of};
use support::redis_server::{QUEUE, RedisServer};
use support::{BINARY, Failure};

/// Samples of one LPUSH.
const BATCH: u64 = 20;

/// How long all samples may take to show after the producer has ended.
const LIMIT: Duration = Duration::from_secs(60);

/// Measures the embedded queue beside the way through a redis-server.
#[derive(Debug, Parser)]
struct Options {
    /// Samples per round [default: 2000000; 20000 as a test].
    #[arg(long)]
    samples: Option<u64>,

    /// Rounds, each both ways [default: 3; 1 as a test].
    #[arg(long)]
    rounds: Option<usize>,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by `cargo test` to select tests by name.
    #[arg(hide = true)]
    filters: Vec<String>,
}

/// Who pushes.
#[derive(Debug, Clone, Copy)]
enum Producer {
    /// `redis-benchmark`, the same 20 samples each time.
    Benchmark {
        /// Clients at a time.
        clients: u32,
        /// Pushes that each sends before it waits.
        pipeline: u32,
    },
    /// The load tool, with its default mix.
    Load {
        /// Connections.
        connections: u32,
    },
}

/// Which way the samples go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Redis,
    Embedded,
}

/// What one round brought.
#[derive(Debug, Clone, Copy)]
struct Round {
    rate: f64,
    /// µs of processor time for a sample.
    gateway: f64,
    redis: f64,
}

const PRODUCERS: [Producer; 3] = [
    Producer::Benchmark { clients: 50, pipeline: 1 },
    Producer::Benchmark { clients: 50, pipeline: 16 },
    Producer::Load { connections: 2 },
];

fn main() -> ExitCode {
    let options = Options::parse();
    support::main("embedded", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let (samples, rounds) = if options.bench { (2_000_000, 3) } else { (20_000, 1) };
    let samples = options.samples.unwrap_or(samples).next_multiple_of(BATCH);
    let rounds = options.rounds.unwrap_or(rounds);
    println!(
        "| producer | way | M samples/s | CPU of the gateway, µs/sample | CPU of redis-server, µs/sample |"
    );
    println!("| --- | --- | ---: | ---: | ---: |");
    for producer in PRODUCERS {
        let mut seen: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            seen[0].push(round(producer, Way::Redis, samples)?);
            seen[1].push(round(producer, Way::Embedded, samples)?);
        }
        let [redis, embedded] = seen.map(median);
        println!("{}", row(producer, "redis-server, then the gateway", redis));
        println!("{}", row(producer, "embedded", embedded));
    }
    Ok(())
}

fn round(producer: Producer, way: Way, samples: u64) -> Result<Round, Failure> {
    let redis = if way == Way::Redis { Some(RedisServer::start(None)?) } else { None };
    let (gateway, port) = match &redis {
        Some(redis) => (Gateway::start(Path::new(BINARY), redis.port(), &[])?, redis.port()),
        None => Gateway::start_embedded(Path::new(BINARY), &[])?,
    };
    let redis_cpu = || redis.as_ref().map_or(Ok(Duration::ZERO), |one| cpu_of(one.process_id()));
    let (gateway_before, redis_before) = (gateway.usage()?.cpu, redis_cpu()?);
    let started = Instant::now();
    push(producer, port, samples)?;
    let pushed = Instant::now();
    let ended = loop {
        let asked = Instant::now();
        let scrape = gateway.scrape()?;
        if scrape.processed + scrape.dropped >= samples {
            break asked;
        }
        if pushed.elapsed() > LIMIT {
            return Err(gateway.failure("did not take every sample"));
        }
    };
    let per_sample = |spent: Duration| spent.as_secs_f64() * 1e6 / samples as f64;
    Ok(Round {
        rate: samples as f64 / (ended - started).as_secs_f64() / 1e6,
        gateway: per_sample(gateway.usage()?.cpu - gateway_before),
        redis: per_sample(redis_cpu()? - redis_before),
    })
}

fn push(producer: Producer, port: u16, samples: u64) -> Result<(), Failure> {
    let port = port.to_string();
    let mut command = match producer {
        Producer::Benchmark { clients, pipeline } => {
            let mut command = Command::new("redis-benchmark");
            command.args(["-p", &port, "-q", "-n", &(samples / BATCH).to_string()]);
            command.args(["-c", &clients.to_string(), "-P", &pipeline.to_string()]);
            command.args(["LPUSH", QUEUE]).args((0..BATCH).map(payload));
            command
        }
        Producer::Load { connections } => {
            let mut command = Command::new(BINARY);
            command.args(["load", "--rate", "0", "--batch", &BATCH.to_string(), "--seed", "1"]);
            command.args(["--count", &samples.to_string()]);
            command.args(["--connections", &connections.to_string()]);
            command.args(["--redis", &format!("redis://127.0.0.1:{port}")]);
            command
        }
    };
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the producer ended with {}: {said}", output.status).into());
    }
    Ok(())
}

/// A sample of some 100 bytes, as a fleet sends it.
fn payload(number: u64) -> String {
    format!(
        "{{\"type\":\"counter\",\"name\":\"bench_requests_total\",\"value\":1,\
         \"labels\":{{\"method\":\"GET\",\"route\":\"/route/{number}\"}}}}"
    )
}

/// The round whose rate is in the middle.
fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    rounds[rounds.len() / 2]
}

fn row(producer: Producer, way: &str, round: Round) -> String {
    let producer = match producer {
        Producer::Benchmark { clients, pipeline } => {
            format!("redis-benchmark, {clients} clients, {pipeline} in flight each")
        }
        Producer::Load { connections } => format!("load tool, {connections} connections"),
    };
    let Round { rate, gateway, redis } = round;
    format!("| {producer} | {way} | {rate:.2} | {gateway:.2} | {redis:.2} |")
}
