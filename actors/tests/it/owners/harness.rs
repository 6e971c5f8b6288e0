//! A Redis, and owners in this thread whose memory is the list of all that they took.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use psg_actors::backoff::Backoff;
use psg_actors::checkpoint_requests::{CheckpointRequester, checkpoint_requests};
use psg_actors::cluster_key::{key_beside, partition_key};
use psg_actors::fatal::{FatalError, FatalSignal};
use psg_actors::self_metrics::QueueMetrics;
use psg_actors::self_metrics::checkpoint::CheckpointMetrics;
use psg_actors::serving_gate::ServingGate;
use psg_actors::settings::{DeadLetterSettings, Endpoint, OnceTuning, QueueSettings, RedisTarget};
use psg_actors::source::redis::RedisQueue;
use psg_actors::source::redis::once::{
    Demand, Duty, HeadCheck, Holding, Line, LoadFailure, Memory, MemoryGone, OnceSettings,
    OnceSource, Ownership, ShutdownHandshake, Snapshot, StoredState, Taking,
};
use psg_actors::source::{QueueSource, Taken};
use psg_actors::stop::{Stopper, stop_signal};
use psg_engine::partition::Partitions;
use psg_engine::sharding::Segment;
use psg_engine::state::StoredSegment;
use psg_engine::timestamp::UnixTime;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::server::{PATIENCE, RedisServer};

const LEASE: Duration = Duration::from_secs(2);
/// Between two looks of a test.
const LOOK: Duration = Duration::from_millis(5);

/// The server, and a connection of the test.
pub struct Redis {
    pub server: RedisServer,
    connection: Mutex<redis::Connection>,
}

/// An owner's memory.
#[derive(Default)]
pub struct Words {
    pub elements: Vec<String>,
    /// What was known when it was loaded or resumed.
    pub known: Vec<Known>,
    /// What the next loads end with.
    pub failures: VecDeque<LoadFailure>,
    pub demand: Option<Demand>,
    pub may_claim: bool,
    pub may_read: bool,
    pub may_end: bool,
    /// Whether it was asked if the end may come.
    pub was_asked_to_end: bool,
    /// All that was ever taken, with its origin where it has one.
    taken: Vec<Element>,
    snapshots: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub epoch: u64,
    pub partition: usize,
    pub line: Line,
    pub at: u64,
    pub end: u64,
    pub is_new: bool,
}

/// One element as an owner took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub text: String,
    pub place: Option<u64>,
    pub claimed_at: Option<UnixTime>,
}

struct SharedWords {
    words: Rc<RefCell<Words>>,
    changes: Rc<Notify>,
    metrics: CheckpointMetrics,
}

/// An owner that runs in this thread beside the test, until it is dropped.
pub struct Owner {
    pub memory: Rc<RefCell<Words>>,
    pub changes: Rc<Notify>,
    pub gate: ServingGate,
    pub stopper: Stopper,
    partition: watch::Receiver<Option<usize>>,
    release: Stopper,
    requester: CheckpointRequester,
    fatal: FatalSignal,
    task: JoinHandle<()>,
}

impl Redis {
    pub fn start() -> Self {
        let server = RedisServer::start(&[]);
        let connection = Mutex::new(server.connect());
        Self { server, connection }
    }

    fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connection.lock().unwrap()).unwrap()
    }

    pub fn push(&self, key: &str, elements: &[&str]) {
        for element in elements {
            self.run::<u64>(&["LPUSH", key, element]);
        }
    }

    pub fn length(&self, key: &str) -> u64 {
        self.run(&["LLEN", key])
    }

    pub fn delete(&self, key: &str) {
        self.run::<u64>(&["DEL", key]);
    }

    /// The record of a queue.
    pub fn record(&self, queue: &str) -> BTreeMap<String, String> {
        self.run(&["HGETALL", &owner_key(queue)])
    }

    pub fn set(&self, queue: &str, field: &str, value: &str) {
        self.run::<u64>(&["HSET", &owner_key(queue), field, value]);
    }

    /// The server's clock.
    pub fn micros(&self) -> i64 {
        let (seconds, micros): (i64, i64) = self.run(&["TIME"]);
        seconds * 1_000_000 + micros
    }

    /// Cuts every other connection.
    pub fn cut_all(&self) {
        self.run::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    }

    /// All routers but one are somebody else's, who renews without an end.
    pub fn hold_all_but(&self, partitions: usize, free: usize) {
        let others = (0..partitions).filter(|partition| *partition != free);
        let owners: Vec<String> =
            others.map(|other| owner_key(&partition_key("q", other))).collect();
        let layout = format!("1:{partitions}");
        let mut connection = self.server.connect();
        let mut renew = move |deadline: u64| {
            for owner in &owners {
                let mut set = redis::cmd("HSET");
                set.arg(owner).arg(&["format", "2", "epoch", "1", "token", "somebody"]);
                set.arg(&["layout", &layout, "deadline"]).arg(deadline);
                set.query::<u64>(&mut connection).unwrap();
            }
        };
        renew(1);
        spawn_local(async move {
            for deadline in 2.. {
                sleep(LEASE / 8).await;
                renew(deadline);
            }
        });
    }

    /// Waits until the owner of the first partition has renewed twice: whatever it was
    /// going to do by itself it has done.
    pub async fn idle(&self) {
        for _ in 0..2 {
            let before = self.record("q").get("deadline").cloned();
            until("the lease is renewed", || self.record("q").get("deadline") != before.as_ref())
                .await;
        }
    }
}

fn owner_key(queue: &str) -> String {
    key_beside(queue, "owner")
}

impl Memory for SharedWords {
    fn metrics(&self) -> &CheckpointMetrics {
        &self.metrics
    }

    fn head_check(&self) -> HeadCheck {
        |head| if head == b"words" { Ok(()) } else { Err("expected words".to_owned()) }
    }

    fn begin(&mut self, _all: bool) -> Result<Taking, MemoryGone> {
        let mut words = self.words.borrow_mut();
        words.snapshots += 1;
        let bytes = words.elements.join("\n").into();
        let segment = Segment::from_number(1023).unwrap();
        let segments = vec![StoredSegment { segment, bytes }];
        let snapshot = Snapshot { number: words.snapshots, head: b"words".to_vec(), segments };
        Ok(Box::pin(async move { Ok(snapshot) }))
    }

    fn committed(&mut self, number: u64) {
        assert!(number <= self.words.borrow().snapshots);
    }

    fn load<'a>(
        &'a mut self,
        ownership: Ownership<'a>,
        stored: StoredState,
    ) -> LocalBoxFuture<'a, Result<(), LoadFailure>> {
        self.note(ownership);
        let mut words = self.words.borrow_mut();
        if let Some(failure) = words.failures.pop_front() {
            return Box::pin(async move { Err(failure) });
        }
        let stored =
            stored.segments.iter().flat_map(|segment| segment.bytes.split(|b| *b == b'\n'));
        words.elements = stored.map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
        Box::pin(async { Ok(()) })
    }

    fn resumed(&mut self, ownership: Ownership<'_>) {
        self.note(ownership);
    }

    fn caught_up(&self) {}

    fn may_claim(&self) -> bool {
        self.words.borrow().may_claim
    }

    fn may_read(&self) -> bool {
        self.words.borrow().may_read
    }

    fn may_end(&self) -> bool {
        let mut words = self.words.borrow_mut();
        words.was_asked_to_end = true;
        words.may_end
    }

    fn demand(&mut self) -> Option<Demand> {
        self.words.borrow_mut().demand.take()
    }

    fn changes(&self) -> Option<&Notify> {
        Some(&self.changes)
    }
}

impl SharedWords {
    fn note(&self, ownership: Ownership<'_>) {
        let Ownership { epoch, partition, line, at, end, is_new, .. } = ownership;
        let known = Known { epoch, partition, line, at, end, is_new };
        self.words.borrow_mut().known.push(known);
    }
}

impl Owner {
    pub fn of(redis: &Redis, duty: Duty, partitions: usize) -> Self {
        Self::at(redis.server.endpoint(), duty, partitions)
    }

