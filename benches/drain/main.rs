//! The drain bench: how fast the gateway empties a full queue, beside a client
//! that only throws the elements away, on the same Redis in the same run.
//!
//! ```text
//! cargo bench --bench drain -- --corpus mix --rounds 5
//! ```
//!
//! Each round copies a prepared list, then measures from the RENAME that makes
//! the copy the queue: first the discard client until the queue is empty, then
//! a fresh gateway until its own counters show that it took every sample. The
//! end is the moment at which the first scrape that shows it was asked for, so
//! a gateway's rate errs to its disadvantage by a few milliseconds. Shared
//! machines are noisy: compare the ratio, not the rates.

mod discard;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use discard::DiscardClient;
use report::Round;
pub use support::Failure;
use support::corpus::{self, Corpus, Mix};
use support::gateway::{Gateway, Scrape, Usage};
use support::redis_server::{Filled, RedisServer};

const LLEN_PERIOD: Duration = Duration::from_millis(2);
/// The least and the most time between two looks at the status, which are dearer
/// than LLEN.
const STATUS_PERIODS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

/// How long a gateway may make no progress.
const STALL: Duration = Duration::from_secs(20);

/// The core of Redis and that of all else, with `--pin`.
const REDIS_CORE: usize = 0;
const OTHER_CORE: usize = 1;

const HIGH_LIMITS: &[(&str, &str)] =
    &[("Metrics__MaxSeries", "4000000"), ("Metrics__MaxSeriesPerMetric", "4000000")];

/// Measures how fast the gateway drains a queue, beside a client that discards.
#[derive(Debug, Parser)]
struct Options {
    /// What the queue holds; several with commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mix")]
    corpus: Vec<CorpusName>,

    /// Samples per round [default: 1000000; 20000 where it runs as a test].
    #[arg(long)]
    samples: Option<u64>,

    /// Rounds per corpus [default: 5; 1 where it runs as a test].
    #[arg(long)]
    rounds: Option<usize>,

    /// Seed of the payloads.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Redis on core 0 and all else on core 1, by taskset.
    #[arg(long)]
    pin: bool,

    /// Gateway to measure, such as an earlier build; the one of this build where not given.
    #[arg(long, value_name = "FILE", default_value = support::BINARY,
          hide_default_value = true)]
    gateway: PathBuf,

    /// A setting of the gateway besides those of the corpus, such as
    /// Shards__Count=1; several times for several.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,

    /// A setting to compare, such as Redis__Delivery=at-most-once,exactly-once:
    /// each round drains once with every value, and has a line for each.
    #[arg(long, value_name = "NAME=VALUE,VALUE", value_parser = parse_setting)]
    vary: Option<(String, String)>,

    /// Measure the discard client alone.
    #[arg(long)]
    discard_only: bool,

    /// Given by `cargo bench`; without it, a short run only shows that the
    /// bench works.
    #[arg(long, hide = true)]
    bench: bool,

    /// Names of tests to run, given by `cargo test`; anything that is not in
    /// the name of this bench skips it.
    #[arg(hide = true)]
    filters: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorpusName {
    /// The reference's load mix.
    Mix,
    /// The same series from eight programs, each with its own spelling.
    Shuffled,
    /// A million series of twenty names, each once before any comes again.
    Million,
    /// A new label value with each sample.
    Newlabel,
    /// The same at the default limits, twice as long, so that half is refused.
    NewlabelLimited,
    /// The mix with a tenth of bad payloads.
    Bad10,
    /// Four summaries that take all samples.
    HotSummaries,
    /// Gauges that are set.
    Set,
    /// The same gauges, added to.
    Add,
    /// Histograms of ten buckets, an observation in each sample.
    Single,
    /// The same, twenty in each.
    Values,
    /// The same, twenty in each as counts of the buckets.
    Whole,
    /// The same as native histograms, an observation in each sample.
    Native,
}

/// How a corpus is made and what the gateway needs for it.
struct Plan {
    mix: &'static str,
    /// How many series, where not the mix's own number.
    series: Option<u64>,
    settings: &'static [(&'static str, &'static str)],
    /// How many times the samples of `--samples`: what is drained fast is
    /// longer, so that each drain takes about a second.
    length: u64,
    /// Whether exactly the bad payloads are dropped.
    is_dropped_known: bool,
}

