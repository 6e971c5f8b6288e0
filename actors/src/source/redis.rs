//! The Redis list as a queue source. Read in this order: `decoder` finds
//! elements in reply bytes, `replies` moves those bytes, `schedule` says how
//! much to ask for, `workload` whether one worker is enough, `source` puts them
//! together; `connect` finds the server, by way of `progress`, `tls`, `stream`,
//! `race`, `redirect`, `role`, `login_session` and `login`; `wake` waits for elements,
//! `monitor` watches and feels the `pulse`, `presence` says that it is there;
//! `doctor` looks for what is wrong.
//!
//! *Popping.* Several `RPOP key count` are in flight on one connection. Count
//! (25 to 1,000) and depth double while replies come full and fall back when
//! one does not. The bound on bytes judges by the largest element of late; it
//! is halved when the server cuts the connection in the middle of its replies.
//!
//! *Waking.* While the list is empty one reader of the process holds the
//! waiting place and blocks in `BLMOVE queue queue RIGHT RIGHT`, on a
//! connection of its own. That leaves the list as it is, so a cut connection
//! loses nothing. Where BLMOVE is refused, or answered by hanging up three
//! times in a row, the holder polls and tries again each minute.
//!
//! *Lost replies.* Pops that stay silent for 10 s while the monitor's
//! connection is answered are given up with their connection. Where that is
//! silent too, the server hangs or is busy and would answer them later: they
//! wait. Once another primary was found, a reply after a second of silence is
//! not used.
//!
//! *Finding the primary.* Endpoints in turn, and all addresses of each; the
//! master that a Sentinel names, or the next Sentinel; the master that a
//! replica names; the owner that MOVED names, and the node that ASK names with
//! `ASKING` before each command.
//!
//! *Ends.* Each error has a kind, and the kind decides whether the connection
//! is kept. Every retry backs off with jitter. Trouble is logged once for the
//! process, and again when it is over. Answers that have a few bytes by their
//! nature are read up to 64 KiB, so a peer that never ends one takes no memory.
//! A command that the server does not know counts as one that the user may not
//! use.

pub mod decoder;
mod replies;
mod schedule;
mod workload;
mod pop_connection;
mod pop_source;
mod bounded;
mod error;
mod progress;
mod tls;
mod stream;
mod race;
mod redirect;
mod info;
mod role;
mod login_session;
mod login;
mod connect;
mod wake;
mod health;
mod pulse;
mod command_connection;
mod monitor;
mod presence;
mod letters;
pub mod once;
pub mod doctor;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

pub use letters::DeadLetterWriter;
pub use pop_source::RedisSource;

use self::connect::Connector;
use self::health::{Health, HealthReporter};
use self::once::{Keys, LeaseKeeper, OnceSettings, OnceSource, QueueIdentity};
use self::pulse::Pulse;
use self::wake::Waker;
use super::SourceError;
use crate::fatal::FatalSignal;
use crate::self_metrics::{QueueMetrics, WorkerMetrics};
use crate::settings::{Endpoint, QueueSettings};
use crate::stop::StopSignal;

/// One queue; cheap to clone. Makes a source for each worker and one monitor.
#[derive(Debug, Clone)]
pub struct RedisQueue {
    shared: Arc<SharedQueue>,
}

/// What the sources and the monitor of a queue have in common.
#[derive(Debug)]
pub(crate) struct SharedQueue {
    key: String,
    pop_count: Option<usize>,
    max_bytes_in_flight: usize,
    max_element_bytes: usize,
    connector: Connector,
    waker: Waker,
    health: Health,
    pulse: Pulse,
    /// Where elements were taken from last.
    taken_from: Mutex<Option<Endpoint>>,
    metrics: Arc<QueueMetrics>,
    fatal: FatalSignal,
    is_once: bool,
    /// As the setting names it.
    delivery: &'static str,
}

impl RedisQueue {
    /// Opens nothing yet. Elements of more than `max_payload_bytes` are handed
    /// out as [`Slice::TooLarge`](super::Slice::TooLarge).
    pub fn new(
        settings: &QueueSettings,
        max_payload_bytes: usize,
        metrics: Arc<QueueMetrics>,
        fatal: FatalSignal,
    ) -> Self {
        Self {
            shared: Arc::new(SharedQueue {
                key: settings.key.clone(),
                pop_count: settings.pop_count,
                max_bytes_in_flight: settings.max_bytes_in_flight,
                max_element_bytes: max_payload_bytes,
                connector: Connector::new(settings.redis.clone(), &settings.key)
                    .following_ask(settings.once.is_none()),
                waker: Waker::new(&settings.key),
                health: Health::default(),
                pulse: Pulse::default(),
                taken_from: Mutex::default(),
                metrics,
                fatal,
                is_once: settings.once.is_some(),
                delivery: settings.delivery(),
            }),
        }
    }

    /// The source of the worker with that number. It may move to the worker's
    /// thread; its calls run on that thread's runtime.
    pub fn source(
        &self,
        worker: usize,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> RedisSource {
        RedisSource::new(Arc::clone(&self.shared), worker, metrics, stop)
    }

    /// The source of the queue's owner with exactly-once delivery.
    pub fn once_source(
        &self,
        settings: OnceSettings,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> OnceSource {
        let identity = QueueIdentity { keys: self.keys(), reporter: HealthReporter::Reader(0) };
        OnceSource::new(Arc::clone(&self.shared), identity, settings, metrics, stop)
    }

    /// Renews the owner's lease when its reader is held up; to be spawned once, and
    /// not on the reader's thread.
    pub fn keep_lease(&self, settings: &OnceSettings) -> impl Future<Output = ()> + use<> {
        let OnceSettings { lease, holding, gate, .. } = settings;
        let (queue, keys) = (Arc::clone(&self.shared), self.keys());
        LeaseKeeper::new(queue, keys, holding.clone(), gate.clone(), *lease).run()
    }

    fn keys(&self) -> Keys {
        Keys::beside(&self.shared.key)
    }

    /// Publishes the length of the queue and whether Redis is there, each
    /// second, into the metrics; until the stop signal. To be spawned once.
    pub fn monitor(&self, stop: StopSignal) -> impl Future<Output = ()> + Send + use<> {
        monitor::run(Arc::clone(&self.shared), stop)
    }

    /// What is wrong with Redis now, if anything; without secrets.
    pub fn trouble(&self) -> Option<String> {
        self.shared.health.trouble()
    }
}

impl SharedQueue {
    /// Counts an error, and logs it where it is new.
    fn failed(&self, reporter: HealthReporter, cause: &SourceError) {
        self.metrics.errors[cause.kind as usize].fetch_add(1, Ordering::Relaxed);
        self.health.failed(reporter, cause);
        self.publish_health();
    }

    /// Logs where elements are taken from, where that is new.
    fn taking_from(&self, endpoint: &Endpoint) {
        let mut taken_from = self.taken_from.lock();
        if taken_from.as_ref() != Some(endpoint) {
            tracing::info!(%endpoint, "taking from redis");
            *taken_from = Some(endpoint.clone());
        }
    }

    /// Takes note that it works for that reporter; the queue is up once it works
    /// for all.
    fn works(&self, reporter: HealthReporter) {
        self.health.works(reporter);
        self.publish_health();
    }

    fn publish_health(&self) {
        let headline = self.health.headline();
        self.metrics.up.store(headline.is_none(), Ordering::Relaxed);
        *self.metrics.trouble.lock() = headline;
    }
}
