//! A pipeline: all that belongs to one owned queue (catalog, shards, scrapes,
//! checkpoints, readers), built in one place and stopped in one place. A process
//! may run several side by side; what a process has once (signals, the log, the
//! HTTP listener) is the application's.
//!
//! ```text
//! open ─► start ─► failed? ─► drain ─► close
//! ```
//!
//! It is built from the end of the flow to its beginning (shards, scrapes, the
//! queue, readers), and stopped from its beginning to its end, so that whatever
//! was taken is applied and whatever was asked is answered. HTTP serves it by a
//! [`PipelineHandle`] between `open` and `close`.

mod handle;
mod queue;
mod readers;
mod removal;
mod shutdown;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use psg_engine::catalog::Catalog;
use psg_engine::forwarder::ForwarderSettings;
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::ShardIndex;
use psg_engine::store::{SharedTombstones, Store, TombstoneKey};

use crate::accounts::Accounts;
use crate::checkpoint::Checkpoints;
use crate::checkpoint_requests::{CheckpointRequests, checkpoint_requests};
use crate::clock::{Clock, UnixClock};
use crate::dead_letters::DeadLetterQueue;
use crate::fatal::{FatalError, FatalSignal};
use crate::partition::RouterSettings;
use crate::scrape::{self, ScrapeParts};
use crate::scrapers::{Handover, Scrapers};
use crate::self_metrics::SelfMetrics;
use crate::serving_gate::ServingGate;
use crate::settings::{OnceTuning, PipelineSettings, QueueSettings};
use crate::shard_set::{ShardSet, ShardThreads};
use crate::source::redis::DeadLetterWriter;
use crate::source::redis::once::{Holding, OnceSettings, ShutdownHandshake};
use crate::state_file::{self, Keeper, StateFile};
use crate::status::{StaticInfo, StatusBoard};
use crate::stop::{Stopper, stop_signal};

pub use handle::PipelineHandle;
pub use removal::RemoveError;
pub use shutdown::{Drained, Totals};

use handle::Services;
use queue::Queue;
use readers::RunningReaders;
use shutdown::OwnerShutdown;

/// Leases for which a removal waits for the checkpoint that makes it safe.
const COMMIT_PATIENCE: u32 = 3;

/// A pipeline that answers and takes nothing yet.
#[derive(Debug)]
pub struct Pipeline {
    settings: PipelineSettings,
    handle: PipelineHandle,
    scrapers: Scrapers,
    accounts: Accounts,
    dead_letters: Option<DeadLetterQueue>,
    clock: Clock,
    /// What gauges go by.
    unix: UnixClock,
    /// State is stored with it, since tombstones mean nothing without.
    tombstone_key: TombstoneKey,
    state_file: Option<StateFile>,
    /// Those of [`Services::commits`], for who writes checkpoints.
    checkpoint_requests: Option<CheckpointRequests>,
    stopper: Stopper,
    fatal: FatalSignal,
    threads: Threads,
}

