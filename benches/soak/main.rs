//! The soak bench: a gateway under load for as long as one likes, while its
//! series come and go, it is scraped, and what it depends on is killed. Prints
//! its memory over time.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 20
//! ```
//!
//! Each row follows one disturbance: connections are cut, Redis is killed and
//! started anew, or stopped for a second; with `--kill-gateway-after N` the
//! gateway is killed too. Memory has to be flat from the second quarter on:
//! until then caches fill up and series reach the age at which they expire.

mod load;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use load::Load;
use support::gateway::{Gateway, Scrape};
use support::redis_server::RedisServer;
use support::{BINARY, Failure};
use tempfile::TempDir;

/// Runs a gateway under load and prints its memory over time.
#[derive(Debug, Parser)]
struct Options {
    /// Minutes, with a row for each [default: 20; as a test 4 rows in some seconds].
    #[arg(long)]
    minutes: Option<u64>,

    /// Samples per second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,

    /// Series at a time.
    #[arg(long, default_value_t = 50_000)]
    series: u64,

    /// Seconds in which each series gives way to a new one, once.
    #[arg(long, default_value_t = 120)]
    churn: u64,

    /// Scrapes for each row.
    #[arg(long, default_value_t = 12)]
    scrapes: u32,

    /// Kills the gateway after so many rows.
    #[arg(long)]
    kill_gateway_after: Option<u64>,

    /// Gateway to run, which is the load tool too; the one of this build where not given.
    #[arg(long, value_name = "FILE", default_value = BINARY, hide_default_value = true)]
    gateway: PathBuf,

    /// Keeps totals in a state file, which the gateway that follows a killed one loads.
    #[arg(long)]
    keep_state: bool,

    /// A setting of the gateway, by its environment name: NAME=VALUE.
    #[arg(long)]
    set: Vec<String>,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by `cargo test` to select tests by name.
    #[arg(hide = true)]
    filters: Vec<String>,
}

/// What happens before the scrapes of a row.
#[derive(Debug, Clone, Copy)]
enum Disturbance {
    Nothing,
    CutConnections,
    KillRedis,
    StopRedis,
    KillGateway,
}

impl Disturbance {
    fn before_row(number: u64, options: &Options) -> Self {
        match number {
            0 => Disturbance::Nothing,
            _ if Some(number) == options.kill_gateway_after => Disturbance::KillGateway,
            _ => match number % 4 {
                1 => Disturbance::CutConnections,
                2 => Disturbance::KillRedis,
                3 => Disturbance::StopRedis,
                _ => Disturbance::Nothing,
            },
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Disturbance::Nothing => "nothing",
            Disturbance::CutConnections => "connections cut",
            Disturbance::KillRedis => "Redis killed",
            Disturbance::StopRedis => "Redis stopped for 1 s",
            Disturbance::KillGateway => "gateway killed",
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    support::main("soak", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let (rows, between) = match options.bench {
        true => (options.minutes.unwrap_or(20), Duration::from_secs(60)),
        false => (4, Duration::from_millis(500)),
    };
    let mut soak = Soak::start(options)?;
    println!("| minute | before | RSS, MiB | series | samples/s | scrape ms | exposition MiB |");
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    let mut memory = Vec::new();
    for number in 0..rows {
        memory.push(soak.row(Disturbance::before_row(number, options), between)?);
    }
    tell_whether_flat(&memory);
    Ok(())
}

/// The servers and the load.
struct Soak<'a> {
    options: &'a Options,
    settings: Vec<(&'a str, &'a str)>,
    /// Where the state file is, if there is one: the same for all gateways.
    state: Option<TempDir>,
    redis: RedisServer,
    gateway: Gateway,
    load: Load,
    started: Instant,
}

impl<'a> Soak<'a> {
    fn start(options: &'a Options) -> Result<Self, Failure> {
        let pair = |text: &'a String| text.split_once('=').ok_or("expected --set NAME=VALUE");
        let settings = options.set.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let state = options.keep_state.then(tempfile::tempdir).transpose()?;
        let redis = RedisServer::start(None)?;
        let gateway = start_gateway(options, redis.port(), &settings, state.as_ref())?;
        let load = Load::start(redis.port(), options)?;
        Ok(Soak { options, settings, state, redis, gateway, load, started: Instant::now() })
    }

    /// One row of the table; resident bytes at its end.
    fn row(&mut self, disturbance: Disturbance, between: Duration) -> Result<u64, Failure> {
        let begun = Instant::now();
        self.disturb(disturbance)?;
        let before = self.scrape()?;
        let counted_from = Instant::now();
        for scrape in 1..=self.options.scrapes {
            pause((between * scrape / self.options.scrapes).saturating_sub(begun.elapsed()));
            self.scrape()?;
        }
        self.load.check()?;
        let last = self.scrape()?;
        let taken = last.processed + last.dropped - before.processed - before.dropped;
        let rss = self.gateway.usage()?.rss;
        println!(
            "| {:.1} | {} | {:.1} | {} | {:.0} | {:.1} | {:.1} |",
            self.started.elapsed().as_secs_f64() / 60.0,
            disturbance.as_str(),
            mib(rss),
            self.gateway.shown_series()?,
            taken as f64 / counted_from.elapsed().as_secs_f64(),
            last.time.as_secs_f64() * 1e3,
            mib(last.bytes),
        );
        match taken {
            0 => Err(self.gateway.failure("has taken nothing")),
            _ => Ok(rss),
        }
    }

    /// A scrape; where it fails since the gateway has ended, its last words.
    fn scrape(&mut self) -> Result<Scrape, Failure> {
        self.gateway.scrape().or_else(|error| self.gateway.check().and(Err(error)))
    }

    fn disturb(&mut self, disturbance: Disturbance) -> Result<(), Failure> {
        match disturbance {
            Disturbance::Nothing => {}
            Disturbance::CutConnections => self.redis.cut_connections()?,
            Disturbance::KillRedis => self.redis.kill_and_start()?,
            Disturbance::StopRedis => {
                self.redis.signal("STOP")?;
                pause(Duration::from_secs(1));
                self.redis.signal("CONT")?;
            }
            Disturbance::KillGateway => {
                self.gateway.kill()?;
                let (port, state) = (self.redis.port(), self.state.as_ref());
                self.gateway = start_gateway(self.options, port, &self.settings, state)?;
            }
        }
        Ok(())
    }
}

fn start_gateway(
    options: &Options,
    port: u16,
    settings: &[(&str, &str)],
    state: Option<&TempDir>,
) -> Result<Gateway, Failure> {
    let path = state.map(|folder| folder.path().join("state"));
    let path = path.as_ref().and_then(|path| path.to_str());
    let file = path.map(|path| ("Metrics__StateFile", path));
    let settings: Vec<(&str, &str)> = settings.iter().copied().chain(file).collect();
    Gateway::start(&options.gateway, port, &settings)
}

/// Compares the memory of the last quarter with that of the second.
fn tell_whether_flat(memory: &[u64]) {
    let quarter = memory.len() / 4;
    let median = |rows: &[u64]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        mib(rows[rows.len() / 2])
    };
    let early = median(&memory[quarter..2 * quarter]);
    let late = median(&memory[3 * quarter..]);
    println!("\nMedian RSS of the second quarter {early:.1} MiB, of the last one {late:.1} MiB.");
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::disallowed_methods, reason = "the time under load is what is measured")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}
