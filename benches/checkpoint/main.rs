//! The checkpoint bench: what checkpoints of exactly-once delivery cost others,
//! or what writing the state file does.
//!
//! ```text
//! cargo bench --bench checkpoint
//! cargo bench --bench checkpoint -- --state-file
//! ```
//!
//! A gateway holds so many counters, and samples of all of them come at a steady
//! rate, so that each checkpoint writes the whole state. Meanwhile another client
//! of the same Redis sends a PING each millisecond and notes how long the answer
//! takes; Redis itself notes how long its scripts run, which a busy machine
//! blurs less. At the end the gateway is stopped and started again.

#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use support::gateway::Gateway;
use support::redis_server::{OtherClient, RedisServer};
use support::{BINARY, Failure};
use tempfile::TempDir;

const LIMITS: &[(&str, &str)] = &[
    ("Metrics__MaxSeries", "4000000"),
    ("Metrics__MaxSeriesPerMetric", "4000000"),
    ("Metrics__ReaderCacheSeries", "2000000"),
];
/// Metric names that the series are spread over.
const NAMES: u64 = 20;
const PAYLOADS_PER_PUSH: u64 = 500;
/// A prime, so that multiplying by it visits the series in no order.
const STRIDE: u64 = 999_999_937;
/// How long all series may take to be there, and a checkpoint to be done.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures what checkpoints cost others.
#[derive(Debug, Parser)]
struct Options {
    /// Counters that the gateway holds; several with commas [default:
    /// 100000,1000000; 2000 as a test].
    #[arg(long, value_delimiter = ',')]
    series: Vec<u64>,

    /// Samples per second.
    #[arg(long, default_value_t = 50_000)]
    rate: u64,

    /// Checkpoints to measure [default: 4; 1 as a test].
    #[arg(long)]
    checkpoints: Option<u64>,

    /// The time between two checkpoints, which is stretched where they write
    /// more than a tenth of what comes in.
    #[arg(long, default_value_t = 1)]
    interval: u64,

    /// Measures Metrics.StateFile, of at-most-once delivery, instead.
    #[arg(long)]
    state_file: bool,

    /// Gateway to measure, such as an earlier build.
    #[arg(long, value_name = "FILE", default_value = BINARY, hide_default_value = true)]
    gateway: PathBuf,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by `cargo test` to select tests by name.
    #[arg(hide = true)]
    filters: Vec<String>,
}

/// A gateway with its Redis, and where it keeps its state.
struct Bed<'o> {
    options: &'o Options,
    redis: RedisServer,
    gateway: Gateway,
    /// With the state file, where that is measured.
    folder: TempDir,
}

/// What was found for one number of series.
struct Figures {
    series: u64,
    checkpoints: u64,
    state_bytes: u64,
    bytes_per_second: f64,
    took: Duration,
    shard_pause_within: f64,
    reader_wait_within: f64,
    idle: Waits,
    busy: Waits,
    /// Of those that exactly-once delivery runs.
    longest_script: Option<Duration>,
    loaded_in: Duration,
}

