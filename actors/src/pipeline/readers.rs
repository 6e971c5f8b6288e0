//! The readers of a pipeline: a thread with a runtime each, from the first
//! payload to the last.

use std::io;
use std::time::Duration;

use actix::Arbiter;
use psg_engine::series::ReaderIndex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Pipeline;
use super::queue::Queue;
use crate::checkpoint::Checkpoints;
use crate::partition::{Router, RouterSettings};
use crate::reader::{Dispatcher, DispatcherSettings, Reader};
use crate::source::QueueSource;
use crate::source::redis::once::OnceSettings;
use crate::stop::StopSignal;

#[derive(Debug)]
pub(super) struct RunningReaders(Vec<RunningReader>);

/// A reader that runs on an arbiter of its own.
#[derive(Debug)]
struct RunningReader {
    arbiter: Arbiter,
    done: oneshot::Receiver<()>,
}

impl RunningReaders {
    /// One for each worker; exactly-once delivery has one.
    pub(super) fn start(
        pipeline: &Pipeline,
        mut once: Option<(OnceSettings, Checkpoints)>,
        router: Option<(RouterSettings, OnceSettings)>,
    ) -> Self {
        let shared = dispatcher_settings(pipeline);
        let workers = 0..pipeline.settings.queue.workers;
        let readers = workers.map(|worker| start(pipeline, worker, shared.clone(), once.take()));
        Self(readers.chain(router.map(|router| start_router(pipeline, router))).collect())
    }

    /// Waits until all that was taken is in the shards' inboxes, and ends the
    /// readers' threads.
    pub(super) async fn finish(self, deadline: Duration) -> io::Result<()> {
        let all_done = async {
            let mut arbiters = Vec::new();
            for reader in self.0 {
                // A reader that is gone without a word has panicked.
                let _ = reader.done.await;
                arbiters.push(reader.arbiter);
            }
            arbiters
        };
        let arbiters = timeout(deadline, all_done)
            .await
            .map_err(|_| io::Error::other("a reader did not finish what it had taken"))?;
        for arbiter in arbiters {
            arbiter.stop();
            let _ = arbiter.join();
        }
        Ok(())
    }
}

fn dispatcher_settings(pipeline: &Pipeline) -> DispatcherSettings {
    let services = pipeline.handle.services();
    DispatcherSettings {
        intake: pipeline.settings.intake.clone(),
        catalog: services.catalog.clone(),
        shards: services.shards.clone(),
        accounts: pipeline.accounts.clone(),
        lag: services.metrics.queue_lag.clone(),
        clock: pipeline.clock,
        unix: pipeline.unix.clone(),
        home: pipeline.settings.queue.partitions.map(|_| pipeline.fatal.clone()),
    }
}

/// Starts the router, which reads the partition that it takes.
fn start_router(
    pipeline: &Pipeline,
    (settings, once): (RouterSettings, OnceSettings),
) -> RunningReader {
    let services = pipeline.handle.services();
    let (queue, metrics) = (services.queue.clone(), services.metrics.clone());
    let (stop, (tell_done, done)) = (services.stop.clone(), oneshot::channel());
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || {
        let Queue::Partitioned(queue) = queue else { return };
        let counted = metrics.workers[usize::from(settings.reader.0)].clone();
        let router = Router::new(settings);
        let source = queue.routers.once_source(once, router.memory(), counted, stop);
        actix::spawn(async move {
            router.run(source).await;
            // Nobody listens where the process is ending anyway.
            let _ = tell_done.send(());
        });
    });
    RunningReader { arbiter, done }
}

/// Starts the reader of a worker. All that it holds is made on its own thread.
fn start(
    pipeline: &Pipeline,
    worker: usize,
    settings: DispatcherSettings,
    once: Option<(OnceSettings, Checkpoints)>,
) -> RunningReader {
    let services = pipeline.handle.services();
    let (queue, metrics) = (services.queue.clone(), services.metrics.clone());
    let (stop, (tell_done, done)) = (services.stop.clone(), oneshot::channel());
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || {
        let dispatcher = Dispatcher::new(settings, ReaderIndex(worker as u8));
        let counted = metrics.workers[worker].clone();
        match (queue, once) {
            (Queue::Redis(queue), Some((once, checkpoints))) => {
                let memory = Box::new(checkpoints);
                let source = queue.once_source(once, memory, counted, stop.clone());
                run(source, dispatcher, stop, tell_done);
            }
            (Queue::Redis(queue), None) => {
                run(queue.source(worker, counted, stop.clone()), dispatcher, stop, tell_done);
            }
            (Queue::Partitioned(queue), Some((once, checkpoints))) => {
                let memory = Box::new(checkpoints);
                let source = queue.homes.once_source(once, memory, counted, stop.clone());
                run(source, dispatcher, stop, tell_done);
            }
            // The settings see to it that delivery is exactly-once there.
            (Queue::Partitioned(_), None) => {}
            (Queue::Embedded(queue), _) => run(queue.source(counted), dispatcher, stop, tell_done),
        }
    });
    RunningReader { arbiter, done }
}

fn run<S: QueueSource + 'static>(
    source: S,
    dispatcher: Dispatcher,
    stop: StopSignal,
    tell_done: oneshot::Sender<()>,
) {
    actix::spawn(async move {
        Reader::new(source, dispatcher, stop).run().await;
        // Nobody listens where the process is ending anyway.
        let _ = tell_done.send(());
    });
}
