//! The application: the only place that wires actors.
//!
//! They are started from the end of the flow to its beginning (shards, scrape,
//! HTTP, readers) and stopped from its beginning to its end, so that whatever
//! was taken is applied and whatever was asked is answered.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, Arbiter};
use psg_actors::checkpoint::Checkpoints;
use psg_actors::clock::{Clock, UnixClock};
use psg_actors::dead_letters::DeadLetters;
use psg_actors::doom::{Doom, End};
use psg_actors::gate::Gate;
use psg_actors::http::admin::Admin;
use psg_actors::http::{self, HttpState, Unready};
use psg_actors::reader::{Reader, ReaderActor, Router, RouterSettings};
use psg_actors::reject_log::RejectLog;
use psg_actors::rejects::RejectBoard;
use psg_actors::scrape::{self, ScrapeHandle};
use psg_actors::self_metrics::{RedisMetrics, SelfMetrics};
use psg_actors::settings::{GatewaySettings, OnceTuning, QueueSettings};
use psg_actors::shard_set::{ShardSet, ShardThreads};
use psg_actors::source::QueueSource;
use psg_actors::source::embedded::EmbeddedQueue;
use psg_actors::source::redis::once::OnceSettings;
use psg_actors::source::redis::{LetterWriter, RedisQueue};
use psg_actors::state_file::{self, Keeper, StateFile};
use psg_actors::status::{Facts, StatusBoard, model};
use psg_actors::stop::{StopSignal, stop_signal};
use psg_engine::catalog::Catalog;
use psg_engine::intake::IntakeSettings;
use psg_engine::series::ReaderIndex;
use psg_engine::store::{StoreSettings, TombstoneBudget, TombstoneKey, TombstoneSettings};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::{Config, Entry};
use crate::exit;

/// How long the readers may take to finish what they have taken.
const READERS_DEADLINE: Duration = Duration::from_secs(6);
/// How long the last checkpoint may take; a server that says nothing for five
/// seconds is given up before.
const LAST_CHECKPOINT_DEADLINE: Duration = Duration::from_secs(60);

/// Where a gateway listens.
#[derive(Debug, Clone)]
pub struct Listening {
    /// For HTTP; at least one address.
    pub http: Vec<SocketAddr>,
    /// For producers, where the gateway itself is the queue.
    pub queue: Option<SocketAddr>,
}

/// How long the last dead letters may take to be written.
const LETTERS_DEADLINE: Duration = Duration::from_secs(2);

/// Runs the gateway until SIGTERM or SIGINT; 0 after a clean stop.
pub fn run(config: Config, entries: &[Entry]) -> ExitCode {
    end_on_panic();
    let facts = facts(&config.gateway, entries);
    let served = actix::System::new().block_on(async {
        let mut signals = Signals::listen()?;
        serve(config.gateway, facts, |_| {}, signals.next()).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Io(error)) => {
            tracing::error!(%error, "the gateway ends");
            ExitCode::FAILURE
        }
        Err(Ended::Doom(end)) => {
            tracing::error!(%end, "the gateway ends");
            match end {
                End::BadConfiguration(_) => exit::bad_configuration(),
                End::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs the gateway on this thread until `end` is told or dropped, in a process
/// that minds signals and panics itself; calls `listening` once it listens.
pub fn host(
    config: Config,
    entries: &[Entry],
    listening: impl FnOnce(Listening),
    end: oneshot::Receiver<()>,
) -> io::Result<()> {
    let facts = facts(&config.gateway, entries);
    let ended = async {
        // Whoever has dropped the other side wants the end as well.
        let _ = end.await;
        "the end of its host"
    };
    let system = actix::System::new();
    system.block_on(serve(config.gateway, facts, listening, ended)).map_err(|ended| match ended {
        Ended::Io(error) => error,
        Ended::Doom(end) => io::Error::other(end),
    })
}

/// A shard that is missing would look like counter resets, a reader that is
/// missing like silence: a panic of any actor ends the process.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "an actor has panicked, the gateway ends");
        #[expect(clippy::exit, reason = "what a panic left half done can't be put in order")]
        std::process::exit(1);
    }));
}