    pub fn at(endpoint: Endpoint, duty: Duty, partitions: usize) -> Self {
        let settings = settings(endpoint);
        let (metrics, fatal) = (Arc::new(QueueMetrics::default()), FatalSignal::default());
        let queue = match duty {
            Duty::Whole => RedisQueue::new(&settings, 100_000, metrics, fatal.clone()),
            Duty::Router | Duty::Home => {
                let split = (duty, Partitions::new(partitions).unwrap());
                RedisQueue::of_partitions(split, &settings, 100_000, &metrics, &fatal)
            }
        };
        let words = Words { may_claim: true, may_read: true, may_end: true, ..Words::default() };
        let (memory, changes) = (Rc::new(RefCell::new(words)), Rc::new(Notify::new()));
        let (stopper, stop) = stop_signal();
        let (release, released) = stop_signal();
        let (requester, requests) = checkpoint_requests();
        let gate = ServingGate::closed();
        let once = OnceSettings {
            checkpoint_interval: Duration::from_secs(3600),
            lease: LEASE,
            holding: Holding::default(),
            gate: gate.clone(),
            dead_letters: None,
            checkpoint_requests: requests,
            fatal: fatal.clone(),
            handshake: ShutdownHandshake { saved: stop_signal().0, release: released },
        };
        let shared = SharedWords {
            words: memory.clone(),
            changes: changes.clone(),
            metrics: CheckpointMetrics::default(),
        };
        let partition = queue.taken();
        let keeping = queue.keep_lease(&once);
        let mut source = queue.once_source(once, Box::new(shared), Arc::default(), stop);
        let words = memory.clone();
        let task = spawn_local(async move {
            tokio::select! {
                () = work(&mut source, &words) => {}
                () = keeping => {}
            }
        });
        Self { memory, changes, gate, stopper, partition, release, requester, fatal, task }
    }

    /// Which partition it has.
    pub fn partition(&self) -> Option<usize> {
        *self.partition.borrow()
    }

    pub fn taken(&self) -> Vec<Element> {
        self.memory.borrow().taken.clone()
    }

    /// Why the process would have to end.
    pub fn fatal(&self) -> Option<FatalError> {
        self.fatal.raised().now_or_never()
    }

    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub async fn until_owned(&self) {
        until("the gate is open", || self.gate.unready().is_none()).await;
    }

    /// Until it has taken so many elements, all loads together.
    pub async fn until_taken(&self, count: usize) {
        until(&format!("{count} are taken"), || self.memory.borrow().taken.len() >= count).await;
    }

    /// Until its memory has so many.
    pub async fn until_elements(&self, count: usize) {
        until(&format!("{count} are there"), || self.memory.borrow().elements.len() == count).await;
    }

    /// Has a checkpoint written.
    pub async fn checkpoint(&self) {
        timeout(PATIENCE, self.requester.request()).await.unwrap().unwrap();
    }

    /// Stops it as a process is stopped.
    pub async fn stop(&self) {
        self.stopper.stop();
        self.release.stop();
        until("it ends", || self.has_ended()).await;
    }
}

impl Drop for Owner {
    /// As a kill does.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work(source: &mut OnceSource, words: &RefCell<Words>) {
    let mut backoff = Backoff::default();
    loop {
        match source.take().await {
            Ok(Taken::Batch(batch)) => {
                let mut words = words.borrow_mut();
                for (at, element) in batch.elements.iter().enumerate() {
                    let text = String::from_utf8_lossy(&batch.buffer[element.range()]).into_owned();
                    words.elements.push(text.clone());
                    let place = batch.origin.map(|origin| origin.place + at as u64);
                    let claimed_at = batch.origin.map(|origin| origin.claimed_at);
                    words.taken.push(Element { text, place, claimed_at });
                }
            }
            Ok(Taken::Forget) => {}
            Ok(Taken::Ended) => return,
            Err(_) => sleep(backoff.delay()).await,
        }
    }
}

/// Runs a test whose owners are tasks of this thread.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Waits until that is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

fn settings(endpoint: Endpoint) -> QueueSettings {
    QueueSettings {
        redis: RedisTarget {
            endpoints: vec![endpoint],
            client_name: "gateway".into(),
            ..RedisTarget::default()
        },
        key: "q".into(),
        workers: 1,
        pop_count: None,
        once: Some(OnceTuning { checkpoint_interval: Duration::from_secs(3600), lease: LEASE }),
        partitions: None,
        max_bytes_in_flight: 2 * 1024 * 1024,
        dead_letters: DeadLetterSettings { key: String::new(), max_length: 1, max_bytes: 1024 },
    }
}
