//! What stands behind the readers: catalog, shards, scraper, and what goes with
//! them.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use psg_actors::checkpoint::Checkpoints;
use psg_actors::clock::{Clock, UnixClock};
use psg_actors::dead_letters::DeadLetterQueue;
use psg_actors::rejects::RejectBoard;
use psg_actors::scrape::{self, ScrapeHandle, ScrapeParts};
use psg_actors::scrapers::{Handover, Scrapers};
use psg_actors::self_metrics::SelfMetrics;
use psg_actors::serving_gate::ServingGate;
use psg_actors::settings::{GatewaySettings, MetricSettings, QueueSettings};
use psg_actors::shard_set::{ShardSet, ShardThreads};
use psg_actors::source::redis::DeadLetterWriter;
use psg_actors::state_file::{self, Keeper, StateFile};
use psg_engine::catalog::Catalog;
use psg_engine::store::{StoreSettings, TombstoneBudget, TombstoneKey, TombstoneSettings};

/// What stands behind the readers.
pub(super) struct Parts {
    pub(super) catalog: Catalog,
    pub(super) metrics: Arc<SelfMetrics>,
    pub(super) rejects: Arc<RejectBoard>,
    pub(super) dead_letters: Option<DeadLetterQueue>,
    pub(super) shards: ShardSet,
    threads: ShardThreads,
    pub(super) scrapes: ScrapeHandle,
    pub(super) scrapers: Scrapers,
    scraper: JoinHandle<()>,
    pub(super) clock: Clock,
    /// What gauges go by.
    pub(super) unix: UnixClock,
    pub(super) gate: ServingGate,
    /// State is stored with it, since tombstones mean nothing without.
    pub(super) tombstone_key: TombstoneKey,
}

impl Parts {
    pub(super) fn start(settings: &GatewaySettings) -> io::Result<Self> {
        let clock = Clock::start();
        let tombstone_key = TombstoneKey(rand::random());
        let catalog = Catalog::new(settings.metrics.catalog);
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
        let gate =
            if settings.queue.once.is_some() { ServingGate::closed() } else { ServingGate::open() };
        if settings.metrics.state_file.is_some() {
            gate.close("the state file is being loaded");
        }
        let scrapers = Scrapers::new(clock);
        let (scrapes, scraper) = scrape::start(ScrapeParts {
            shards: shards.clone(),
            metrics: metrics.clone(),
            catalog: catalog.clone(),
            gate: gate.clone(),
            scrapers: scrapers.clone(),
            exact: settings.metrics.exact_first_increment,
            created_timestamps: settings.metrics.created_timestamps,
            max_unsent_bytes: settings.http.max_unsent_bytes,
        })?;
        Ok(Self {
            catalog,
            metrics,
            rejects,
            dead_letters,
            shards,
            threads,
            scrapes,
            scrapers,
            scraper,
            clock,
            unix: UnixClock::start(),
            gate,
            tombstone_key,
        })
    }

    /// That of ages, and that of gauges.
    pub(super) fn clocks(&self) -> (Clock, UnixClock) {
        (self.clock, self.unix.clone())
    }

    /// Ends the scraper, then the shards, each after its last message.
    pub(super) fn end(self) -> Arc<SelfMetrics> {
        drop(self.scrapes);
        // A panic has ended the process already.
        let _ = self.scraper.join();
        drop(self.shards);
        self.threads.join();
        self.metrics
    }
}

/// Where the next process is told of a clean end and of scrapers, where that makes
/// a difference.
pub(super) fn handover(settings: &GatewaySettings) -> Option<Handover> {
    let MetricSettings { state_file, exact_first_increment, created_timestamps, .. } =
        &settings.metrics;
    let file = state_file.as_ref().filter(|_| *exact_first_increment || *created_timestamps);
    file.map(|file| Handover::beside(&file.path, *exact_first_increment))
}

fn store_settings(settings: &GatewaySettings, key: TombstoneKey) -> StoreSettings {
    let GatewaySettings { metrics, shards, .. } = settings;
    let budget = Arc::new(TombstoneBudget::new(metrics.max_tombstones, shards.count));
    let tombstones = TombstoneSettings { ttl_ms: metrics.tombstone_ttl_ms, key, budget };
    let MetricSettings { expiry, empty_instance, created_timestamps, .. } = settings.metrics;
    StoreSettings { expiry, tombstones, empty_instance, created_timestamps }
}

/// The dead letters' queue and its writer, where they are wanted.
fn start_dead_letters(
    settings: &GatewaySettings,
    metrics: &SelfMetrics,
) -> Option<DeadLetterQueue> {
    let QueueSettings { redis, dead_letters, .. } = &settings.queue;
    if dead_letters.key.is_empty() {
        return None;
    }
    let letters = DeadLetterQueue::new(dead_letters.max_bytes, metrics.dead_letters.clone());
    let writer = DeadLetterWriter::new(letters.clone(), dead_letters.clone(), redis.clone());
    actix::spawn(writer.run());
    Some(letters)
}

/// Loads the state file, where there is to be one, and has it written from now
/// on. Nothing may be taken or shown before.
pub(super) async fn keep_state(
    file: Option<StateFile>,
    handover: Option<&Handover>,
    parts: &Parts,
) -> io::Result<Option<Keeper>> {
    let Some(file) = file else { return Ok(None) };
    let (shards, catalog) = (parts.shards.clone(), parts.catalog.clone());
    let metrics = parts.metrics.checkpoints.clone();
    let checkpoints =
        Checkpoints::new(shards, catalog, parts.clocks(), parts.tombstone_key.0, metrics);
    let left = handover.and_then(Handover::open);
    // Nobody asks where nothing is handed over.
    let is_whole = handover.is_none() || left.is_some();
    let keeper = state_file::start(file, checkpoints, is_whole).await.map_err(io::Error::other)?;
    if let (Some(handover), Some(left)) = (handover, left) {
        let received = handover.receive(left, &parts.scrapers, &parts.shards);
        received.map_err(io::Error::other)?;
    }
    parts.gate.memory_is_whole();
    Ok(Some(keeper))
}
