//! The router: the actor that reads one partition and delivers what it has added up to
//! the homes. It runs on one thread: the loop around the source, and a deliverer for
//! each home beside it.

use std::sync::Arc;
use std::time::Duration;

use psg_engine::forwarder::{ForwarderSettings, TakenBatch};
use psg_engine::reject::{Reason, Reject};
use psg_engine::series::ReaderIndex;
use psg_engine::timestamp::UnixTime;
use tokio::task::JoinSet;

use super::deliverer::Deliverer;
use super::memory::{PATIENCE, RouterMemory};
use super::shared::Shared;
use crate::accounts::{Accounts, TakenAt, add};
use crate::backoff::Backoff;
use crate::clock::{Clock, UnixClock};
use crate::cluster_key::home_key;
use crate::self_metrics::QueueLag;
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::self_metrics::partitions::RouterFigures;
use crate::settings::RedisTarget;
use crate::source::redis::homes::{Home, Place};
use crate::source::redis::once::Memory;
use crate::source::{Batch, Origin, QueueSource, Slice, Taken};
use crate::stop::StopSignal;

/// Elements, and bytes of them, that are routed before others of the thread have their
/// turn.
const SLICE_ELEMENTS: usize = 1024;
const SLICE_BYTES: usize = 256 * 1024;

/// What a router is given.
#[derive(Debug)]
pub struct RouterSettings {
    /// The Redis of the queue.
    pub redis: RedisTarget,
    /// The key of the queue, which is that of partition 0.
    pub key: String,
    /// How payloads are taken in, and how many partitions there are.
    pub forwarder: ForwarderSettings,
    /// How often what was added up goes to the homes.
    pub flush_interval: Duration,
    /// Where what is refused is told, as that reader's.
    pub accounts: Accounts,
    #[expect(missing_docs, reason = "said above")]
    pub reader: ReaderIndex,
    /// How old the newest samples are.
    pub lag: Arc<QueueLag>,
    /// What is counted of checkpoints.
    pub checkpoints: Arc<CheckpointMetrics>,
    /// What is counted of the router.
    pub figures: Arc<RouterFigures>,
    /// The clock of the pipeline.
    pub clock: Clock,
    /// The Unix time that it goes by.
    pub unix: UnixClock,
    /// The source's own.
    pub stop: StopSignal,
}

/// One router; made on the thread that it runs on.
#[derive(Debug)]
pub struct Router {
    settings: RouterSettings,
    shared: Shared,
}

impl Router {
    /// Opens nothing yet.
    pub fn new(settings: RouterSettings) -> Self {
        let shared = Shared::new(
            settings.forwarder.clone(),
            settings.flush_interval,
            settings.clock,
            settings.figures.clone(),
        );
        Self { settings, shared }
    }

    /// What the source of the partition keeps safe.
    pub fn memory(&self) -> Box<dyn Memory> {
        let RouterSettings { checkpoints, stop, .. } = &self.settings;
        Box::new(RouterMemory::new(self.shared.clone(), checkpoints.clone(), stop.clone()))
    }

    /// Takes, adds up and delivers until the source has ended.
    pub async fn run(self, mut source: impl QueueSource) {
        // They end with it.
        let mut beside = self.deliverers();
        beside.spawn_local(remind_of_the_end(self.shared.clone(), self.settings.stop.clone()));
        let mut backoff = Backoff::default();
        loop {
            match source.take().await {
                Ok(Taken::Batch(batch)) => {
                    backoff.reset();
                    self.route(batch).await;
                }
                // The memory is replaced by the source, which has it.
                Ok(Taken::Forget) => backoff.reset(),
                Ok(Taken::Ended) => return,
                Err(error) => {
                    tracing::debug!(kind = error.kind.as_str(), %error, "nothing could be taken");
                    let mut stop = self.settings.stop.clone();
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {}
                        () = stop.stopped() => {}
                    }
                }
            }
        }
    }

    fn deliverers(&self) -> JoinSet<()> {
        let RouterSettings { redis, key, forwarder, .. } = &self.settings;
        let mut deliverers = JoinSet::new();
        for number in 0..forwarder.partitions.get() {
            let home = Home::new(redis.clone(), home_key(key, number));
            let deliverer = Deliverer::new(self.shared.clone(), number, home);
            deliverers.spawn_local(deliverer.run());
        }
        deliverers
    }

    /// Routes all elements of a batch, slice by slice. The set of lanes that take them
    /// is the same for all of a slice.
    async fn route(&self, batch: Batch<'_>) {
        let Some(Origin { place, claimed_at }) = batch.origin else {
            unreachable!("the source of a partition says where its elements come from")
        };
        let mut rest = batch.elements;
        let mut place = place;
        while !rest.is_empty() {
            let (slice, behind) = rest.split_at(self.slice_length(rest, place));
            self.route_slice(batch.buffer, slice, place, claimed_at);
            place += slice.len() as Place;
            rest = behind;
            self.shared.routed(place);
            tokio::task::yield_now().await;
        }
    }

    /// How many elements are routed at once: at least one.
    fn slice_length(&self, elements: &[Slice], place: Place) -> usize {
        let (_, until) = self.shared.state().lanes.open_at(place);
        let most = usize::try_from(until - place).unwrap_or(usize::MAX).min(SLICE_ELEMENTS);
        let mut bytes = 0;
        let fits = |element: &&Slice| {
            bytes += element.range().len();
            bytes <= SLICE_BYTES
        };
        elements.iter().take(most).take_while(fits).count().max(1)
    }

    fn route_slice(&self, buffer: &[u8], elements: &[Slice], place: Place, claimed_at: UnixTime) {
        let RouterSettings { accounts, reader, clock, unix, .. } = &self.settings;
        let taken_at = TakenAt { now: clock.now(), unix: unix.now() };
        let account = accounts.of(*reader);
        let whole = elements.iter().filter_map(|element| match element {
            Slice::Whole(range) => Some(&buffer[range.clone()]),
            Slice::TooLarge { head, length } => {
                let detail = format!("the element has {length} bytes");
                let reject = Reject::new(Reason::PayloadTooLarge, detail);
                account.refuse(reject, &buffer[head.clone()], *length, taken_at);
                None
            }
        });
        let refuse = |sample: &[u8], reject: Reject| {
            account.refuse(reject, sample, sample.len() as u64, taken_at);
        };
        let mut state = self.shared.state();
        let (open, _) = state.lanes.open_at(place);
        let taken = state.forwarder.take_batch(whole, claimed_at, taken_at.now, &open, refuse);
        drop(state);
        self.count(&taken, taken_at);
    }

    fn count(&self, taken: &TakenBatch, taken_at: TakenAt) {
        let RouterSettings { accounts, reader, figures, lag, .. } = &self.settings;
        let account = accounts.of(*reader);
        add(&figures.forwarded, taken.taken);
        add(&figures.passed_over, taken.passed_over);
        add(&account.metrics.parsed, taken.parsed);
        for (count, dropped) in
            account.metrics.dropped_exemplars.iter().zip(taken.dropped_exemplars)
        {
            add(count, dropped);
        }
        account.note_unknown(&taken.unknown_fields);
        if let Some(newest) = taken.newest {
            lag.note(taken_at.unix, newest);
        }
    }
}

/// Once a stop has waited for homes as long as it may, the source is told.
async fn remind_of_the_end(shared: Shared, mut stop: StopSignal) {
    stop.stopped().await;
    tokio::time::sleep(PATIENCE).await;
    shared.changes().notify_one();
}
