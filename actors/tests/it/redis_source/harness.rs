//! What every test here needs: settings, a queue with its metrics, and loops
//! that take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use psg_actors::error_kind::ErrorKind;
use psg_actors::fatal::FatalSignal;
use psg_actors::self_metrics::{QueueMetrics, WorkerMetrics};
use psg_actors::settings::{DeadLetterSettings, Endpoint, QueueSettings, RedisTarget};
use psg_actors::source::redis::{RedisQueue, RedisSource};
use psg_actors::source::{QueueSource, Slice, SourceError, Taken};
use psg_actors::stop::{StopSignal, Stopper, stop_signal};

use crate::server::{PATIENCE, RedisServer};

pub const KEY: &str = "a queue";
pub const MAX_PAYLOAD: usize = 100_000;

/// A queue and its sides.
pub struct Harness {
    pub queue: RedisQueue,
    pub metrics: Arc<QueueMetrics>,
    pub worker_metrics: Arc<WorkerMetrics>,
    pub stopper: Stopper,
    pub stop: StopSignal,
}

/// One element as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    Whole(String),
    TooLarge { head: String, length: u64 },
}

impl Harness {
    pub fn new(endpoint: Endpoint) -> Self {
        Self::with(settings(vec![endpoint]))
    }

    pub fn with(settings: QueueSettings) -> Self {
        let metrics = Arc::new(QueueMetrics::default());
        let (stopper, stop) = stop_signal();
        let queue =
            RedisQueue::new(&settings, MAX_PAYLOAD, Arc::clone(&metrics), FatalSignal::default());
        Self { queue, metrics, worker_metrics: Arc::default(), stopper, stop }
    }

    pub fn source(&self) -> RedisSource {
        self.queue.source(0, Arc::clone(&self.worker_metrics), self.stop.clone())
    }

    pub fn empty_pops(&self) -> u64 {
        self.worker_metrics.empty_pops.load(Ordering::Relaxed)
    }

    pub fn errors(&self, kind: ErrorKind) -> u64 {
        self.metrics.errors[kind as usize].load(Ordering::Relaxed)
    }
}

pub fn settings(endpoints: Vec<Endpoint>) -> QueueSettings {
    QueueSettings {
        redis: RedisTarget { endpoints, client_name: "gateway".into(), ..RedisTarget::default() },
        key: KEY.into(),
        workers: 1,
        pop_count: None,
        once: None,
        partitions: None,
        max_bytes_in_flight: 2 * 1024 * 1024,
        dead_letters: DeadLetterSettings { key: String::new(), max_length: 1, max_bytes: 1024 },
    }
}

/// One call of take, within the patience of a test; `None` when it ended.
pub async fn take(source: &mut RedisSource) -> Result<Option<Vec<Element>>, SourceError> {
    let taken = tokio::time::timeout(PATIENCE, source.take()).await.expect("take hangs")?;
    Ok(match taken {
        Taken::Ended => None,
        Taken::Forget => panic!("at-most-once delivery never loads anything"),
        Taken::Batch(batch) => {
            let text = |range: &std::ops::Range<usize>| {
                String::from_utf8_lossy(&batch.buffer[range.clone()]).into_owned()
            };
            let element = |slice: &Slice| match slice {
                Slice::Whole(range) => Element::Whole(text(range)),
                Slice::TooLarge { head, length } => {
                    Element::TooLarge { head: text(head), length: *length }
                }
            };
            Some(batch.elements.iter().map(element).collect())
        }
    })
}

/// Takes until there are so many elements. Errors are ridden out as a reader
/// does, within the patience of a test.
pub async fn take_many(source: &mut RedisSource, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(Instant::now() < deadline, "got {} of {count}", taken.len());
        match take(source).await {
            Ok(Some(elements)) => taken.extend(elements.into_iter().map(whole)),
            Ok(None) => panic!("ended at {} of {count}", taken.len()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    taken
}

pub fn whole(element: Element) -> String {
    match element {
        Element::Whole(text) => text,
        Element::TooLarge { length, .. } => panic!("an element of {length} bytes is too large"),
    }
}

/// Pushes numbered elements with padding, in batches.
pub fn push(connection: &mut redis::Connection, numbers: std::ops::Range<usize>) {
    for first in numbers.clone().step_by(5000) {
        let mut command = redis::cmd("LPUSH");
        command.arg(KEY);
        for number in first..numbers.end.min(first + 5000) {
            command.arg(element(number));
        }
        command.exec(connection).unwrap();
    }
}

/// The element of that number; sizes vary from 7 to some 300 bytes.
pub fn element(number: usize) -> String {
    format!("{number:07}{}", "x".repeat(number * 7919 % 300))
}

pub fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(element).collect()
}

pub fn length(connection: &mut redis::Connection) -> usize {
    redis::cmd("LLEN").arg(KEY).query(connection).unwrap()
}

/// Waits until the condition holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a reader waits in BLMOVE.
pub fn is_blocked(server: &RedisServer) -> bool {
    let info: String = redis::cmd("INFO").arg("clients").query(&mut server.connect()).unwrap();
    info.contains("blocked_clients:1")
}
