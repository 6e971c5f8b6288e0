//! The Redis list as a queue source.
//!
//! With at-most-once delivery elements are popped, by several workers where that is
//! worth it. With exactly-once delivery ([`once`]) one owner claims them.
//!
//! - Popping: `pop_source` puts together `pop_connection` (what was asked and is owed),
//!   `schedule` (how much to ask for), `workload` (whether one worker is enough) and
//!   `wake` (how an idle worker learns of elements without taking any). `shared_queue` is
//!   what workers and monitor have in common, `wait_bound` bounds how long a reply is
//!   waited for.
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
mod wait_bound;
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
pub mod homes;
mod monitor;
mod presence;
mod dead_letter_writer;
mod list_pusher;
pub mod once;
pub mod doctor;

use std::sync::Arc;

use psg_engine::partition::Partitions;
use tokio::sync::watch;

pub use dead_letter_writer::DeadLetterWriter;
pub use list_pusher::ListPusher;
pub use pop_source::RedisSource;

use self::once::{Candidate, Duty, Keys, LeaseKeeper, Memory, OnceSettings, OnceSource, Part};
use self::shared_queue::SharedQueue;
use crate::cluster_key::{hash_tag, home_key, partition_key};
use crate::fatal::FatalSignal;
use crate::self_metrics::{QueueMetrics, WorkerMetrics};
use crate::settings::QueueSettings;
use crate::stop::StopSignal;

/// One queue, or the parts of one of which a process takes one; cheap to clone. Makes
/// a source for each worker and one monitor.
#[derive(Debug, Clone)]
pub struct RedisQueue {
    candidates: Arc<[Candidate]>,
    /// Which of them was taken.
    taken: watch::Sender<Option<usize>>,
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
        let queue = SharedQueue::new(settings, max_payload_bytes, metrics, fatal);
        let (queue, keys) = (Arc::new(queue), Keys::beside(&settings.key));
        let candidate =
            Candidate { queue, keys, part: Part::WHOLE, has_one_slot: false, first: None };
        Self { candidates: Arc::new([candidate]), taken: watch::Sender::new(Some(0)) }
    }

    /// The routers, or the homes, of all partitions of the queue: a process takes one.
    /// Otherwise like [`RedisQueue::new`].
    pub fn of_partitions(
        (duty, partitions): (Duty, Partitions),
        settings: &QueueSettings,
        max_payload_bytes: usize,
        metrics: &Arc<QueueMetrics>,
        fatal: &FatalSignal,
    ) -> Self {
        let has_one_slot = hash_tag(&settings.key).is_some();
        let shared = |key| {
            let settings = QueueSettings { key, ..settings.clone() };
            let (metrics, fatal) = (Arc::clone(metrics), fatal.clone());
            Arc::new(SharedQueue::new(&settings, max_payload_bytes, metrics, fatal))
        };
        let first = (shared(settings.key.clone()), Keys::beside(&settings.key));
        let candidate = |partition| {
            let key = match duty {
                Duty::Home => home_key(&settings.key, partition),
                Duty::Router | Duty::Whole => partition_key(&settings.key, partition),
            };
            let (keys, part) = (Keys::beside(&key), Part { duty, partition, partitions });
            let (queue, first) = (shared(key), Some(first.clone()));
            Candidate { queue, keys, part, has_one_slot, first }
        };
        let candidates = (0..partitions.get()).map(candidate).collect();
        Self { candidates, taken: watch::Sender::new(None) }
    }

    /// Which partition was taken, as soon as that is known; the only one there is.
    pub fn taken(&self) -> watch::Receiver<Option<usize>> {
        self.taken.subscribe()
    }

    /// The source of the worker with that number. It may move to the worker's
    /// thread; its calls run on that thread's runtime.
    pub fn source(
        &self,
        worker: usize,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> RedisSource {
        RedisSource::new(Arc::clone(&self.candidates[0].queue), worker, metrics, stop)
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
        let (candidates, taken) = (&self.candidates, self.taken.clone());
        OnceSource::new(candidates, taken, (settings, memory), metrics, stop)
    }

    /// Renews the owner's lease when its reader is held up; to be spawned once, and
    /// not on the reader's thread.
    pub fn keep_lease(&self, settings: &OnceSettings) -> impl Future<Output = ()> + use<> {
        let OnceSettings { lease, holding, gate, .. } = settings;
        let (lease, holding, gate) = (*lease, holding.clone(), gate.clone());
        let queue = self.clone();
        async move {
            let Candidate { queue, keys, .. } = queue.owned().await;
            LeaseKeeper::new(queue, keys, holding, gate, lease).run().await;
        }
    }

    /// Publishes the length of the queue and whether Redis is there, each
    /// second, into the metrics; until the stop signal. To be spawned once.
    pub fn monitor(&self, mut stop: StopSignal) -> impl Future<Output = ()> + Send + use<> {
        let queue = self.clone();
        async move {
            let owned = tokio::select! {
                () = stop.stopped() => return,
                owned = queue.owned() => owned,
            };
            monitor::run(owned.queue, stop).await;
        }
    }

    /// The candidate that is taken, once one is.
    async fn owned(&self) -> Candidate {
        let mut taken = self.taken.subscribe();
        let taken = taken.wait_for(Option::is_some).await.map(|taken| *taken);
        // The sender lives as long as this does.
        let at = taken.ok().flatten().unwrap_or_default();
        self.candidates[at].clone()
    }

    /// What is wrong with Redis now, if anything; without secrets.
    pub fn trouble(&self) -> Option<String> {
        match *self.taken.borrow() {
            Some(at) => self.candidates[at].queue.health.trouble(),
            None => self.candidates.iter().find_map(|candidate| candidate.queue.health.trouble()),
        }
    }
}