/// What the status tells of the configuration.
fn facts(settings: &GatewaySettings, entries: &[Entry]) -> Facts {
    let setting = |entry: &Entry| model::Setting {
        name: entry.name.to_owned(),
        value: entry.value.clone(),
        origin: entry.origin.as_str().to_owned(),
    };
    let endpoints = settings.queue.redis.endpoints.iter().map(ToString::to_string);
    let (source, address) = match &settings.embedded {
        Some(embedded) => ("embedded", embedded.listen.to_string()),
        None => ("redis", endpoints.collect::<Vec<_>>().join(", ")),
    };
    Facts {
        source,
        address,
        key: settings.queue.key.clone(),
        max_series: settings.metrics.series.max_series,
        keeps_totals: settings.queue.once.is_some() || settings.metrics.state_file.is_some(),
        settings: entries.iter().map(setting).collect(),
    }
}

/// Why the gateway ended before it was told to.
enum Ended {
    Io(io::Error),
    Doom(End),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self::Doom(end)
    }
}

async fn serve(
    settings: GatewaySettings,
    mut facts: Facts,
    listening: impl FnOnce(Listening),
    ended: impl Future<Output = &'static str>,
) -> Result<(), Ended> {
    let (stopper, stop) = stop_signal();
    let state_file = settings.metrics.state_file.as_ref().map(StateFile::open);
    let state_file = state_file.transpose().map_err(io::Error::other)?;
    let parts = Parts::start(&settings)?;
    let doom = Doom::default();
    let queue = Queue::open(&settings, parts.metrics.redis.clone(), &doom, &stop)?;
    if let Some(address) = queue.listens_on() {
        facts.address = address.to_string();
    }
    let gate = parts.gate.clone();
    let unready = unready(queue.clone(), gate.clone(), stop.clone());
    let (metrics, catalog) = (parts.metrics.clone(), parts.catalog.clone());
    let status = Arc::new(StatusBoard::new(metrics, catalog, parts.clock, facts));
    let (scrapes, shards) = (parts.scrapes.clone(), parts.shards.clone());
    let rejects = parts.rejects.clone();
    let admin = Admin::new(parts.catalog.clone(), settings.http.enable_admin);
    let state =
        HttpState { scrapes, gate, unready, status: status.clone(), rejects, shards, admin };
    let side = http::bind(&settings.http, state)?;
    let (handle, server) = (side.handle, actix::spawn(side.server));
    tracing::info!(addresses = ?side.addresses, version = env!("CARGO_PKG_VERSION"), "listening");

    let keeper = keep_state(state_file, &parts).await?;
    actix::spawn(status.run(stop.clone()));
    let readers = start_readers(&settings, &parts, &queue, &doom, &stop);
    listening(Listening { http: side.addresses, queue: queue.listens_on() });
    let signal = tokio::select! {
        end = doom.met() => return Err(end.into()),
        signal = ended => signal,
    };
    tracing::info!(signal, "stopping: nothing more is taken");
    stopper.stop();
    let finished = tokio::select! {
        end = doom.met() => return Err(end.into()),
        finished = finish(readers, deadline(&settings)) => finished,
    };
    if let Some(letters) = &parts.dead_letters {
        let flushed = tokio::time::timeout(LETTERS_DEADLINE, letters.flush()).await;
        if flushed.is_err() {
            tracing::warn!("dead letters are left unwritten");
        }
    }
    handle.stop(true).await;
    server.await.map_err(io::Error::from)??;
    let kept = keeper.map_or(Ok(()), Keeper::end);
    // A reader that hangs still holds the shards' inboxes open: waiting for
    // the shards would never end.
    finished?;
    kept?;
    let metrics = parts.end();
    let (processed, rejected) = (metrics.processed(), metrics.rejected());
    tracing::info!(processed, rejected, "stopped");
    Ok(())
}

