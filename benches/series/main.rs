//! The series bench: what a million series cost, in memory and at a scrape.
//!
//! ```text
//! cargo bench --bench series
//! ```
//!
//! Four tables: bytes of resident memory for a tombstone, and for a series of
//! each type; a scrape end to end over HTTP, beside the `prometheus` and
//! `prometheus-client` crates that encode the same series in the same run; and
//! a queue that is drained while a million series are scraped without pause.

mod crates;
#[path = "../support/mod.rs"]
mod support;
mod tombstones;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use psg_engine::metric::Kind;
use support::gateway::{Format, Gateway};
use support::redis_server::RedisServer;
use support::{BINARY, Failure, corpus};

/// As in the gateway: this process' own memory is measured for one table.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Both series limits, for a million series under 20 names.
const LIMITS: &[(&str, &str)] =
    &[("Metrics__MaxSeries", "4000000"), ("Metrics__MaxSeriesPerMetric", "4000000")];
/// Metric names that the series are spread over.
const NAMES: u64 = 20;
const PAYLOADS_PER_PUSH: u64 = 1000;

/// Measures memory per series and scrapes.
#[derive(Debug, Parser)]
struct Options {
    /// The largest number of series [default: 1000000; 2000 as a test].
    #[arg(long)]
    series: Option<u64>,

    /// Scrapes of which the median is taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,

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
    support::main("series", &options.filters, || run(&options))
}

fn run(options: &Options) -> Result<(), Failure> {
    let most = options.series.unwrap_or(if options.bench { 1_000_000 } else { 2_000 });
    let mut redis = RedisServer::start(None)?;
    tombstones::run(most)?;
    memory(&mut redis, most)?;
    scrapes(&mut redis, most, options.rounds)?;
    drain_while_scraped(&mut redis, most)
}

fn memory(redis: &mut RedisServer, most: u64) -> Result<(), Failure> {
    println!("\n| type | series | RSS before, MiB | RSS after, MiB | bytes per series |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (form, series) in [
        (Form::Of(Kind::Counter), most),
        (Form::Of(Kind::Gauge), most),
        (Form::Of(Kind::Histogram), most / 2),
        (Form::Of(Kind::Summary), most / 5),
        (Form::Native, most / 5),
    ] {
        let gateway = Gateway::start(Path::new(BINARY), redis.port(), LIMITS)?;
        let before = gateway.usage()?.rss;
        fill(redis, &gateway, form, series)?;
        let after = gateway.usage()?.rss;
        let shown = gateway.shown_series()?;
        if shown != series {
            return Err(gateway.failure(&format!("shows {shown} series of {series}")));
        }
        let each = after.saturating_sub(before) / series;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "| {} | {series} | {:.1} | {:.1} | {each} |",
            form.title(),
            mib(before),
            mib(after)
        );
    }
    Ok(())
}

fn scrapes(redis: &mut RedisServer, most: u64, rounds: usize) -> Result<(), Failure> {
    println!(
        "\n| counters | format | gateway, ns per series | MiB | RSS grown, bytes per series | prometheus-client, ns | prometheus, ns |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for series in [most / 100, most / 10, most] {
        let peers = crates::encode(series, rounds);
        for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
            let gateway = Gateway::start(Path::new(BINARY), redis.port(), LIMITS)?;
            fill(redis, &gateway, Form::Of(Kind::Counter), series)?;
            let resting = gateway.usage()?.rss;
            gateway.forget_peak()?;
            let mut times = Vec::new();
            let mut bytes = 0;
            for _ in 0..rounds {
                let (time, length) = gateway.fetch(format)?;
                times.push(time);
                bytes = length;
            }
            let grown = gateway.peak()?.saturating_sub(resting) / series;
            let each = median(times).as_nanos() as u64 / series;
            let mib = bytes as f64 / f64::from(1 << 20);
            let (client, prometheus) = (peers.prometheus_client, peers.prometheus);
            println!(
                "| {series} | {format:?} | {each} | {mib:.1} | {grown} | {client} | {prometheus} |"
            );
        }
    }
    Ok(())
}

