//! The flood bench: what a crowd on the HTTP port does to ingestion, what a
//! flood of commands on the embedded queue does to its other clients, and what
//! silent clients cost.
//!
//! ```text
//! cargo bench --bench flood
//! cargo bench --bench flood -- --commands
//! ```
//!
//! Samples come at a steady rate, far below what a gateway can take. First
//! nobody disturbs; then thousands of connections say nothing, each made anew
//! when it is cut; then as many ask without a pause. The crowd is on the same
//! machine, so what it takes from the processor is not the gateway's doing. Last
//! come readers that ask for a large page and take nothing of it.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod crowd;
mod readers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use crowd::{Crowd, Manner};
use support::gateway::{Gateway, Usage};
use support::redis_server::RedisServer;
use support::{BINARY, Failure};

/// How long each flood of commands lasts, at most.
const COMMANDS_TIME: Duration = Duration::from_secs(5);

/// Samples in one push.
const BATCH: u64 = 500;

/// Measures ingestion under a flood of HTTP connections.
#[derive(Debug, Parser)]
struct Options {
    /// Connections of the crowd [default: 5000; 50 as a test].
    #[arg(long)]
    connections: Option<usize>,

    /// Seconds for each manner of the crowd [default: 20; 1 as a test].
    #[arg(long)]
    seconds: Option<u64>,

    /// Samples that come each second.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,

    /// The flood of commands alone.
    #[arg(long)]
    commands: bool,

    /// The slow readers of a large page alone.
    #[arg(long)]
    readers: bool,

    /// The gateway to measure [default: that of this build].
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
    support::main("flood", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let (connections, seconds) = if options.bench { (5000, 20) } else { (50, 1) };
    let connections = options.connections.unwrap_or(connections);
    let time = Duration::from_secs(options.seconds.unwrap_or(seconds));
    let binary = options.gateway.as_deref().unwrap_or(Path::new(BINARY));
    let (series, readers) = if options.bench { (100_000, 50) } else { (2_000, 5) };
    if options.readers {
        return readers::slow(binary, series, readers);
    }
    commands::measure(binary, time.min(COMMANDS_TIME))?;
    if options.commands {
        return Ok(());
    }
    crowd::make_room_for(connections)?;
    disturbed(binary, connections, time, options.rate)?;
    silent(binary, connections)?;
    readers::slow(binary, series, readers)
}

/// Ingestion beside each manner of crowd.
fn disturbed(binary: &Path, connections: usize, time: Duration, rate: u64) -> Result<(), Failure> {
    let mut redis = RedisServer::start(None)?;
    // Room for the crowd and for the scrape.
    let most = (connections + 64).to_string();
    println!(
        "| {connections} connections that | Http.MaxConnections | samples/s taken | greatest \
         backlog | scrape p50, ms | longest scrape, ms | gateway, CPU % | gateway, peak MiB | \
         answers/s to the crowd |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for (what, manner, limit) in [
        ("are not there", None, "1024"),
        ("say nothing", Some(Manner::Silent), "1024"),
        ("say nothing", Some(Manner::Silent), &*most),
        ("ask without a pause", Some(Manner::Asking), &*most),
    ] {
        let settings = [("Http__MaxConnections", limit)];
        let gateway = Gateway::start(binary, redis.port(), &settings)?;
        let port = gateway.port()?;
        let crowd = manner.map(|manner| Crowd::gather(port, connections, manner));
        let seen = watch(&mut redis, &gateway, time, rate)?;
        let answers = crowd.map_or(0, Crowd::disperse);
        println!(
            "| {what} | {limit} | {:.0} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
            seen.taken,
            seen.backlog,
            millis(seen.median_scrape),
            millis(seen.longest_scrape),
            seen.cpu * 100.0,
            mib(gateway.peak()?),
            answers as f64 / time.as_secs_f64(),
        );
    }
    println!();
    Ok(())
}

/// What was seen of ingestion.
struct Seen {
    taken: f64,
    backlog: u64,
    median_scrape: Duration,
    longest_scrape: Duration,
    cpu: f64,
}

/// Pushes at a steady rate for that time, scraping twice a second.
fn watch(
    redis: &mut RedisServer,
    gateway: &Gateway,
    time: Duration,
    rate: u64,
) -> Result<Seen, Failure> {
    let batch: Vec<String> = (0..BATCH)
        .map(|i| {
            format!(
                r#"{{"type":"counter","name":"requests_total","value":1,"labels":{{"path":"/{i}"}}}}"#
            )
        })
        .collect();
    let (began, before) = (Instant::now(), gateway.usage()?);
    let (mut pushed, mut backlog, mut scrapes) = (0, 0, Vec::new());
    while began.elapsed() < time {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        while pushed < due {
            redis.push(&batch)?;
            pushed += BATCH;
        }
        backlog = backlog.max(redis.queue_length()?);
        if began.elapsed().as_millis() / 500 >= scrapes.len() as u128 {
            let (took, _) = gateway.fetch(support::gateway::Format::Text)?;
            scrapes.push(took);
        }
    }
    let (elapsed, after) = (began.elapsed(), gateway.usage()?);
    let taken = pushed - redis.queue_length()?;
    scrapes.sort();
    Ok(Seen {
        taken: taken as f64 / elapsed.as_secs_f64(),
        backlog,
        median_scrape: scrapes[scrapes.len() / 2],
        longest_scrape: scrapes.last().copied().unwrap_or_default(),
        cpu: cpu_between(before, after) / elapsed.as_secs_f64(),
    })
}

/// What clients cost that are connected and say nothing.
fn silent(binary: &Path, connections: usize) -> Result<(), Failure> {
    println!("| silent clients of | clients | resident bytes each |\n| --- | ---: | ---: |");
    let most = (connections + 64).to_string();
    let settings = [("Http__MaxConnections", &*most), ("Embedded__MaxConnections", &*most)];
    for what in ["the embedded queue", "HTTP"] {
        let (gateway, queue) = Gateway::start_embedded(binary, &settings)?;
        let port = if what == "HTTP" { gateway.port()? } else { queue };
        let before = gateway.usage()?.rss;
        let held = crowd::hold(port, connections, || Ok(gateway.descriptors()? >= connections))?;
        let each = gateway.usage()?.rss.saturating_sub(before) / held.len() as u64;
        println!("| {what} | {} | {each} |", held.len());
    }
    println!();
    Ok(())
}

fn cpu_between(before: Usage, after: Usage) -> f64 {
    (after.cpu - before.cpu).as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