/// What runs for a pipeline beside its readers.
#[derive(Debug)]
struct Threads {
    shards: ShardThreads,
    scraper: JoinHandle<()>,
    /// On the main runtime; aborted at the end.
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// A pipeline that takes from its queue.
#[derive(Debug)]
pub struct RunningPipeline {
    pipeline: Pipeline,
    readers: RunningReaders,
    keeper: Option<Keeper>,
    handover: Option<Handover>,
    owner: OwnerShutdown,
}

impl Pipeline {
    /// Everything but the readers. The state file is locked and the embedded queue
    /// listens; to be called within an actix system.
    ///
    /// # Errors
    /// A file or an address can't be used, or a thread can't be started.
    pub fn open(settings: PipelineSettings, info: StaticInfo) -> io::Result<Self> {
        let state_file = settings.state_file.as_ref().map(StateFile::open);
        let state_file = state_file.transpose().map_err(io::Error::other)?;
        let (clock, tombstone_key) = (Clock::start(), TombstoneKey(rand::random()));
        let catalog = Catalog::new(settings.catalog.clone());
        let metrics = Arc::new(self_metrics(&settings, &catalog, clock));
        let tombstones =
            SharedTombstones::new(settings.store.tombstones, tombstone_key, settings.shards.count);
        let mut tasks = Vec::new();
        let dead_letters = start_dead_letters(&settings, &metrics, &mut tasks);
        let letters = dead_letters.clone();
        let accounts = Accounts::new(&metrics, &catalog, settings.expose_payloads, letters);
        let store = |shard| store(&settings, &tombstones, shard);
        let (shards, shard_threads) =
            ShardSet::start(settings.shards, metrics.clone(), &accounts, clock, store)?;
        let (gate, scrapers) = (closed_gate(&settings), Scrapers::new(clock));
        let (scrapes, scraper) = scrape::start(ScrapeParts {
            shards: shards.clone(),
            metrics: metrics.clone(),
            catalog: catalog.clone(),
            gate: gate.clone(),
            scrapers: scrapers.clone(),
            settings: settings.scrape,
            created_timestamps: settings.store.created_timestamps,
        })?;
        let (stopper, stop) = stop_signal();
        let fatal = FatalSignal::default();
        let queue = Queue::open(&settings, &metrics, &fatal, &stop)?;
        let info = info.of_queue(&settings, queue.listens_on());
        let status = StatusBoard::new(metrics.clone(), catalog.clone(), clock, info);
        let (requester, checkpoint_requests) = checkpoint_requests();
        let commits = settings.queue.once.map(|once| (requester, once.lease * COMMIT_PATIENCE));
        let doors = queue.doors(&settings, &metrics, &stop)?;
        Ok(Self {
            handle: PipelineHandle::new(Services {
                doors,
                catalog,
                metrics,
                shards,
                gate,
                scrapes,
                status: Arc::new(status),
                rejects: accounts.rejects().clone(),
                queue,
                commits,
                stop,
            }),
            checkpoint_requests: settings.queue.once.map(|_| checkpoint_requests),
            settings,
            scrapers,
            accounts,
            dead_letters,
            clock,
            unix: UnixClock::start(),
            tombstone_key,
            state_file,
            stopper,
            fatal,
            threads: Threads { shards: shard_threads, scraper, tasks },
        })
    }

    /// What HTTP serves it by.
    pub fn handle(&self) -> PipelineHandle {
        self.handle.clone()
    }

    /// Where producers connect to, where that is us and not a Unix socket.
    pub fn listens_on(&self) -> Option<SocketAddr> {
        self.handle.services().queue.listens_on()
    }

    /// Loads the state, and takes from the queue from then on.
    pub async fn start(mut self) -> io::Result<RunningPipeline> {
        let handover = handover(&self.settings);
        let keeper = self.keep_state(handover.as_ref()).await?;
        let status = self.handle.services().status.clone();
        self.spawn(status.run(self.handle.services().stop.clone()));
        let (owner, handshake) = OwnerShutdown::new();
        let requests = self.checkpoint_requests.take();
        let once = self.settings.queue.once.zip(requests).map(|(tuning, requests)| {
            let gate = self.handle.services().gate.clone();
            self.once(tuning, gate, requests, handshake)
        });
        let router = self.router_settings();
        match (&self.handle.services().queue, &once) {
            (Queue::Redis(queue), Some(once)) => {
                let keeping = queue.keep_lease(once);
                self.spawn(keeping);
            }
            (Queue::Partitioned(queue), Some(once)) => {
                let keeping = queue.homes.keep_lease(once);
                let routing = router.as_ref().map(|(_, once)| queue.routers.keep_lease(once));
                self.spawn(keeping);
                routing.into_iter().for_each(|keeping| self.spawn(keeping));
            }
            (Queue::Redis(_) | Queue::Partitioned(_) | Queue::Embedded(_), _) => {}
        }
        let owner_of = once.map(|once| (once, self.checkpoints()));
        let readers = RunningReaders::start(&self, owner_of, router);
        Ok(RunningPipeline { pipeline: self, readers, keeper, handover, owner })
    }

    fn once(
        &self,
        tuning: OnceTuning,
        gate: ServingGate,
        checkpoint_requests: CheckpointRequests,
        handshake: ShutdownHandshake,
    ) -> OnceSettings {
        OnceSettings {
            checkpoint_interval: tuning.checkpoint_interval,
            lease: tuning.lease,
            holding: Holding::default(),
            gate,
            dead_letters: self.dead_letters.clone(),
            checkpoint_requests,
            fatal: self.fatal.clone(),
            handshake,
        }
    }

