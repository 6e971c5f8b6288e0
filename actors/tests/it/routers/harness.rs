//! A router whose owner is the test, and what its homes have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use psg_actors::accounts::Accounts;
use psg_actors::clock::{Clock, UnixClock};
use psg_actors::partition::{Router, RouterSettings};
use psg_actors::self_metrics::SelfMetrics;
use psg_actors::self_metrics::partitions::RouterFigures;
use psg_actors::settings::{Endpoint, RedisTarget};
use psg_actors::source::redis::once::{
    Line, LoadFailure, Memory, Ownership, Snapshot, StoredState,
};
use psg_actors::source::{Batch, Origin, QueueSource, Slice, SourceError, Taken};
use psg_actors::stop::{StopSignal, Stopper, stop_signal};
use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::forwarder::ForwarderSettings;
use psg_engine::intake::IntakeSettings;
use psg_engine::partition::Partitions;
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::Segment;
use psg_engine::state::StoredSegment;
use psg_engine::timestamp::UnixTime;
use redis::Commands;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use crate::server::{PATIENCE, RedisServer};

pub const KEY: &str = "q";
/// The partition that is read; its producers' key does not matter here.
pub const PARTITION: usize = 1;
/// How many there are.
pub const P: usize = 2;
/// What is left of an element that was too large.
pub const TOO_LARGE: &str = "the beginning of something";

/// What is known of the partition: as its record would say it.
#[derive(Debug, Clone)]
pub struct Held {
    pub epoch: u64,
    pub line: Line,
    pub at: u64,
    pub end: u64,
}

/// A checkpoint, as it is kept in Redis.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub head: Vec<u8>,
    pub segments: BTreeMap<Segment, Bytes>,
}

/// A router at work.
pub struct Running {
    turns: mpsc::Sender<Turn>,
    pub figures: Arc<RouterFigures>,
    pub metrics: Arc<SelfMetrics>,
    stopper: Stopper,
    router: JoinHandle<()>,
}

/// What the source does next.
enum Turn {
    Load(Held, Kept, oneshot::Sender<Result<(), LoadFailure>>),
    Ask(Question),
    Batch(u64, Vec<String>),
    End,
}

type Question = Box<dyn FnOnce(&mut dyn Memory)>;

/// The source of a partition whose owner is the test.
struct TestSource {
    turns: mpsc::Receiver<Turn>,
    memory: Box<dyn Memory>,
    bytes: Vec<u8>,
    elements: Vec<Slice>,
}

impl QueueSource for TestSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        loop {
            match self.turns.recv().await.unwrap_or(Turn::End) {
                Turn::Load(held, kept, done) => {
                    let stored = kept.stored();
                    let _ = done.send(self.memory.load(held.ownership(), stored).await);
                }
                Turn::Ask(question) => question(&mut *self.memory),
                Turn::End => return Ok(Taken::Ended),
                Turn::Batch(place, payloads) => {
                    self.bytes.clear();
                    self.elements.clear();
                    for payload in payloads {
                        let begin = self.bytes.len();
                        self.bytes.extend_from_slice(payload.as_bytes());
                        let range = begin..self.bytes.len();
                        self.elements.push(if payload == TOO_LARGE {
                            Slice::TooLarge { head: range, length: 1 << 30 }
                        } else {
                            Slice::Whole(range)
                        });
                    }
                    let origin = Origin { place, claimed_at: UnixTime::from_sample(1.7e9) };
                    return Ok(Taken::Batch(Batch {
                        buffer: &self.bytes,
                        elements: &self.elements,
                        origin: Some(origin),
                    }));
                }
            }
        }
    }
}

impl Held {
    pub fn new(epoch: u64, at: u64, end: u64) -> Self {
        Self { epoch, line: Line::default(), at, end }
    }

    pub fn ownership(&self) -> Ownership<'_> {
        let Self { epoch, line, at, end } = *self;
        Ownership { epoch, token: "me", partition: PARTITION, line, at, end, is_new: false }
    }
}

impl Kept {
    fn stored(self) -> StoredState {
        let stored = |(segment, bytes)| StoredSegment { segment, bytes };
        StoredState { head: self.head, segments: self.segments.into_iter().map(stored).collect() }
    }

    fn apply(&mut self, snapshot: Snapshot) {
        assert!(snapshot.segments.is_sorted_by_key(|stored| stored.segment));
        self.head = snapshot.head;
        for StoredSegment { segment, bytes } in snapshot.segments {
            assert!(!bytes.is_empty());
            self.segments.insert(segment, bytes);
        }
    }
}

impl Running {
    /// A router whose homes are there. It owns nothing yet.
    pub fn start(endpoint: Endpoint) -> Self {
        let (stopper, stop) = stop_signal();
        let figures = Arc::new(RouterFigures::new(partitions()));
        let catalog = Catalog::new(CatalogSettings::default());
        let metrics = Arc::new(SelfMetrics::new(1, 1, catalog.clone(), KEY, "exactly-once", false));
        let router = Router::new(settings(endpoint, &metrics, &catalog, figures.clone(), stop));
        let (turns, next_turns) = mpsc::channel(16);
        let source = TestSource {
            turns: next_turns,
            memory: router.memory(),
            bytes: Vec::new(),
            elements: Vec::new(),
        };
        let router = spawn_local(router.run(source));
        Self { turns, figures, metrics, stopper, router }
    }

