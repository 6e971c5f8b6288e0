//! A shard: the actor that exclusively owns its series. It has a thread and
//! one bounded inbox for all messages, which it takes in order; a scrape is
//! written in slices, and what comes in meanwhile is applied between them.

mod background;
mod checkpoint;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use psg_engine::cardinality::LabelValues;
use psg_engine::catalog::{Catalog, Family};
use psg_engine::exposition::{Fragment, PageFormat};
use psg_engine::reject::Reason;
use psg_engine::series::{Handle, MAX_READERS, ReaderIndex, SeriesKey};
use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::state::{Claimed, Instants, StoredSegment};
use psg_engine::store::{
    AckHorizon, ExposeJob, Filter, Found, Removed, ScrapeContext, ScrapeSeq, SearchJob,
    SearchOrder, SnapshotOrder, Store, SurveyJob, TombstoneKey,
};
use psg_engine::timestamp::Moment;
use psg_engine::updates::Updates;
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::accounts::{Accounts, TakenAt};
use crate::clock::Clock;
use crate::self_metrics::ShardMetrics;
use crate::self_metrics::checkpoint::CheckpointMetrics;
use background::{BackgroundJob, BackgroundJobs};

pub use checkpoint::RestoredPart;

use checkpoint::SnapshotUnderWay;

/// Series that a scrape writes before messages have their turn: well below a
/// millisecond's worth.
const SLICE_SERIES: usize = 1024;
/// Messages that have their turn between two slices.
const MESSAGES_PER_SLICE: usize = 16;
/// Series that may expire before messages have their turn.
const SLICE_EXPIRIES: usize = 1024;

/// What a shard is asked.
#[derive(Debug)]
pub enum ShardMessage {
    /// Find or admit series. The answer goes to the asking reader's channel,
    /// on which a shard never waits: a reader has one question at each shard
    /// at most.
    Define {
        /// Whose channel `reply` is.
        reader: ReaderIndex,
        /// The series, in the order of the answers.
        keys: Vec<SeriesKey>,
        /// Where the answer goes, and later word of series that expire.
        reply: UnboundedSender<ShardReply>,
    },
    /// Apply samples.
    Apply(Updates),
    /// Write all series for a scrape.
    Expose {
        /// What is to be written.
        order: ExposeOrder,
        /// Where the fragments go; it has room for them.
        reply: Sender<Exposed>,
    },
    /// What scrapers have acknowledged, before one has come.
    SetAckHorizon(AckHorizon),
    /// Count the values of labels.
    Survey {
        /// Where the answer goes; it has room for it.
        reply: Sender<LabelValues>,
    },
    /// Look for series.
    Search {
        /// What to look for.
        order: SearchOrder,
        /// Where the answer goes; it has room for it.
        reply: Sender<Found>,
    },
    /// Drop a family that was retired.
    Remove {
        /// The catalog does not have it any more.
        family: Arc<Family>,
        /// Where the answer goes; it has room for it.
        reply: Sender<Removed>,
    },
    /// Write the state as it is now, while what comes is applied.
    Snapshot {
        /// All of the state, or what has changed of it.
        order: SnapshotOrder,
        /// How many there are, which says what belongs to the shard.
        shards: ShardCount,
        /// Where the answer goes; it has room for it.
        reply: mpsc::Sender<Vec<StoredSegment>>,
    },
    /// The snapshot with this number is stored.
    SnapshotCommitted(u64),
    /// Series may expire again: what was stored is whole.
    LetExpire,
    /// Drop all series. None expires until [`ShardMessage::LetExpire`]: what is
    /// given back may have values that have yet to be applied again.
    Clear {
        /// Where the answer goes; it has room for it.
        reply: mpsc::Sender<ShardIndex>,
    },
    /// Take stored series in, where there are none.
    Restore {
        /// The shard's own segments.
        segments: Vec<Claimed>,
        /// Now, and the run time of the state.
        at: Instants,
        /// The key of its tombstones.
        key: TombstoneKey,
        /// Where the answer goes; it has room for it.
        reply: mpsc::Sender<RestoredPart>,
    },
    /// Say when what was sent before is applied, and what was refused of it is told.
    Settle {
        /// Where the answer goes; it has room for it.
        reply: Sender<()>,
    },
    /// End, once everything that was asked before is done.
    Stop,
}

/// What a shard sends to a reader. All of it goes through one channel, in
/// order.
#[derive(Debug)]
pub enum ShardReply {
    /// The answer to a question.
    Defined(Defined),
    /// Series have expired, or were removed.
    Expired(Expired),
}

