//! The load tool: pushes made-up samples onto the queue at a steady rate, as the
//! reference's performance tool does. In flow order:
//!
//! ```text
//! corpus, pacer ─► feed ─► pusher (one per connection) ─► progress
//! ```

mod args;
mod corpus;
mod feed;
mod pacer;
mod progress;
mod pusher;

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::stop_flag::StopFlag;
use args::{RedisAddress, parse_duration};
use clap::{Args, Parser, value_parser};
use corpus::{Corpus, Mix, REFERENCE_MIX};
use feed::Feed;
use pacer::Pacer;
use progress::{Glance, RunProgress, summarize};
use pusher::{PushRun, PushTally, connect};
use redis::{Client, Connection};

/// Where Redis is, if no argument says so.
const ADDRESS: &str = "PROM_STREAM_GATEWAY_LOAD_REDIS";

const DEFAULT_ADDRESS: &str = "redis://127.0.0.1:6379";

/// What to push, how fast and where to.
#[derive(Debug, Clone, Args)]
pub struct LoadOptions {
    /// Samples per second, over all connections; 0 = as fast as possible
    #[arg(long, value_name = "SAMPLES", default_value_t = 1000)]
    rate: u64,

    /// How long to push: 30s, 5m, or a number of seconds [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "count")]
    duration: Option<Duration>,

    /// How many samples to push [default: until Ctrl-C]
    #[arg(long, value_name = "SAMPLES", value_parser = value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Spread the samples over this many series [default: 3564 of each metric type, a million for
    /// distinct]
    #[arg(long, value_name = "SERIES")]
    series: Option<u64>,

    /// What to push, as whole weights. Besides the metric types: shuffled (from eight programs, each
    /// with its own order of fields and labels and its own serializer), add, max and min (to a
    /// gauge), anyscript (a counter whose name and label are of any script), duration (an observation
    /// in a histogram of ten buckets with a unit), exemplar (the same with one), values (twenty of
    /// them), whole (twenty, as counts of buckets), native (one in a native histogram), wholenative
    /// (twenty, as counts of native buckets), distinct (each series once before any comes again),
    /// newlabel (a series per sample), bad (to be rejected)
    #[arg(long, value_name = "WEIGHTS", default_value = REFERENCE_MIX)]
    mix: Mix,

    /// Replace each series by a new one after this many samples, as in a fleet whose members come
    /// and go
    #[arg(long, value_name = "SAMPLES", value_parser = value_parser!(u64).range(1..))]
    churn: Option<u64>,

    /// Let each sample say when it was made, so that the gateway can tell how far it is behind
    #[arg(long)]
    timestamps: bool,

    /// Samples per LPUSH, at most; fewer at rates so low that they would come in bursts
    #[arg(long, value_name = "SAMPLES", default_value_t = 20,
          value_parser = value_parser!(u32).range(1..=100_000))]
    batch: u32,

    /// Connections to push over
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = value_parser!(u16).range(1..=1000))]
    connections: u16,

    /// Where Redis is: redis://, rediss:// or unix://, or host:port. One with a password is better
    /// put into the environment, as PROM_STREAM_GATEWAY_LOAD_REDIS: arguments are seen by others
    /// [default: redis://127.0.0.1:6379]
    #[arg(long, value_name = "URL")]
    redis: Option<RedisAddress>,

    /// The list to push to
    #[arg(long, value_name = "KEY", default_value = "prom-stream-gateway:metric-queue")]
    key: String,

    /// Seed: the same one makes the same samples [default: random, and printed]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Runs the load tool until its goal, Ctrl-C or an error; prints a summary to
