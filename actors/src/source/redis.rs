//! The Redis list as a queue source.
//!
//! With at-most-once delivery elements are popped, by several workers where that is
//! worth it. With exactly-once delivery ([`once`]) one owner claims them.
//!
//! - Popping: `pop_source` puts together `pop_connection` (what was asked and is owed),
//!   `schedule` (how much to ask for), `workload` (whether one worker is enough) and
//!   `wake` (how an idle worker learns of elements without taking any). `shared_queue` is
//!   what workers and monitor have in common.
//! - Bytes: `replies` moves them, [`decoder`] finds elements in them, `bounded` bounds
//!   what has small replies.
//! - Connecting: `connect` finds the primary. `stream` and `tls` open a connection,
//!   `race` tries several addresses at once, `progress` is how far an attempt has come,
//!   `login` and `login_session` are what is said first, `role`, `info` and `redirect`
//!   understand where it leads. `command_connection` is for those who ask little.
//! - Beside the workers: `monitor` asks for the length of the queue, `pulse` is whether
//!   it is answered, `presence` shows that this gateway is there, `health` logs what is
//!   wrong once, `error` says what a server's words mean, `dead_letter_writer` writes dead letters,
//!   `list_pusher` what comes in by doors.
//! - [`doctor`] looks for what is wrong, for the command of that name.

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
mod shared_queue;
mod monitor;
mod presence;
mod dead_letter_writer;
mod list_pusher;
pub mod once;
pub mod doctor;

use std::sync::Arc;

pub use dead_letter_writer::DeadLetterWriter;
pub use list_pusher::ListPusher;
pub use pop_source::RedisSource;

use self::health::HealthReporter;
use self::once::{Keys, LeaseKeeper, Memory, OnceSettings, OnceSource};
use self::shared_queue::SharedQueue;
use crate::fatal::FatalSignal;
use crate::self_metrics::{QueueMetrics, WorkerMetrics};
use crate::settings::QueueSettings;
use crate::stop::StopSignal;

/// One queue; cheap to clone. Makes a source for each worker and one monitor.
#[derive(Debug, Clone)]
pub struct RedisQueue {
    shared: Arc<SharedQueue>,
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
        Self { shared: Arc::new(SharedQueue::new(settings, max_payload_bytes, metrics, fatal)) }
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

    /// The source of the queue's owner with exactly-once delivery, which keeps
    /// `memory` safe.
    pub fn once_source(
        &self,
        settings: OnceSettings,
        memory: Box<dyn Memory>,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> OnceSource {
        let (queue, reporter) = (Arc::clone(&self.shared), HealthReporter::Reader(0));
        OnceSource::new(queue, self.keys(), reporter, (settings, memory), metrics, stop)
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