/// Series that have expired or were removed: the reader that holds them has to give
/// them back. It is sent once for each series that a reader holds, so what
/// waits in a reader's channel is bounded by its cache.
#[derive(Debug)]
pub struct Expired {
    /// Whose series they are.
    pub shard: ShardIndex,
    /// What it has to give back.
    pub handles: Vec<Handle>,
}

/// A shard's answer to [`ShardMessage::Define`], in the order of its keys.
#[derive(Debug)]
pub struct Defined {
    /// Whose answer it is.
    pub shard: ShardIndex,
    /// A slot, or the limit that refuses the series.
    pub answers: Vec<Result<Handle, Reason>>,
}

/// What a scrape is to be.
#[derive(Debug, Clone)]
pub struct ExposeOrder {
    /// The format of all fragments.
    pub page: PageFormat,
    /// Which families live, whether or not they are shown.
    pub catalog: Catalog,
    /// Who asks, where that makes a difference.
    pub context: Option<ScrapeContext>,
    /// Which families and segments are written.
    pub filter: Filter,
    /// Set when nobody waits for it any more.
    pub abandoned: Arc<AtomicBool>,
}

impl ExposeOrder {
    /// Everything as it is.
    pub fn plain(page: PageFormat, catalog: Catalog) -> Self {
        let (filter, abandoned) = (Filter::default(), Arc::default());
        Self { page, catalog, context: None, filter, abandoned }
    }
}

/// A shard's part of a scrape.
#[derive(Debug)]
pub struct Exposed {
    /// Whose part it is.
    pub shard: ShardIndex,
    /// Sorted by family name.
    pub fragments: Vec<Fragment>,
    /// See [`ExposeJob::starts_after`].
    pub starts_after: Option<ScrapeSeq>,
}

#[derive(Debug)]
struct ScrapeUnderWay {
    job: ExposeJob,
    abandoned: Arc<AtomicBool>,
    reply: Sender<Exposed>,
}

/// The actor's data. [`Shard::run`] is its life.
#[derive(Debug)]
pub struct Shard {
    index: ShardIndex,
    inbox: Receiver<ShardMessage>,
    store: Store,
    /// Whether no series may expire.
    expiry_held: bool,
    is_stopping: bool,
    scrapes: VecDeque<ScrapeUnderWay>,
    /// The channel of each reader that has asked something.
    readers: Vec<Option<UnboundedSender<ShardReply>>>,
    snapshot: Option<SnapshotUnderWay>,
    background: BackgroundJobs,
    accounts: Accounts,
    metrics: Arc<ShardMetrics>,
    checkpoints: Arc<CheckpointMetrics>,
    clock: Clock,
}

impl Shard {
    /// A shard with that store.
    pub fn new(
        index: ShardIndex,
        inbox: Receiver<ShardMessage>,
        accounts: Accounts,
        metrics: Arc<ShardMetrics>,
        checkpoints: Arc<CheckpointMetrics>,
        clock: Clock,
        store: Store,
    ) -> Self {
        Self {
            index,
            inbox,
            store,
            expiry_held: false,
            is_stopping: false,
            scrapes: VecDeque::new(),
            readers: vec![None; MAX_READERS],
            snapshot: None,
            background: BackgroundJobs::new(),
            accounts,
            metrics,
            checkpoints,
            clock,
        }
    }