    /// What the router is given, where the queue has partitions. It shows nothing, so
    /// nobody asks its gate, and it gives its partition back as soon as it can.
    fn router_settings(&self) -> Option<(RouterSettings, OnceSettings)> {
        let services = self.handle.services();
        let PipelineSettings { queue, intake, .. } = &self.settings;
        let (partitions, metrics) = (queue.partitions?, services.metrics.partitions.as_ref()?);
        let (_, requests) = checkpoint_requests();
        let (_, handshake) = OwnerShutdown::at_once();
        let once = self.once(queue.once?, ServingGate::closed(), requests, handshake);
        let router = RouterSettings {
            redis: queue.redis.clone(),
            key: queue.key.clone(),
            forwarder: ForwarderSettings { intake: intake.clone(), partitions: partitions.count },
            flush_interval: partitions.flush_interval,
            accounts: self.accounts.clone(),
            reader: ReaderIndex(queue.workers as u8),
            lag: services.metrics.queue_lag.clone(),
            checkpoints: metrics.checkpoints.clone(),
            figures: metrics.router.clone(),
            clock: self.clock,
            unix: self.unix.clone(),
            stop: services.stop.clone(),
        };
        Some((router, once))
    }

    /// Loads the state file, where there is to be one, and has it written from now
    /// on. Nothing may be taken or shown before.
    async fn keep_state(&mut self, handover: Option<&Handover>) -> io::Result<Option<Keeper>> {
        let Some(file) = self.state_file.take() else { return Ok(None) };
        let left = handover.and_then(Handover::receive);
        // Nobody asks where nothing is handed over.
        let is_whole = handover.is_none() || left.is_some();
        let keeper = state_file::start(file, self.checkpoints(), is_whole).await;
        let keeper = keeper.map_err(io::Error::other)?;
        let services = self.handle.services();
        if let (Some(handover), Some(left)) = (handover, left) {
            let received = handover.apply(left, &self.scrapers, &services.shards);
            received.map_err(io::Error::other)?;
        }
        services.gate.memory_is_whole();
        Ok(Some(keeper))
    }

    /// For the one who keeps the state safe: the owner of an exactly-once queue, or
    /// the keeper of the state file.
    fn checkpoints(&self) -> Checkpoints {
        let services = self.handle.services();
        Checkpoints::new(
            services.shards.clone(),
            services.catalog.clone(),
            (self.clock, self.unix.clone()),
            self.tombstone_key.0,
            services.metrics.checkpoints.clone(),
        )
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.threads.tasks.push(actix::spawn(task));
    }
}

impl RunningPipeline {
    /// Waits for what must end the process.
    pub async fn failed(&self) -> FatalError {
        self.pipeline.fatal.raised().await
    }
}

fn self_metrics(settings: &PipelineSettings, catalog: &Catalog, clock: Clock) -> SelfMetrics {
    SelfMetrics::new(
        settings.queue.workers,
        settings.shards.count,
        catalog.clone(),
        &settings.queue.key,
        settings.queue.delivery(),
        settings.scrape.disable_meta_metrics,
    )
    .with_partitions(settings.queue.partitions.map(|partitions| partitions.count), clock)
}

/// The gate at the start: closed where something has to be loaded first.
fn closed_gate(settings: &PipelineSettings) -> ServingGate {
    let gate = match settings.queue.once {
        Some(_) => ServingGate::closed(),
        None => ServingGate::open(),
    };
    if settings.state_file.is_some() {
        gate.close("the state file is being loaded");
    }
    gate
}

/// Where the next process is told of a clean end and of scrapers, where that makes
/// a difference.
fn handover(settings: &PipelineSettings) -> Option<Handover> {
    let exact = settings.scrape.exact_first_increment;
    let file = settings.state_file.as_ref()?;
    let is_wanted = exact || settings.store.created_timestamps;
    is_wanted.then(|| Handover::beside(&file.path, exact))
}

/// The store of a shard. Those of one pipeline share `tombstones`.
fn store(settings: &PipelineSettings, tombstones: &SharedTombstones, shard: ShardIndex) -> Store {
    let mut store = Store::new(settings.store, tombstones.clone(), shard);
    if settings.queue.once.is_some() {
        store.watch_changes();
    }
    store
}

/// The dead letters' queue and its writer, where they are wanted.
fn start_dead_letters(
    settings: &PipelineSettings,
    metrics: &SelfMetrics,
    tasks: &mut Vec<tokio::task::JoinHandle<()>>,
) -> Option<DeadLetterQueue> {
    let QueueSettings { redis, dead_letters, .. } = &settings.queue;
    if dead_letters.key.is_empty() {
        return None;
    }
    let letters = DeadLetterQueue::new(dead_letters.max_bytes, metrics.dead_letters.clone());
    let writer = DeadLetterWriter::new(letters.clone(), dead_letters.clone(), redis.clone());
    tasks.push(actix::spawn(writer.run()));
    Some(letters)
}