fn unready(queue: Queue, gate: Gate, stop: StopSignal) -> Unready {
    Unready::new(move || {
        if stop.is_stopped() {
            return Some("the gateway is stopping".to_owned());
        }
        queue.trouble().or_else(|| gate.unready().map(str::to_owned))
    })
}

/// The dead letters' queue and its writer, where they are wanted.
fn start_dead_letters(settings: &GatewaySettings, metrics: &SelfMetrics) -> Option<DeadLetters> {
    let QueueSettings { redis, dead_letters, .. } = &settings.queue;
    if dead_letters.key.is_empty() {
        return None;
    }
    let letters = DeadLetters::new(dead_letters.max_bytes, metrics.dead_letters.clone());
    let writer = LetterWriter::new(letters.clone(), dead_letters.clone(), redis.clone());
    actix::spawn(writer.run());
    Some(letters)
}

/// Loads the state file, where there is to be one, and has it written from now
/// on. Nothing may be taken or shown before.
async fn keep_state(file: Option<StateFile>, parts: &Parts) -> io::Result<Option<Keeper>> {
    let Some(file) = file else { return Ok(None) };
    let (shards, catalog) = (parts.shards.clone(), parts.catalog.clone());
    let metrics = parts.metrics.checkpoints.clone();
    let checkpoints =
        Checkpoints::new(shards, catalog, parts.clock, parts.tombstone_key.0, metrics);
    let keeper = state_file::start(file, checkpoints).await.map_err(io::Error::other)?;
    parts.gate.memory_is_whole();
    Ok(Some(keeper))
}

/// Where samples come from.
#[derive(Clone)]
enum Queue {
    Redis(RedisQueue, Arc<RedisMetrics>),
    Embedded(EmbeddedQueue),
}

impl Queue {
    /// The queue of the settings, watched or listening.
    fn open(
        settings: &GatewaySettings,
        metrics: Arc<RedisMetrics>,
        doom: &Doom,
        stop: &StopSignal,
    ) -> io::Result<Self> {
        let max_payload_bytes = settings.metrics.payload.max_payload_bytes;
        if let Some(embedded) = &settings.embedded {
            let (queue, stop) = (&settings.queue, stop.clone());
            let queue = EmbeddedQueue::start(embedded, queue, max_payload_bytes, metrics, stop)?;
            return Ok(Queue::Embedded(queue));
        }
        let doom = doom.clone();
        let queue = RedisQueue::new(&settings.queue, max_payload_bytes, metrics.clone(), doom);
        actix::spawn(queue.monitor(stop.clone()));
        Ok(Queue::Redis(queue, metrics))
    }

    /// Where producers connect to, where that is us and not a Unix socket.
    fn listens_on(&self) -> Option<SocketAddr> {
        match self {
            Queue::Redis(..) => None,
            Queue::Embedded(queue) => queue.address(),
        }
    }

    /// What is wrong with it, if anything.
    fn trouble(&self) -> Option<String> {
        match self {
            Queue::Redis(queue, metrics) => {
                let unanswered = !metrics.up.load(Ordering::Relaxed);
                let silence = || unanswered.then(|| "redis has not answered yet".to_owned());
                queue.trouble().or_else(silence)
            }
            Queue::Embedded(_) => None,
        }
    }
}

/// What stands behind the readers.
struct Parts {
    catalog: Catalog,
    metrics: Arc<SelfMetrics>,
    rejects: Arc<RejectBoard>,
    dead_letters: Option<DeadLetters>,
    shards: ShardSet,
    threads: ShardThreads,
    scrapes: ScrapeHandle,
    scraper: JoinHandle<()>,
    clock: Clock,
    gate: Gate,
    /// State is stored with it, since tombstones mean nothing without.
    tombstone_key: TombstoneKey,
}

