//! Micro benches of the engine's steps: decode, route, apply, expose; and of the way over
//! a router: take, flush, deliver.
//!
//! ```text
//! cargo bench --bench micro
//! ```
//!
//! Criterion's own times are per batch of 1000 samples or, for expose, per scrape;
//! those of the table at the end are per sample or series.

#[allow(
    dead_code,
    unused_imports,
    reason = "the load tool uses more of it, and it brings its own tests"
)]
#[path = "../../src/load/corpus/mod.rs"]
mod corpus;
mod forward;
mod table;

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use corpus::{Corpus, Mix};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::exposition::Format;
use psg_engine::intake::{Intake, IntakeSettings};
use psg_engine::limits::{PayloadLimits, SeriesLimits};
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::ShardCount;
use psg_engine::store::{ExposeJob, Store};
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;
use psg_engine::updates::Updates;
use psg_engine::wire::JsonDecoder;

/// Samples that one iteration takes.
const BATCH: usize = 1000;
/// Samples in a corpus.
const CORPUS: usize = 100_000;
/// The corpora: a name, and the mix.
const CORPORA: [(&str, &str); 5] = [
    ("mix", corpus::REFERENCE_MIX),
    ("shuffled", "shuffled=1"),
    ("new labels", "newlabel=1"),
    ("twenty values", "values=1"),
    ("whole histograms", "whole=1"),
];

fn payloads(mix: &str) -> Vec<Vec<u8>> {
    let mix: Mix = mix.parse().expect("a mix of this file");
    let mut corpus = Corpus::new(1, mix);
    let payload = |_| {
        let mut payload = Vec::new();
        corpus.next(&mut payload);
        payload
    };
    (0..CORPUS).map(payload).collect()
}

/// One shard and the intake before it.
struct Engine {
    intake: Intake,
    store: Store,
}

impl Engine {
    fn new(cache_series: usize) -> Self {
        let limits = SeriesLimits {
            max_series: usize::MAX,
            max_series_per_metric: usize::MAX,
            ..SeriesLimits::default()
        };
        let settings = IntakeSettings { cache_series, ..IntakeSettings::default() };
        let catalog = Catalog::new(CatalogSettings { limits, ..CatalogSettings::default() });
        let intake = Intake::new(settings, catalog, ShardCount::new(1), ReaderIndex(0));
        Self { intake, store: Store::default() }
    }

    fn route(&mut self, batch: &[Vec<u8>]) -> Updates {
        for payload in batch {
            self.intake.route(payload, |_, reject| panic!("the corpus is valid: {reject}"));
        }
        self.intake.define_with(|_, key| self.store.define(key, ReaderIndex(0), Moment(0)));
        self.intake.finish().updates.remove(0)
    }

    fn take(&mut self, batch: &[Vec<u8>]) {
        let updates = self.route(batch);
        self.store.apply(&updates, Moment(0));
    }
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, mix) in CORPORA {
        let payloads = payloads(mix);
        let mut batches = payloads.chunks(BATCH).cycle();
        let mut decoder = JsonDecoder::new(PayloadLimits::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for payload in batches.next().expect("cycles") {
                    black_box(decoder.decode(payload, UnixTime::MIN).expect("the corpus is valid"));
                }
            });
        });
    }
    group.finish();
}

fn route(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, mix) in CORPORA {
        let payloads = payloads(mix);
        let mut engine = Engine::new(100_000);
        // What has been seen before is recognised; new labels are new once.
        payloads.chunks(BATCH).take(60).for_each(|batch| engine.take(batch));
        let mut batches = payloads.chunks(BATCH).cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(engine.route(batches.next().expect("cycles"))));
        });
    }
    group.finish();
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(BATCH as u64));
    for kind in ["counter", "gauge", "histogram", "summary"] {
        let payloads = payloads(&format!("{kind}=1"));
        let mut engine = Engine::new(100_000);
        let updates: Vec<Updates> =
            payloads.chunks(BATCH).map(|batch| engine.route(batch)).collect();
        let mut updates = updates.iter().cycle();
        group.bench_function(kind, |bencher| {
            bencher.iter(|| engine.store.apply(updates.next().expect("cycles"), Moment(0)));
        });
    }
    group.finish();
}

fn expose(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("expose");
    for kind in ["counter", "gauge", "histogram", "summary"] {
        let payloads = payloads(&format!("{kind}=1"));
        let mut engine = Engine::new(100_000);
        payloads.chunks(BATCH).for_each(|batch| engine.take(batch));
        let series: usize = engine.store.live().iter().sum();
        group.throughput(Throughput::Elements(series as u64));
        for format in Format::ALL {
            let id = BenchmarkId::new(kind, format!("{format:?}"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|rounds| expose_rounds(&mut engine.store, format, rounds));
            });
        }
    }
    group.finish();
}

fn expose_rounds(store: &mut Store, format: Format, rounds: u64) -> Duration {
    let before = Instant::now();
    for _ in 0..rounds {
        let mut job = ExposeJob::new(format, &Catalog::default());
        while !store.expose_some(&mut job, 1024, Moment(0)) {}
        black_box(job.finish());
    }
    before.elapsed()
}

/// Where criterion keeps what it measures.
fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
}

criterion_group! {
    name = benches;
    config = Criterion::default().output_directory(&home());
    targets = decode, route, apply, expose, forward::take, forward::flush, forward::deliver
}

fn main() -> Result<(), Box<dyn Error>> {
    let started = SystemTime::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    table::print(&home(), started)
}
