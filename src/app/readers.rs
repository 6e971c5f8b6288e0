//! The readers: a thread with a runtime each, from the first element to the last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use psg_actors::checkpoint::Checkpoints;
use psg_actors::checkpoint_requests::CheckpointRequests;
use psg_actors::fatal::FatalSignal;
use psg_actors::reader::{Reader, ReaderActor, Router, RouterSettings};
use psg_actors::reject_log::RejectLog;
use psg_actors::settings::{GatewaySettings, OnceTuning};
use psg_actors::source::QueueSource;
use psg_actors::source::redis::once::{Holding, OnceSettings, ShutdownHandshake};
use psg_actors::stop::StopSignal;
use psg_engine::intake::IntakeSettings;
use psg_engine::series::ReaderIndex;
use tokio::sync::oneshot;

use super::parts::Parts;
use super::queue::Queue;

/// How long the readers may take to finish what they have taken.
const READERS_DEADLINE: Duration = Duration::from_secs(6);
/// How long the last checkpoint may take; a server that says nothing for five
/// seconds is given up before.
const LAST_CHECKPOINT_DEADLINE: Duration = Duration::from_secs(60);

/// A reader that runs on an arbiter of its own.
pub(super) struct RunningReader {
    arbiter: Arbiter,
    done: oneshot::Receiver<()>,
}

pub(super) fn start_readers(
    settings: &GatewaySettings,
    parts: &Parts,
    queue: &Queue,
    mut once: Option<OnceSettings>,
    stop: &StopSignal,
) -> Vec<RunningReader> {
    let shared = RouterSettings {
        intake: IntakeSettings {
            payload: settings.metrics.payload.clone(),
            drop_labels: settings.metrics.drop_labels.clone(),
            shards: parts.shards.count(),
            cache_series: settings.metrics.reader_cache_series,
            sort_labels: settings.metrics.sort_labels,
            overflow: settings.metrics.overflow,
            reader: ReaderIndex::default(),
        },
        catalog: parts.catalog.clone(),
        shards: parts.shards.clone(),
        reject_log: Arc::new(RejectLog::default()),
        rejects: parts.rejects.clone(),
        dead_letters: parts.dead_letters.clone(),
        clock: parts.clock,
        unix: parts.unix.clone(),
    };
    let start = |worker| {
        let (tell_done, done) = oneshot::channel();
        let (shared, queue, stop) = (shared.clone(), queue.clone(), stop.clone());
        let metrics = parts.metrics.clone();
        // Exactly-once delivery has one reader.
        let once = once.take();
        let arbiter = Arbiter::new();
        arbiter.spawn_fn(move || {
            let router = Router::new(shared, &metrics, worker);
            let counted = metrics.workers[worker].clone();
            match (queue, once) {
                (Queue::Redis(queue, _), Some(once)) => {
                    let source = queue.once_source(once, counted, stop.clone());
                    start_reader(source, router, stop, tell_done);
                }
                (Queue::Redis(queue, _), None) => {
                    let source = queue.source(worker, counted, stop.clone());
                    start_reader(source, router, stop, tell_done);
                }
                (Queue::Embedded(queue), _) => {
                    start_reader(queue.source(counted), router, stop, tell_done);
                }
            }
        });
        RunningReader { arbiter, done }
    };
    (0..settings.queue.workers).map(start).collect()
}

fn start_reader<S: QueueSource + Unpin>(
    source: S,
    router: Router,
    stop: StopSignal,
    tell_done: oneshot::Sender<()>,
) {
    ReaderActor::new(Reader::new(source, router, stop), tell_done).start();
}

/// What the one reader of exactly-once delivery works with.
pub(super) fn once_settings(
    tuning: OnceTuning,
    requests: CheckpointRequests,
    parts: &Parts,
    fatal: &FatalSignal,
    handshake: ShutdownHandshake,
) -> OnceSettings {
    let (shards, catalog) = (parts.shards.clone(), parts.catalog.clone());
    let metrics = parts.metrics.checkpoints.clone();
    OnceSettings {
        checkpoint_interval: tuning.checkpoint_interval,
        lease: tuning.lease,
        holding: Holding::default(),
        checkpoints: Checkpoints::new(
            shards,
            catalog,
            parts.clocks(),
            parts.tombstone_key.0,
            metrics,
        ),
        gate: parts.gate.clone(),
        dead_letters: parts.dead_letters.clone(),
        checkpoint_requests: requests,
        fatal: fatal.clone(),
        handshake,
    }
}

/// How long the readers may take to finish: to route what they have taken, or to
/// write a last checkpoint and then to keep the queue while scrapers come.
pub(super) fn deadline(settings: &GatewaySettings) -> Duration {
    match settings.queue.once {
        Some(_) => LAST_CHECKPOINT_DEADLINE + settings.http.linger,
        None => READERS_DEADLINE,
    }
}

/// Waits until all that was taken is in the shards' inboxes, and ends the
/// readers' threads.
pub(super) async fn finish(readers: Vec<RunningReader>, deadline: Duration) -> io::Result<()> {
    let all_done = async {
        let mut arbiters = Vec::new();
        for reader in readers {
            // A reader that is gone without a word has panicked.
            let _ = reader.done.await;
            arbiters.push(reader.arbiter);
        }
        arbiters
    };
    let arbiters = tokio::time::timeout(deadline, all_done)
        .await
        .map_err(|_| io::Error::other("a reader did not finish what it had taken"))?;
    for arbiter in arbiters {
        arbiter.stop();
        let _ = arbiter.join();
    }
    Ok(())
}
