//! What the way over a router costs: samples into deltas, beside samples into a store;
//! deltas into frames; frames into the store of their home.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use psg_engine::forwarder::{Forwarder, ForwarderSettings};
use psg_engine::intake::IntakeSettings;
use psg_engine::partition::{LaneSet, Partitions};
use psg_engine::series::ReaderIndex;
use psg_engine::timestamp::{Moment, UnixTime};

use crate::{BATCH, CORPORA, CORPUS, Engine, payloads};

/// As many as there are in a fleet of some size.
const PARTITIONS: usize = 4;
/// Batches between two flushes of a router.
const FLUSH: usize = 50;

struct Router {
    forwarder: Forwarder,
    partitions: Partitions,
}

impl Router {
    fn new() -> Self {
        let partitions = Partitions::new(PARTITIONS).expect("a number of partitions");
        let intake = IntakeSettings::default();
        Self { forwarder: Forwarder::new(ForwarderSettings { intake, partitions }), partitions }
    }

    fn take(&mut self, batch: &[Vec<u8>]) {
        let elements = batch.iter().map(Vec::as_slice);
        let open = LaneSet::all(self.partitions);
        let refuse = |_: &[u8], reject| panic!("the corpus is valid: {reject}");
        black_box(self.forwarder.take_batch(elements, UnixTime::MIN, Moment(0), &open, refuse));
    }

    fn flush(&mut self) -> Vec<Vec<u8>> {
        let lanes = self.partitions.lanes();
        lanes.filter_map(|lane| self.forwarder.flush(lane)).flat_map(|chunk| chunk.frames).collect()
    }
}

impl Engine {
    /// Takes frames as a home does; how many deltas they are.
    fn take_frames(&mut self, frames: &[Vec<u8>]) -> usize {
        for frame in frames {
            let taken = self.intake.route_at_home(frame, |_, reject| panic!("{reject}"));
            taken.expect("a frame of this version");
        }
        self.intake.define_with(|_, key| self.store.define(key, ReaderIndex(0), Moment(0)));
        let updates = self.intake.finish().updates.remove(0);
        self.store.apply(&updates, Moment(0));
        updates.slots().count()
    }
}

/// Samples into a store, and into deltas.
pub fn take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("take");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, mix) in CORPORA {
        let payloads = payloads(mix);
        let mut engine = Engine::new(100_000);
        payloads.chunks(BATCH).for_each(|batch| engine.take(batch));
        let mut batches = payloads.chunks(BATCH).cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| engine.take(batches.next().expect("cycles")));
        });
        let mut router = Router::new();
        payloads.chunks(BATCH).for_each(|batch| router.take(batch));
        let mut taken = 0;
        group.bench_function(format!("{name}, forwarded"), |bencher| {
            bencher.iter(|| {
                router.take(batches.next().expect("cycles"));
                taken += 1;
                if taken % FLUSH == 0 {
                    black_box(router.flush());
                }
            });
        });
    }
    group.finish();
}

/// Deltas of all samples of a corpus into frames; a time is that of one delta.
pub fn flush(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    for (name, mix) in CORPORA {
        let payloads = payloads(mix);
        let mut router = Router::new();
        let deltas = deltas(&payloads, &mut router);
        group.throughput(Throughput::Elements(deltas as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| flush_rounds(&payloads, &mut router, rounds));
        });
    }
    group.finish();
}

fn flush_rounds(payloads: &[Vec<u8>], router: &mut Router, rounds: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        payloads.chunks(BATCH).for_each(|batch| router.take(batch));
        let before = Instant::now();
        black_box(router.flush());
        spent += before.elapsed();
    }
    spent
}

/// How many deltas all samples of a corpus come to.
fn deltas(payloads: &[Vec<u8>], router: &mut Router) -> usize {
    payloads.chunks(BATCH).for_each(|batch| router.take(batch));
    Engine::new(CORPUS).take_frames(&router.flush())
}

/// Frames into the store of their home; a time is that of one delta.
pub fn deliver(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deliver");
    for (name, mix) in CORPORA {
        let mut router = Router::new();
        payloads(mix).chunks(BATCH).for_each(|batch| router.take(batch));
        let frames = router.flush();
        let mut home = Engine::new(100_000);
        let deltas = home.take_frames(&frames);
        let bytes: usize = frames.iter().map(Vec::len).sum();
        println!("{name}: {deltas} deltas of {CORPUS} samples, {} bytes each", bytes / deltas);
        group.throughput(Throughput::Elements(deltas as u64));
        group.bench_function(name, |bencher| bencher.iter(|| home.take_frames(&frames)));
    }
    group.finish();
}