/// The reference mix, drained by a gateway that holds `most` counters besides:
/// undisturbed, then while it is scraped without pause.
fn drain_while_scraped(redis: &mut RedisServer, most: u64) -> Result<(), Failure> {
    let gateway = Gateway::start(Path::new(BINARY), redis.port(), LIMITS)?;
    fill(redis, &gateway, Form::Of(Kind::Counter), most)?;
    let mut corpus = corpus::Corpus::new(1, corpus::REFERENCE_MIX.parse()?);
    let filled = redis.fill_master(&mut corpus, most)?;
    let drain = |redis: &mut RedisServer| -> Result<Duration, Failure> {
        redis.stage()?;
        let before = Instant::now();
        redis.release()?;
        while redis.queue_length()? > 0 {
            pause(2);
        }
        Ok(before.elapsed())
    };
    let undisturbed: Vec<Duration> =
        (0..5).map(|_| drain(redis)).collect::<Result<_, Failure>>()?;
    let stop = AtomicBool::new(false);
    let (scraped, scrapes) = thread::scope(|scope| -> Result<(Vec<Duration>, u32), Failure> {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !stop.load(Ordering::Relaxed) && gateway.fetch(Format::Text).is_ok() {
                scrapes += 1;
            }
            scrapes
        });
        let scraped = (0..5).map(|_| drain(redis)).collect::<Result<_, Failure>>();
        stop.store(true, Ordering::Relaxed);
        Ok((scraped?, scraper.join().map_err(|_| "the scraper panicked")?))
    })?;
    let rate = |times: Vec<Duration>| filled.samples as f64 / median(times).as_secs_f64();
    let (alone, busy) = (rate(undisturbed), rate(scraped));
    let long_waits = gateway.long_inbox_waits()?;
    println!("\n| drain with {most} counters besides | samples/s |\n| --- | ---: |");
    println!(
        "| undisturbed | {alone:.0} |\n| scraped without pause ({scrapes} scrapes) | {busy:.0} |"
    );
    println!("| ratio | {:.2} |\n| waits of a reader over 50 ms | {long_waits} |", busy / alone);
    Ok(())
}

/// Pushes one sample for each of `series` series and waits until all are in.
/// It does not scrape: what a scrape takes is not memory of the series.
fn fill(
    redis: &mut RedisServer,
    gateway: &Gateway,
    form: Form,
    series: u64,
) -> Result<(), Failure> {
    let mut next = 0;
    while next < series {
        let end = series.min(next + PAYLOADS_PER_PUSH);
        let payloads: Vec<String> = (next..end).map(|index| payload(form, index)).collect();
        redis.push(&payloads)?;
        next = end;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.queue_length()? > 0 || is_busy(gateway)? {
        if Instant::now() > deadline {
            return Err(gateway.failure("has not taken all series after a minute"));
        }
    }
    Ok(())
}

/// Whether the gateway has used its CPUs within a tenth of a second.
fn is_busy(gateway: &Gateway) -> Result<bool, Failure> {
    let before = gateway.usage()?.cpu;
    pause(100);
    Ok(gateway.usage()?.cpu > before)
}

/// What is in a series.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A sample of that type.
    Of(Kind),
    /// A native histogram with [`NATIVE_BUCKETS`] buckets that have counts.
    Native,
}

/// What durations of one route come to.
const NATIVE_BUCKETS: i32 = 50;

impl Form {
    fn title(self) -> String {
        match self {
            Form::Of(kind) => kind.as_str().to_owned(),
            Form::Native => format!("native histogram, {NATIVE_BUCKETS} buckets with counts"),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Form::Of(kind) => kind,
            Form::Native => Kind::Histogram,
        }
    }

    /// What the sample with that number has besides type, name and labels.
    fn fields(self, index: u64) -> String {
        let value = index % 1000;
        let shape = match self {
            Form::Of(Kind::Counter | Kind::Gauge) => "",
            Form::Of(Kind::Histogram) => {
                r#","buckets":[0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5]"#
            }
            Form::Of(Kind::Summary) => {
                r#","quantiles":[0.5,0.9,0.99],"epsilons":[0.05,0.01,0.001]"#
            }
            Form::Native => {
                let in_bucket = |bucket: i32| 2_f64.powf((f64::from(bucket) - 0.5) / 8.0);
                let values: Vec<f64> = (0..NATIVE_BUCKETS).map(in_bucket).collect();
                return format!(r#""values":{values:?},"factor":1.1"#);
            }
        };
        format!(r#""value":{value}{shape}"#)
    }
}

fn payload(form: Form, index: u64) -> String {
    let (name, [instance, job, region]) = series_of(index);
    let (kind, fields) = (form.kind().as_str(), form.fields(index));
    format!(
        r#"{{"type":"{kind}","name":"{name}","labels":{{"instance":"{instance}","job":"{job}","region":"{region}"}},{fields}}}"#
    )
}

/// Name and label values of the series with that number.
fn series_of(index: u64) -> (String, [String; 3]) {
    let labels = [
        format!("instance-{}", index / NAMES),
        "bench".to_owned(),
        format!("region-{}", index % 4),
    ];
    (format!("bench_metric_{}_total", index % NAMES), labels)
}

/// Between two looks at a condition.
#[expect(clippy::disallowed_methods, reason = "each caller waits for a condition")]
fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