/// stdout, all else to stderr.
pub fn run(options: &LoadOptions) -> ExitCode {
    match try_run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Pushes as the load tool does by default, at `rate` samples per second, to
/// the Redis at `address` until `stop` is set. Shows nothing.
pub fn push_quietly(address: &str, rate: u64, stop: StopFlag) -> Result<(), String> {
    let rate = rate.to_string();
    let defaults = Defaults::try_parse_from(["load", "--redis", address, "--rate", &rate]);
    let options = defaults.map_err(|error| error.to_string())?.options;
    push(&options, stop, RunProgress::Quiet)?.outcome
}

#[derive(Debug, Parser)]
struct Defaults {
    #[command(flatten)]
    options: LoadOptions,
}

fn try_run(options: &LoadOptions) -> Result<(), String> {
    let stop = StopFlag::default();
    stop.set_on_signal().map_err(|error| format!("can't wait for Ctrl-C: {error}"))?;
    let done = push(options, stop, RunProgress::Shown)?;
    println!("{}", done.summary);
    done.outcome
}

/// What came of a run that has begun.
struct Done {
    summary: String,
    outcome: Result<(), String>,
}

fn push(options: &LoadOptions, stop: StopFlag, progress: RunProgress) -> Result<Done, String> {
    let mix = match options.series {
        Some(series) => options.mix.clone().with_series(series).map_err(|e| e.to_string())?,
        None => options.mix.clone(),
    };
    let info = options.address().connection_info()?;
    let address = info.addr().to_string();
    let unreachable = |error| format!("can't use redis at {address}: {error}");
    let client = Client::open(info).map_err(unreachable)?;
    let connections = (0..options.connections).map(|_| connect(&client));
    let connections = connections.collect::<Result<Vec<_>, _>>().map_err(unreachable)?;
    let mut monitor = QueueWatch::open(&client, &options.key).map_err(unreachable)?;

    let seed = options.seed.unwrap_or_else(rand::random);
    progress.say(&format!("pushing to {address}, list {}, seed {seed}", options.key));
    let run = PushRun {
        client,
        key: options.key.clone(),
        feed: Feed::new(options.corpus(seed, mix), options.pacer(), options.count),
        started: Instant::now(),
        stop,
        progress,
        tally: PushTally::default(),
    };
    Ok(push_over_all(&run, connections, &mut monitor))
}

impl LoadOptions {
    fn address(&self) -> RedisAddress {
        let in_environment = || env::var(ADDRESS).ok().map(RedisAddress::from);
        let given = self.redis.clone().or_else(in_environment);
        given.unwrap_or_else(|| RedisAddress::from(DEFAULT_ADDRESS.to_owned()))
    }

    fn corpus(&self, seed: u64, mix: Mix) -> Corpus {
        let mut corpus = Corpus::new(seed, mix);
        if let Some(samples) = self.churn {
            corpus = corpus.with_churn(samples);
        }
        if self.timestamps {
            corpus = corpus.with_timestamps(seconds_now);
        }
        corpus
    }

    fn pacer(&self) -> Pacer {
        Pacer::new(self.rate, self.batch, self.duration)
    }
}

fn seconds_now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}

fn push_over_all(run: &PushRun, connections: Vec<Connection>, monitor: &mut QueueWatch) -> Done {
    let (alive, all_done) = mpsc::channel::<()>();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let push = |connection| {
            let alive = alive.clone();
            scope.spawn(move || {
                let outcome = run.push_all(connection);
                if outcome.is_err() {
                    run.stop.set();
                }
                drop(alive);
                (outcome, run.started.elapsed())
            })
        };
        let pushers: Vec<_> = connections.into_iter().map(push).collect();
        drop(alive);
        monitor.watch(run, &all_done);
        pushers.into_iter().map(|pusher| pusher.join().expect("a pusher never panics")).collect()
    });
    let elapsed = outcomes.iter().map(|(_, elapsed)| *elapsed).max().unwrap_or_default();
    let summary = summarize(monitor.glance(run, elapsed), run.tally.pushed_again());
    let failed = outcomes.into_iter().find_map(|(outcome, _)| outcome.err());
    let outcome = failed.map_or(Ok(()), |error| Err(format!("redis refused a push: {error}")));
    Done { summary, outcome }
}

/// Looks at the queue over a connection of its own.
struct QueueWatch {
    client: Client,
    key: String,
    connection: Option<Connection>,
}

impl QueueWatch {
    /// Connects and makes sure that the key is a list or absent.
    fn open(client: &Client, key: &str) -> redis::RedisResult<Self> {
        let mut connection = connect(client)?;
        queue_length(&mut connection, key)?;
        let (client, key) = (client.clone(), key.to_owned());
        Ok(QueueWatch { client, key, connection: Some(connection) })
    }

    /// Shows how the run stands until every pusher is done.
    fn watch(&mut self, run: &PushRun, all_done: &Receiver<()>) {
        let mut before = None;
        while all_done.recv_timeout(RunProgress::PERIOD) == Err(RecvTimeoutError::Timeout) {
            let glance = self.glance(run, run.started.elapsed());
            run.progress.show(glance, before.replace(glance));
        }
    }

    fn glance(&mut self, run: &PushRun, elapsed: Duration) -> Glance {
        Glance { elapsed, pushed: run.tally.pushed(), queue: self.queue_length() }
    }

    fn queue_length(&mut self) -> Option<u64> {
        if self.connection.is_none() {
            self.connection = connect(&self.client).ok();
        }
        let length = queue_length(self.connection.as_mut()?, &self.key).ok();
        if length.is_none() {
            self.connection = None;
        }
        length
    }
}

fn queue_length(connection: &mut Connection, key: &str) -> redis::RedisResult<u64> {
    redis::cmd("LLEN").arg(key).query(connection)
}