/// How long a client waited for its answers.
struct Waits {
    median: Duration,
    most: Duration,
    longest: Duration,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.series.is_empty() {
        options.series = if options.bench { vec![100_000, 1_000_000] } else { vec![2_000] };
    }
    support::main("checkpoint", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let figures = options.series.iter().map(|series| measure(options, *series));
    print(&figures.collect::<Result<Vec<Figures>, Failure>>()?);
    Ok(())
}

fn measure(options: &Options, series: u64) -> Result<Figures, Failure> {
    let mut bed = Bed::start(options)?;
    bed.fill(series)?;
    bed.wait_until_kept()?;
    let idle = while_pinged(bed.redis.another_connection()?, || {
        pause(2000);
        Ok(())
    })?;
    let before = bed.gateway.value_of("prom_stream_gateway_checkpoint_bytes_total")?;
    let count = options.checkpoints.unwrap_or(if options.bench { 4 } else { 1 });
    bed.redis.watch_slow_commands()?;
    let started = Instant::now();
    let (pinger, load) = (bed.redis.another_connection()?, bed.redis.another_connection()?);
    let target = bed.checkpoints()? + count;
    let busy = while_pinged(pinger, || {
        while_loaded(load, options.rate, series, || bed.wait_for_checkpoint(target))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let slowest = bed.redis.slowest_script()?;
    let written = bed.gateway.value_of("prom_stream_gateway_checkpoint_bytes_total")? - before;
    let mean = bed.gateway.mean_of("prom_stream_gateway_checkpoint_duration_seconds")?;
    let within = |name: &str| bed.gateway.all_within(&format!("prom_stream_gateway_{name}"));
    Ok(Figures {
        series,
        checkpoints: count,
        state_bytes: written / count,
        bytes_per_second: written as f64 / seconds / (series as f64 / 100_000.0),
        took: Duration::from_secs_f64(mean),
        shard_pause_within: within("checkpoint_pause_seconds")?,
        reader_wait_within: within("inbox_wait_seconds")?,
        idle,
        busy,
        longest_script: (!options.state_file).then_some(slowest),
        loaded_in: bed.restart(series)?,
    })
}

impl<'o> Bed<'o> {
    fn start(options: &'o Options) -> Result<Self, Failure> {
        let redis = RedisServer::start(None)?;
        let folder = TempDir::new()?;
        let gateway = start_gateway(options, &redis, &folder)?;
        Ok(Self { options, redis, gateway, folder })
    }

    /// Pushes one sample of each series and waits until all are taken.
    fn fill(&mut self, series: u64) -> Result<(), Failure> {
        let mut next = 0;
        while next < series {
            let end = series.min(next + PAYLOADS_PER_PUSH);
            self.redis.push(&(next..end).map(payload).collect::<Vec<_>>())?;
            next = end;
        }
        self.wait("has not taken all series in time", |bed| Ok(bed.gateway.taken()? >= series))
    }

    /// How many were written.
    fn checkpoints(&mut self) -> Result<u64, Failure> {
        if self.options.state_file { self.gateway.checkpoints() } else { self.redis.checkpoints() }
    }

    fn wait_for_checkpoint(&mut self, target: u64) -> Result<(), Failure> {
        self.wait("has not written its checkpoints in time", |bed| Ok(bed.checkpoints()? >= target))
    }

    /// Waits until all that was taken is kept: nothing that was claimed is left, or
    /// the file was written anew after the writing under way, which may not have
    /// everything.
    fn wait_until_kept(&mut self) -> Result<(), Failure> {
        if self.options.state_file {
            let covering = self.checkpoints()? + 2;
            return self.wait_for_checkpoint(covering);
        }
        self.wait("has not covered everything in time", |bed| {
            Ok(bed.redis.claimed_lists()? == 0 && bed.checkpoints()? > 0)
        })
    }

    fn wait(
        &mut self,
        failure: &str,
        is_so: impl Fn(&mut Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self)? {
            if Instant::now() > deadline {
                return Err(self.gateway.failure(failure));
            }
            pause(20);
        }
        Ok(())
    }

    /// How long a start takes that loads the state.
    fn restart(self, series: u64) -> Result<Duration, Failure> {
        self.gateway.stop()?;
        let before = Instant::now();
        let gateway = start_gateway(self.options, &self.redis, &self.folder)?;
        let loaded_in = before.elapsed();
        let shown = gateway.shown_series()?;
        if shown != series {
            return Err(gateway.failure(&format!("shows {shown} series of {series}")));
        }
        Ok(loaded_in)
    }
}

fn start_gateway(
    options: &Options,
    redis: &RedisServer,
    folder: &TempDir,
) -> Result<Gateway, Failure> {
    let interval = options.interval.to_string();
    let file = folder.path().join("state").display().to_string();
    let kept: &[(&str, &str)] = if options.state_file {
        &[("Metrics__StateFile", &file), ("Metrics__StateFileIntervalSeconds", &interval)]
    } else {
        &[("Redis__Delivery", "exactly-once"), ("Redis__CheckpointIntervalSeconds", &interval)]
    };
    Gateway::start(&options.gateway, redis.port(), &[LIMITS, kept].concat())
}

fn print(figures: &[Figures]) {
    let row = |name: &str, of: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = figures.iter().map(of).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    let within = |seconds: f64| format!("{}", seconds * 1000.0);
    row("counters", &|f| f.series.to_string());
    println!("| --- |{}", " ---: |".repeat(figures.len()));
    row("checkpoints measured", &|f| f.checkpoints.to_string());
    row("bytes of each, MB", &|f| format!("{:.1}", f.state_bytes as f64 / 1e6));
    row("bytes written per second and 100,000 series, MB", &|f| {
        format!("{:.2}", f.bytes_per_second / 1e6)
    });
    row("mean time from snapshot to commit, ms", &|f| ms(f.took));
    row("no shard paused for more than, ms", &|f| within(f.shard_pause_within));
    row("the reader never waited for a shard for more than, ms", &|f| within(f.reader_wait_within));
    row("longest script, by Redis' own clock, ms", &|f| {
        f.longest_script.map_or("none".to_owned(), ms)
    });
    row("PING of another client, no load: median, ms", &|f| ms(f.idle.median));
    row("PING, no load: longest, ms", &|f| ms(f.idle.longest));
    row("PING, load and checkpoints: median, ms", &|f| ms(f.busy.median));
    row("PING, load and checkpoints: 99.9 %, ms", &|f| ms(f.busy.most));
    row("PING, load and checkpoints: longest, ms", &|f| ms(f.busy.longest));
    row("start until ready, after a clean stop, ms", &|f| ms(f.loaded_in));
}

/// Does something while samples of all series come at a steady rate.
fn while_loaded<T>(
    mut connection: OtherClient,
    rate: u64,
    series: u64,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| -> Result<(), String> {
            let (started, mut sent) = (Instant::now(), 0);
            while !stop.load(Ordering::Relaxed) {
                let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
                if sent + PAYLOADS_PER_PUSH > due {
                    pause(1);
                    continue;
                }
                let series = (sent..sent + PAYLOADS_PER_PUSH).map(|n| n * STRIDE % series);
                let payloads: Vec<String> = series.map(payload).collect();
                connection.push(&payloads).map_err(|error| error.to_string())?;
                sent += PAYLOADS_PER_PUSH;
            }
            Ok(())
        });
        let outcome = work();
        stop.store(true, Ordering::Relaxed);
        load.join().map_err(|_| "the load panicked")??;
        outcome
    })
}

/// Does something while another client sends PINGs.
fn while_pinged(
    mut pinger: OtherClient,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<Waits, Failure> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let pings = scope.spawn(|| -> Result<Vec<Duration>, String> {
            let mut waits = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                waits.push(pinger.ping().map_err(|error| error.to_string())?);
                pause(1);
            }
            Ok(waits)
        });
        let outcome = work();
        stop.store(true, Ordering::Relaxed);
        let mut waits = pings.join().map_err(|_| "the pinger panicked")??;
        outcome?;
        waits.sort();
        let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
        Ok(Waits { median: at(0.5), most: at(0.999), longest: at(1.0) })
    })
}

fn payload(index: u64) -> String {
    format!(
        r#"{{"type":"counter","name":"bench_metric_{}_total","value":1,"labels":{{"instance":"instance-{}","job":"bench","region":"region-{}"}}}}"#,
        index % NAMES,
        index / NAMES,
        index % 4
    )
}

/// Between two looks at a condition.
#[expect(clippy::disallowed_methods, reason = "each caller waits for a condition or keeps a pace")]
fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}
