//! The queues that the contract is held against, each behind one trait.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use psg_actors::fatal::FatalSignal;
use psg_actors::self_metrics::{QueueMetrics, WorkerMetrics};
use psg_actors::settings::{
    DeadLetterSettings, EmbeddedSettings, Endpoint, ListenAddress, QueueSettings, RedisTarget,
};
use psg_actors::source::embedded::EmbeddedQueue;
use psg_actors::source::push_source::PushSource;
use psg_actors::source::redis::{RedisQueue, RedisSource};
use psg_actors::source::{QueueSource, Slice, SourceError, Taken};
use psg_actors::stop::{StopSignal, Stopper, stop_signal};

use crate::server::{PATIENCE, RedisServer};

pub const KEY: &str = "a queue";
pub const MAX_ELEMENT: usize = 100_000;

/// A queue, its producers' side and its readers' side.
pub trait TestQueue: Sync {
    /// What readers take from.
    type Source: QueueSource + Send;

    /// An empty one.
    fn start() -> Self;

    /// Pushes elements with one LPUSH.
    fn push(&self, elements: &[Vec<u8>]);

    /// Elements that nobody has taken.
    fn left(&self) -> usize;

    /// The source of a worker.
    fn source(&self, worker: usize) -> Self::Source;

    /// Pops that found nothing.
    fn empty_pops(&self) -> u64;

    /// Gives the stop signal.
    fn stop(&self);
}

/// What both have in common.
struct Sides {
    metrics: Arc<QueueMetrics>,
    worker_metrics: Arc<WorkerMetrics>,
    stopper: Stopper,
    stop: StopSignal,
}

impl Sides {
    fn new() -> Self {
        let (stopper, stop) = stop_signal();
        Self { metrics: Arc::default(), worker_metrics: Arc::default(), stopper, stop }
    }
}

/// The list of a real Redis.
pub struct RedisList {
    sides: Sides,
    queue: RedisQueue,
    connection: Mutex<redis::Connection>,
    _server: RedisServer,
}

/// The queue of the gateway itself, pushed to over TCP.
pub struct Embedded {
    sides: Sides,
    pub queue: EmbeddedQueue,
    connection: Mutex<redis::Connection>,
}

impl TestQueue for RedisList {
    type Source = RedisSource;

    fn start() -> Self {
        let server = RedisServer::start(&[]);
        let sides = Sides::new();
        let settings = settings(server.endpoint());
        let queue = RedisQueue::new(
            &settings,
            MAX_ELEMENT,
            Arc::clone(&sides.metrics),
            FatalSignal::default(),
        );
        let connection = Mutex::new(server.connect());
        Self { sides, queue, connection, _server: server }
    }

    fn push(&self, elements: &[Vec<u8>]) {
        push(&self.connection, elements);
    }

    fn left(&self) -> usize {
        redis::cmd("LLEN").arg(KEY).query(&mut self.connection.lock().unwrap()).unwrap()
    }

    fn source(&self, worker: usize) -> RedisSource {
        let Sides { worker_metrics, stop, .. } = &self.sides;
        self.queue.source(worker, Arc::clone(worker_metrics), stop.clone())
    }

    fn empty_pops(&self) -> u64 {
        self.sides.worker_metrics.empty_pops.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.sides.stopper.stop();
    }
}

impl Embedded {
    /// One of that size, whose pushes wait for so long.
    pub fn with(max_queue_bytes: usize, push_timeout: Duration) -> Self {
        let sides = Sides::new();
        let embedded = EmbeddedSettings {
            listen: ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))),
            login: None,
            max_queue_bytes,
            max_client_bytes: 4 << 20,
            push_timeout,
            max_connections: 100,
            idle_timeout: None,
            tls: None,
        };
        let settings = settings(Endpoint::Tcp("nowhere".into(), 1));
        let (metrics, stop) = (Arc::clone(&sides.metrics), sides.stop.clone());
        let queue = EmbeddedQueue::start(&embedded, &settings, MAX_ELEMENT, metrics, stop).unwrap();
        let client = redis::Client::open(format!("redis://{}", queue.address().unwrap())).unwrap();
        let connection = Mutex::new(client.get_connection().unwrap());
        Self { sides, queue, connection }
    }
}

impl TestQueue for Embedded {
    type Source = PushSource;

    fn start() -> Self {
        Self::with(1 << 28, Duration::from_secs(1))
    }

    fn push(&self, elements: &[Vec<u8>]) {
        push(&self.connection, elements);
    }

    fn left(&self) -> usize {
        self.sides.metrics.pending.load(Ordering::Relaxed).try_into().unwrap()
    }

    fn source(&self, _worker: usize) -> PushSource {
        self.queue.source(Arc::clone(&self.sides.worker_metrics))
    }

    fn empty_pops(&self) -> u64 {
        self.sides.worker_metrics.empty_pops.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.sides.stopper.stop();
    }
}

fn push(connection: &Mutex<redis::Connection>, elements: &[Vec<u8>]) {
    let mut connection = connection.lock().unwrap();
    redis::cmd("LPUSH").arg(KEY).arg(elements).exec(&mut connection).unwrap();
}

fn settings(endpoint: Endpoint) -> QueueSettings {
    QueueSettings {
        redis: RedisTarget {
            endpoints: vec![endpoint],
            client_name: "gateway".into(),
            ..RedisTarget::default()
        },
        key: KEY.into(),
        once: None,
        partitions: None,
        workers: 1,
        pop_count: None,
        max_bytes_in_flight: 2 * 1024 * 1024,
        dead_letters: DeadLetterSettings { key: String::new(), max_length: 1, max_bytes: 1024 },
    }
}

/// One element as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    Whole(Vec<u8>),
    TooLarge { head: Vec<u8>, length: u64 },
}

/// One call of take, within the patience of a test; `None` when it ended.
pub async fn take(source: &mut impl QueueSource) -> Result<Option<Vec<Element>>, SourceError> {
    let taken = tokio::time::timeout(PATIENCE, source.take()).await.expect("take hangs")?;
    let Taken::Batch(batch) = taken else { return Ok(None) };
    let element = |slice: &Slice| match slice {
        Slice::Whole(range) => Element::Whole(batch.buffer[range.clone()].to_vec()),
        Slice::TooLarge { head, length } => {
            Element::TooLarge { head: batch.buffer[head.clone()].to_vec(), length: *length }
        }
    };
    Ok(Some(batch.elements.iter().map(element).collect()))
}

/// Takes until there are so many elements, all of them whole.
pub async fn take_many(source: &mut impl QueueSource, count: usize) -> Vec<Vec<u8>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = take(source).await.unwrap();
        let batch = batch.unwrap_or_else(|| panic!("ended at {} of {count}", taken.len()));
        taken.extend(batch.into_iter().map(whole));
    }
    taken
}

pub fn whole(element: Element) -> Vec<u8> {
    match element {
        Element::Whole(bytes) => bytes,
        Element::TooLarge { length, .. } => panic!("an element of {length} bytes is too large"),
    }
}