impl Parts {
    fn start(settings: &GatewaySettings) -> io::Result<Self> {
        let clock = Clock::start();
        let tombstone_key = TombstoneKey(rand::random());
        let catalog = Catalog::new(settings.metrics.series, settings.metrics.summary);
        let metrics = Arc::new(SelfMetrics::new(
            settings.queue.workers,
            settings.shards.count,
            catalog.clone(),
            &settings.queue.key,
            settings.queue.delivery(),
            settings.metrics.disable_meta_metrics,
        ));
        let (workers, expose) = (settings.queue.workers, settings.http.expose_payloads);
        let rejects = Arc::new(RejectBoard::new(workers, catalog.clone(), expose));
        let dead_letters = start_dead_letters(settings, &metrics);
        let (shards, threads) = ShardSet::start(
            settings.shards,
            metrics.clone(),
            clock,
            store_settings(settings, tombstone_key),
        )?;
        let gate = if settings.queue.once.is_some() { Gate::closed() } else { Gate::open() };
        if settings.metrics.state_file.is_some() {
            gate.close("the state file is being loaded");
        }
        let (scrapes, scraper) = scrape::start(shards.clone(), metrics.clone(), gate.clone())?;
        Ok(Self {
            catalog,
            metrics,
            rejects,
            dead_letters,
            shards,
            threads,
            scrapes,
            scraper,
            clock,
            gate,
            tombstone_key,
        })
    }

    /// Ends the scraper, then the shards, each after its last message.
    fn end(self) -> Arc<SelfMetrics> {
        drop(self.scrapes);
        // A panic has ended the process already.
        let _ = self.scraper.join();
        drop(self.shards);
        self.threads.join();
        self.metrics
    }
}

fn store_settings(settings: &GatewaySettings, key: TombstoneKey) -> StoreSettings {
    let GatewaySettings { metrics, shards, .. } = settings;
    let budget = Arc::new(TombstoneBudget::new(metrics.max_tombstones, shards.count));
    let tombstones = TombstoneSettings { ttl_ms: metrics.tombstone_ttl_ms, key, budget };
    let empty_instance = metrics.empty_instance;
    StoreSettings { expiry: metrics.expiry, tombstones, empty_instance }
}

/// A reader that runs on an arbiter of its own.
struct RunningReader {
    arbiter: Arbiter,
    done: oneshot::Receiver<()>,
}

fn start_readers(
    settings: &GatewaySettings,
    parts: &Parts,
    queue: &Queue,
    doom: &Doom,
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
        unix: UnixClock::start(),
    };
    let start = |worker| {
        let (tell_done, done) = oneshot::channel();
        let (shared, queue, stop) = (shared.clone(), queue.clone(), stop.clone());
        let metrics = parts.metrics.clone();
        let once = settings.queue.once.map(|tuning| once_settings(tuning, parts, doom));
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
fn once_settings(tuning: OnceTuning, parts: &Parts, doom: &Doom) -> OnceSettings {
    let (shards, catalog) = (parts.shards.clone(), parts.catalog.clone());
    let metrics = parts.metrics.checkpoints.clone();
    OnceSettings {
        checkpoint_interval: tuning.checkpoint_interval,
        lease: tuning.lease,
        checkpoints: Checkpoints::new(shards, catalog, parts.clock, parts.tombstone_key.0, metrics),
        gate: parts.gate.clone(),
        dead_letters: parts.dead_letters.clone(),
        doom: doom.clone(),
    }
}

/// How long the readers may take to finish: to route what they have taken, or to
/// write a last checkpoint.
fn deadline(settings: &GatewaySettings) -> Duration {
    if settings.queue.once.is_some() { LAST_CHECKPOINT_DEADLINE } else { READERS_DEADLINE }
}

/// Waits until all that was taken is in the shards' inboxes, and ends the
/// readers' threads.
async fn finish(readers: Vec<RunningReader>, deadline: Duration) -> io::Result<()> {
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

/// The signals that stop the gateway.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