    pub async fn begin_to_load(
        &self,
        held: &Held,
        kept: &Kept,
    ) -> oneshot::Receiver<Result<(), LoadFailure>> {
        let (done, outcome) = oneshot::channel();
        self.turn(Turn::Load(held.clone(), kept.clone(), done)).await;
        outcome
    }

    pub async fn load(&self, held: &Held, kept: &Kept) -> Result<(), LoadFailure> {
        let outcome = self.begin_to_load(held, kept).await;
        tokio::time::timeout(PATIENCE, outcome).await.expect("it is loaded").unwrap()
    }

    /// Asks the memory something, as its owner does between two batches.
    pub async fn ask<T: 'static>(&self, f: impl FnOnce(&mut dyn Memory) -> T + 'static) -> T {
        let (tell, told) = oneshot::channel();
        let question = move |memory: &mut dyn Memory| drop(tell.send(f(memory)));
        self.turn(Turn::Ask(Box::new(question))).await;
        tokio::time::timeout(PATIENCE, told).await.expect("the router goes on").unwrap()
    }

    pub async fn resume(&self, held: &Held) {
        let held = held.clone();
        self.ask(move |memory| memory.resumed(held.ownership())).await;
    }

    /// Hands out elements of these names from a place on, and waits until they are
    /// routed.
    pub async fn route(&self, place: u64, names: impl IntoIterator<Item = String>) {
        let payload = |name| format!(r#"{{"name":"{name}","value":1}}"#);
        self.route_payloads(place, names.into_iter().map(payload).collect()).await;
    }

    pub async fn route_payloads(&self, place: u64, payloads: Vec<String>) {
        self.turn(Turn::Batch(place, payloads)).await;
        self.ask(|_| ()).await;
    }

    /// What a checkpoint would store, which is never committed.
    pub async fn snapshot(&self, all: bool) -> Snapshot {
        let begin = move |memory: &mut dyn Memory| memory.begin(all).unwrap().now_or_never();
        self.ask(begin).await.expect("it waits for no home").unwrap()
    }

    pub async fn checkpoint(&self, kept: &mut Kept) {
        let snapshot = self.snapshot(false).await;
        let number = snapshot.number;
        kept.apply(snapshot);
        self.ask(move |memory| memory.committed(number)).await;
    }

    /// Waits until the memory says so.
    pub async fn until(&self, what: &str, f: impl Fn(&mut dyn Memory) -> bool + Copy + 'static) {
        let deadline = Instant::now() + PATIENCE;
        while !self.ask(f).await {
            assert!(Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Flushes and delivers all that there is, as at a stop.
    pub async fn drain(&self) {
        self.until("delivered", |memory| memory.may_end()).await;
    }

    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// As if the process was killed.
    pub fn kill(self) {
        self.router.abort();
    }

    pub async fn end(self) {
        self.turn(Turn::End).await;
        tokio::time::timeout(PATIENCE, self.router).await.expect("it ends").unwrap();
    }

    async fn turn(&self, turn: Turn) {
        assert!(self.turns.send(turn).await.is_ok(), "the router has ended");
    }
}

pub fn settings(
    endpoint: Endpoint,
    metrics: &SelfMetrics,
    catalog: &Catalog,
    figures: Arc<RouterFigures>,
    stop: StopSignal,
) -> RouterSettings {
    RouterSettings {
        redis: RedisTarget { endpoints: vec![endpoint], ..RedisTarget::default() },
        key: KEY.to_owned(),
        forwarder: ForwarderSettings {
            intake: IntakeSettings { cache_series: 100_000, ..IntakeSettings::default() },
            partitions: partitions(),
        },
        flush_interval: Duration::from_millis(50),
        accounts: Accounts::new(metrics, catalog, false, None),
        reader: ReaderIndex(0),
        lag: metrics.queue_lag.clone(),
        checkpoints: metrics.checkpoints.clone(),
        figures,
        clock: Clock::start(),
        unix: UnixClock::start(),
        stop,
    }
}

pub fn partitions() -> Partitions {
    Partitions::new(P).unwrap()
}

/// The name of the metric of an element.
pub fn name(number: u64) -> String {
    format!("m_{number:06}_total")
}

pub fn names(numbers: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    numbers.map(name)
}

/// The key of a home's queue.
pub fn home(number: usize) -> String {
    if number == 0 { format!("{{{KEY}}}:home") } else { format!("{{{KEY}:{number}}}:home") }
}

/// Each element as often as it is at the home of its name.
pub fn delivered(server: &RedisServer, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut redis = server.connect();
    let mut times: HashMap<String, u64> = HashMap::new();
    for number in 0..P {
        let frames: Vec<Vec<u8>> = redis.lrange(home(number), 0, -1).unwrap();
        for name in frames.iter().flat_map(|frame| names_in(frame)) {
            assert_eq!(partitions().home_of(&name), number, "{name} is at another home");
            *times.entry(name).or_default() += 1;
        }
    }
    names(numbers).map(|name| times.get(&name).copied().unwrap_or(0)).collect()
}

/// The names that stand in a frame, of those that [`name`] makes. One pass: while it
/// looks, no router of the thread renews its lease.
fn names_in(frame: &[u8]) -> impl Iterator<Item = String> {
    let length = name(0).len();
    let texts = frame.windows(length).filter(|window| window.starts_with(b"m_"));
    texts
        .filter(|window| window.ends_with(b"_total"))
        .map(|window| String::from_utf8_lossy(window).into_owned())
}

/// Runs a test on one thread, as a router does.
pub fn on_its_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