impl CorpusName {
    fn plan(self) -> Plan {
        let plan =
            |mix, settings| Plan { mix, series: None, settings, length: 1, is_dropped_known: true };
        match self {
            CorpusName::Mix => Plan { length: 4, ..plan(corpus::REFERENCE_MIX, &[]) },
            CorpusName::Shuffled => plan("shuffled=1", &[]),
            CorpusName::Million => plan("distinct=1", HIGH_LIMITS),
            CorpusName::Newlabel => plan("newlabel=1", HIGH_LIMITS),
            CorpusName::NewlabelLimited => {
                Plan { length: 2, is_dropped_known: false, ..plan("newlabel=1", &[]) }
            }
            CorpusName::Bad10 => {
                Plan { length: 4, ..plan("counter=9,gauge=9,histogram=9,summary=9,bad=4", &[]) }
            }
            CorpusName::HotSummaries => Plan { series: Some(4), ..plan("summary=1", &[]) },
            CorpusName::Set => Plan { length: 4, ..plan("gauge=1", &[]) },
            CorpusName::Add => Plan { length: 4, ..plan("add=1", &[]) },
            CorpusName::Single => Plan { length: 4, ..plan("duration=1", &[]) },
            CorpusName::Values => plan("values=1", &[]),
            CorpusName::Whole => plan("whole=1", &[]),
            CorpusName::Native => Plan { length: 4, ..plan("native=1", &[]) },
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    support::main("drain", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let (samples, rounds) = if options.bench { (1_000_000, 5) } else { (20_000, 1) };
    let samples = options.samples.unwrap_or(samples);
    let rounds = options.rounds.unwrap_or(rounds);
    if samples == 0 || rounds == 0 {
        return Err("expected at least one sample and one round".into());
    }
    if options.pin {
        pin_this_process()?;
    }
    let mut redis = RedisServer::start(options.pin.then_some(REDIS_CORE))?;
    let mut lines = vec![report::head()];
    for name in &options.corpus {
        let plan = name.plan();
        let mix: Mix = plan.mix.parse()?;
        let mix = plan.series.map_or(Ok(mix.clone()), |series| mix.with_series(series))?;
        let mut corpus = Corpus::new(options.seed, mix);
        let samples = samples * plan.length;
        let filled = redis.fill_master(&mut corpus, samples)?;
        eprintln!("{name:?}: {samples} samples, {} bytes on average", filled.bytes / samples);
        if options.discard_only {
            for _ in 0..rounds {
                eprintln!("  discard client {:.2} M/s", discard(&mut redis, filled)? / 1e6);
            }
            continue;
        }
        let variants = variants(&plan, options);
        let mut measured = vec![Vec::with_capacity(rounds); variants.len()];
        for _ in 0..rounds {
            for (variant, rounds) in variants.iter().zip(&mut measured) {
                rounds.push(round(&mut redis, options, &plan, variant, filled)?);
            }
        }
        let name = name.to_possible_value().map(|value| value.get_name().to_owned());
        let name = name.unwrap_or_default();
        for (variant, rounds) in variants.iter().zip(&measured) {
            lines.push(report::line(&variant.title(&name, &measured[0], rounds), rounds));
        }
    }
    if !options.discard_only {
        println!("{}", lines.join("\n"));
    }
    Ok(())
}

/// The settings of a gateway that is measured.
struct Variant<'a> {
    settings: Vec<(&'a str, &'a str)>,
    /// The value of the setting that is compared.
    varied: Option<&'a str>,
}

impl Variant<'_> {
    /// What its line is called: the corpus, the value that it has, and how it
    /// compares with the first value, round by round.
    fn title(&self, corpus: &str, first: &[Round], rounds: &[Round]) -> String {
        match self.varied {
            None => corpus.to_owned(),
            Some(value) => format!("{corpus}, {value}: {}", report::beside(first, rounds)),
        }
    }
}

/// One for each value that is compared, or one alone.
fn variants<'a>(plan: &Plan, options: &'a Options) -> Vec<Variant<'a>> {
    let mut settings: Vec<(&'a str, &'a str)> = plan.settings.to_vec();
    settings.extend(options.set.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let Some((name, values)) = &options.vary else {
        return vec![Variant { settings, varied: None }];
    };
    let with = |value: &'a str| {
        let mut settings = settings.clone();
        settings.push((name.as_str(), value));
        Variant { settings, varied: Some(value) }
    };
    values.split(',').map(with).collect()
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn pin_this_process() -> Result<(), Failure> {
    let core = OTHER_CORE.to_string();
    let mut command = Command::new("taskset");
    let output = command.args(["-c", "-p", &core, &std::process::id().to_string()]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("taskset failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

fn round(
    redis: &mut RedisServer,
    options: &Options,
    plan: &Plan,
    variant: &Variant<'_>,
    filled: Filled,
) -> Result<Round, Failure> {
    redis.forget_state()?;
    let discard = discard(redis, filled)?;
    let gateway = Gateway::start(&options.gateway, redis.port(), &variant.settings)?;
    redis.stage()?;
    let before = gateway.usage()?;
    let started = Instant::now();
    redis.release()?;
    wait_until_empty(redis, &gateway)?;
    wait_until_taken(&gateway, filled.samples)?;
    let drained = confirm(&gateway, filled.samples)?;
    if plan.is_dropped_known && drained.scrape.dropped != filled.bad {
        let dropped = drained.scrape.dropped;
        let what = format!("dropped {dropped} samples, but {} are bad", filled.bad);
        return Err(gateway.failure(&what));
    }
    let samples = filled.samples as f64;
    let round = Round {
        discard,
        gateway: samples / (drained.at - started).as_secs_f64(),
        cpu_per_sample: (drained.usage.cpu - before.cpu).div_f64(samples),
        rss_before: before.rss,
        rss_after: drained.usage.rss,
        scrape: drained.scrape.time,
        exposition: drained.scrape.bytes,
        dropped: drained.scrape.dropped,
    };
    eprintln!(
        "  discard client {:.2} M/s, gateway {:.2} M/s, ratio {:.2}",
        round.discard / 1e6,
        round.gateway / 1e6,
        round.ratio()
    );
    Ok(round)
}

/// Samples per second of the discard client.
fn discard(redis: &mut RedisServer, filled: Filled) -> Result<f64, Failure> {
    let mut client = DiscardClient::connect(redis.port())?;
    redis.stage()?;
    let started = Instant::now();
    redis.release()?;
    let popped = client.drain()?;
    let elapsed = started.elapsed();
    if popped != filled.samples {
        return Err(format!("the discard client got {popped} of {}", filled.samples).into());
    }
    Ok(popped as f64 / elapsed.as_secs_f64())
}

fn wait_until_empty(redis: &mut RedisServer, gateway: &Gateway) -> Result<(), Failure> {
    let (mut least, mut progressed) = (u64::MAX, Instant::now());
    loop {
        let length = redis.queue_length()?;
        if length == 0 {
            return Ok(());
        }
        if length < least {
            (least, progressed) = (length, Instant::now());
        }
        if progressed.elapsed() > STALL {
            let what = format!("took nothing for {STALL:?}, with {length} elements in the queue");
            return Err(gateway.failure(&what));
        }
        #[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
        thread::sleep(LLEN_PERIOD);
    }
}

/// Waits until the gateway has taken every sample: under exactly-once delivery
/// the queue is empty long before, and to scrape meanwhile would cost it time.
fn wait_until_taken(gateway: &Gateway, samples: u64) -> Result<(), Failure> {
    let started = Instant::now();
    let (mut most, mut progressed) = (0, started);
    loop {
        let taken = gateway.taken()?;
        if taken >= samples {
            return Ok(());
        }
        if taken > most {
            (most, progressed) = (taken, Instant::now());
        }
        if progressed.elapsed() > STALL {
            return Err(gateway.failure(&format!("took {taken} of {samples} samples")));
        }
        #[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
        thread::sleep(period(taken, samples, started.elapsed()));
    }
}

/// The time until the next look: a part of what is left by what was seen so far,
/// so that looks are few and the end is still met closely.
fn period(taken: u64, samples: u64, elapsed: Duration) -> Duration {
    let [least, most] = STATUS_PERIODS;
    let left = samples.saturating_sub(taken) as f64 / taken.max(1) as f64;
    elapsed.mul_f64(left.min(1.0) / 4.0).clamp(least, most)
}

/// The end of a drain.
struct Drained {
    /// When the scrape that shows it was asked for.
    at: Instant,
    /// What had been used by then.
    usage: Usage,
    scrape: Scrape,
}

/// Scrapes until every sample is processed or dropped.
fn confirm(gateway: &Gateway, samples: u64) -> Result<Drained, Failure> {
    let (mut most, mut progressed) = (0, Instant::now());
    loop {
        #[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
        thread::sleep(LLEN_PERIOD);
        let (at, usage) = (Instant::now(), gateway.usage()?);
        let scrape = gateway.scrape()?;
        let taken = scrape.processed + scrape.dropped;
        if taken == samples {
            return Ok(Drained { at, usage, scrape });
        }
        if taken > most {
            (most, progressed) = (taken, Instant::now());
        }
        if taken > samples || progressed.elapsed() > STALL {
            let Scrape { processed, dropped, .. } = scrape;
            let what = format!("processed {processed} and dropped {dropped} of {samples} samples");
            return Err(gateway.failure(&what));
        }
    }
}
