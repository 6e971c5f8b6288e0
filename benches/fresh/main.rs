//! The fresh bench: how soon a sample shows, and what an idle gateway and small loads
//! cost.
//!
//! ```text
//! cargo bench --bench fresh
//! cargo bench --bench fresh -- --small [--gateway FILE]
//! ```
//!
//! A sample is visible when a scrape that was asked for shows it; the time runs
//! from the LPUSH to the last byte of that scrape, so a scrape's own duration is
//! part of it.

#[path = "../support/mod.rs"]
mod support;
mod small;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use support::gateway::Gateway;
use support::redis_server::RedisServer;
use support::{BINARY, Failure};

/// How long one sample may take to show before the bench gives up.
const LIMIT: Duration = Duration::from_secs(5);

/// Measures freshness, start-up and idling.
#[derive(Debug, Parser)]
struct Options {
    /// Samples pushed one by one [default: 500; 5 as a test].
    #[arg(long)]
    pushes: Option<usize>,

    /// Seconds to idle [default: 20; 1 as a test].
    #[arg(long)]
    idle: Option<u64>,

    /// Measures small loads instead: 100, 1,000 and 10,000 pushes a second, and none.
    #[arg(long)]
    small: bool,

    /// Rounds of small loads [default: 3; 1 as a test].
    #[arg(long)]
    rounds: Option<usize>,

    /// Measures the small loads of this binary instead of this build's gateway.
    #[arg(long)]
    gateway: Option<PathBuf>,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by `cargo test` to select tests by name.
    #[arg(hide = true)]
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    support::main("fresh", &options.filters, || {
        if options.small || !options.bench {
            small::run(&rounds(&options))?;
        }
        if options.small { Ok(()) } else { run(&options) }
    })
}

fn rounds(options: &Options) -> small::Rounds {
    let (count, load, idle) = if options.bench { (3, 4_000, 16) } else { (1, 100, 1) };
    let rates: &[u64] = if options.bench { &[0, 100, 1_000, 10_000] } else { &[100] };
    small::Rounds {
        gateway: options.gateway.clone().unwrap_or_else(|| BINARY.into()),
        count: options.rounds.unwrap_or(count),
        rates,
        load: Duration::from_millis(load),
        idle: Duration::from_secs(options.idle.unwrap_or(idle)),
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let (pushes, idle) = if options.bench { (500, 20) } else { (5, 1) };
    let mut redis = RedisServer::start(None)?;
    println!("| figure | value |\n| --- | ---: |");
    let started = start_up(&redis, if options.bench { 10 } else { 1 })?;
    println!("| start to ready, median, ms | {:.1} |", millis(started));
    let gateway = Gateway::start(Path::new(BINARY), redis.port(), &[])?;
    let idle = Duration::from_secs(options.idle.unwrap_or(idle));
    let share = idle_share(&gateway, idle)?;
    println!("| idle CPU, % of a core over {} s | {:.2} |", idle.as_secs(), share * 100.0);
    println!("| idle RSS, MiB | {:.1} |", gateway.usage()?.rss as f64 / f64::from(1 << 20));
    let mut delays = (1..=options.pushes.unwrap_or(pushes) as u64)
        .map(|total| push_to_visible(&mut redis, &gateway, total))
        .collect::<Result<Vec<Duration>, Failure>>()?;
    delays.sort();
    let at = |share: f64| millis(delays[((delays.len() - 1) as f64 * share) as usize]);
    println!("| LPUSH to visible, p50, ms | {:.2} |", at(0.5));
    println!("| LPUSH to visible, p99, ms | {:.2} |", at(0.99));
    Ok(())
}

/// From the start of the process to the first 200 of `/-/ready`.
fn start_up(redis: &RedisServer, rounds: usize) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let before = Instant::now();
        Gateway::start(Path::new(BINARY), redis.port(), &[])?;
        times.push(before.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// The share of one core that a gateway without work takes.
fn idle_share(gateway: &Gateway, idle: Duration) -> Result<f64, Failure> {
    pause(Duration::from_secs(1));
    let before = gateway.usage()?.cpu;
    pause(idle);
    Ok((gateway.usage()?.cpu - before).as_secs_f64() / idle.as_secs_f64())
}

/// Pushes the sample that makes a counter `total` and scrapes until it shows.
fn push_to_visible(
    redis: &mut RedisServer,
    gateway: &Gateway,
    total: u64,
) -> Result<Duration, Failure> {
    // Long enough for every reader to wait again, and not in step with a timer.
    pause(Duration::from_millis(20 + total % 7));
    redis.push(&[r#"{"name":"fresh_total","value":1}"#.to_owned()])?;
    let pushed = Instant::now();
    while gateway.value_of("fresh_total ")? < total {
        if pushed.elapsed() > LIMIT {
            return Err(gateway.failure(&format!("has not shown a sample after {LIMIT:?}")));
        }
    }
    Ok(pushed.elapsed())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::disallowed_methods, reason = "time without work is what is measured")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