    /// Works until it is told to stop, or its inbox is closed, and everything that
    /// was asked before is done.
    pub fn run(mut self) {
        loop {
            if self.expose_slice() | self.snapshot_slice()
                || self.background_slice()
                || self.expire_slice()
            {
                let inbox = self.inbox.clone();
                inbox.try_iter().take(MESSAGES_PER_SLICE).for_each(|message| self.handle(message));
                continue;
            }
            if self.is_stopping {
                return;
            }
            match self.receive() {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The next message, unless a series expires before it comes.
    fn receive(&self) -> Result<ShardMessage, RecvTimeoutError> {
        match self.next_expiry() {
            None => self.inbox.recv().map_err(RecvTimeoutError::from),
            Some(moment) => self.inbox.recv_deadline(self.clock.instant(moment)),
        }
    }

    fn next_expiry(&self) -> Option<Moment> {
        if self.expiry_held { None } else { self.store.next_expiry() }
    }

    fn handle(&mut self, message: ShardMessage) {
        match message {
            ShardMessage::Apply(updates) => self.apply(&updates),
            ShardMessage::Define { reader, keys, reply } => self.define(reader, keys, reply),
            ShardMessage::Expose { order, reply } => {
                let ExposeOrder { page, catalog, context, filter, abandoned } = order;
                let job = self.store.begin_exposure(page, &catalog, context).filtered(filter);
                self.scrapes.push_back(ScrapeUnderWay { job, abandoned, reply });
            }
            ShardMessage::SetAckHorizon(horizon) => self.store.set_ack_horizon(horizon),
            ShardMessage::Survey { reply } => {
                self.background.push_back(BackgroundJob::Survey(SurveyJob::default(), reply));
            }
            ShardMessage::Search { order, reply } => {
                self.background.push_back(BackgroundJob::Search(SearchJob::new(order), reply));
            }
            ShardMessage::Remove { family, reply } => {
                let job = self.store.begin_removal(family);
                self.background.push_back(BackgroundJob::Remove(job, reply));
            }
            ShardMessage::Snapshot { order, shards, reply } => {
                self.begin_snapshot(order, shards, reply);
            }
            ShardMessage::SnapshotCommitted(number) => self.store.snapshot_committed(number),
            ShardMessage::LetExpire => {
                self.expiry_held = false;
                self.store.end_replay();
            }
            ShardMessage::Clear { reply } => self.clear(&reply),
            ShardMessage::Restore { segments, at, key, reply } => {
                self.restore(&segments, at, key, &reply);
            }
            ShardMessage::Settle { reply } => {
                // Who does not wait any longer needs no answer.
                let _ = reply.send(());
            }
            ShardMessage::Stop => self.is_stopping = true,
        }
    }

    fn apply(&mut self, updates: &Updates) {
        let (before, now) = (Instant::now(), self.clock.now());
        self.store.apply(updates, now);
        let spent = before.elapsed().as_nanos() as u64;
        self.metrics.apply_nanoseconds.fetch_add(spent, Ordering::Relaxed);
        // Only now: a scrape that shows n processed shows what these n did.
        let taken_at = TakenAt { now, unix: updates.taken_at };
        let refused = self.store.take_refused();
        self.accounts.of(updates.reader).settle(updates.samples(), &refused, taken_at);
        self.publish_live();
        self.notify_readers();
    }

    fn publish_live(&self) {
        for (gauge, live) in self.metrics.series.iter().zip(self.store.live()) {
            gauge.store(live as u64, Ordering::Relaxed);
        }
        let (stale, future) = (self.store.stale_gauge_samples(), self.store.future_timestamps());
        self.metrics.stale_gauge_samples.store(stale, Ordering::Relaxed);
        self.metrics.future_timestamps.store(future, Ordering::Relaxed);
        self.metrics.exemplars.store(self.store.exemplars() as u64, Ordering::Relaxed);
    }

    fn define(
        &mut self,
        reader: ReaderIndex,
        keys: Vec<SeriesKey>,
        reply: UnboundedSender<ShardReply>,
    ) {
        let now = self.clock.now();
        let answers = keys.into_iter().map(|key| self.store.define(key, reader, now)).collect();
        // A reader that has gone needs no answer: the process is ending.
        let _ = reply.send(ShardReply::Defined(Defined { shard: self.index, answers }));
        self.readers[usize::from(reader.0)] = Some(reply);
        self.notify_readers();
    }

    /// Lets some series expire; false where none is due. What a scrape shows
    /// is its own affair, and nothing moves while it is under way.
    fn expire_slice(&mut self) -> bool {
        let Some(due) = self.next_expiry() else { return false };
        let now = self.clock.now();
        if now < due {
            return false;
        }
        self.store.expire_some(SLICE_EXPIRIES, now);
        self.metrics.expired.store(self.store.expired(), Ordering::Relaxed);
        let tombstones = self.store.tombstones();
        self.metrics.tombstones_evicted.store(tombstones.evicted(), Ordering::Relaxed);
        self.publish_live();
        self.notify_readers();
        true
    }

    fn notify_readers(&mut self) {
        if !self.store.has_notices() {
            return;
        }
        let notices = self.store.take_notices();
        for (number, reply) in self.readers.iter().enumerate() {
            let Some(reply) = reply else { continue };
            let reader = ReaderIndex(number as u8);
            let handles: Vec<Handle> = notices
                .iter()
                .filter(|notice| notice.readers.contains(reader))
                .map(|notice| notice.handle)
                .collect();
            if !handles.is_empty() {
                // A reader that has gone needs no notice.
                let _ = reply.send(ShardReply::Expired(Expired { shard: self.index, handles }));
            }
        }
    }

    /// Writes a slice of the oldest scrape; false where there is none.
    fn expose_slice(&mut self) -> bool {
        let Some(mut scrape) = self.scrapes.pop_front() else { return false };
        if scrape.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        if !self.store.expose_some(&mut scrape.job, SLICE_SERIES, self.clock.now()) {
            self.scrapes.push_front(scrape);
            return true;
        }
        let starts_after = scrape.job.starts_after();
        let fragments = scrape.job.finish();
        // A scraper that has gone needs no answer.
        let _ = scrape.reply.send(Exposed { shard: self.index, fragments, starts_after });
        true
    }
}
