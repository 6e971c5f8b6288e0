//! A shard: the actor that exclusively owns its series. It has a thread and
//! one bounded inbox for all messages, which it takes in order; a scrape is
//! written in slices, and what comes in meanwhile is applied between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use psg_engine::exposition::Format;
use psg_engine::merge::Fragment;
use psg_engine::reject::Reason;
use psg_engine::series::{SeriesKey, Slot};
use psg_engine::sharding::ShardIndex;
use psg_engine::store::{Batch, ExposeJob, Store};
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::self_metrics::ShardMetrics;

/// Series that a scrape writes before messages have their turn: well below a
/// millisecond's worth.
const SLICE_SERIES: usize = 1024;
/// Messages that have their turn between two slices.
const MESSAGES_PER_SLICE: usize = 16;

/// What a shard is asked.
#[derive(Debug)]
pub enum ShardMessage {
    /// Find or admit series. The answer goes to the asking reader's channel,
    /// on which a shard never waits: a reader has one question at each shard
    /// at most.
    Define {
        /// Which series.
        keys: Vec<SeriesKey>,
        /// Where the answer goes.
        reply: UnboundedSender<Defined>,
    },
    /// Apply samples.
    Apply(Batch),
    /// Write all series for a scrape.
    Expose {
        /// In which format.
        format: Format,
        /// Where the fragments go; it has room for them.
        reply: Sender<Exposed>,
    },
}

/// A shard's answer to [`ShardMessage::Define`], in the order of its keys.
#[derive(Debug)]
pub struct Defined {
    /// Whose answer it is.
    pub shard: ShardIndex,
    /// A slot, or the limit that refuses the series.
    pub answers: Vec<Result<Slot, Reason>>,
}

/// A shard's part of a scrape.
#[derive(Debug)]
pub struct Exposed {
    /// Whose part it is.
    pub shard: ShardIndex,
    /// Sorted by family name.
    pub fragments: Vec<Fragment>,
}

/// The actor's data. [`Shard::run`] is its life.
#[derive(Debug)]
pub struct Shard {
    index: ShardIndex,
    inbox: Receiver<ShardMessage>,
    store: Store,
    scrapes: VecDeque<(ExposeJob, Sender<Exposed>)>,
    metrics: Arc<ShardMetrics>,
    clock: Clock,
}

impl Shard {
    /// A shard without series.
    pub fn new(
        index: ShardIndex,
        inbox: Receiver<ShardMessage>,
        metrics: Arc<ShardMetrics>,
        clock: Clock,
    ) -> Self {
        Self { index, inbox, store: Store::default(), scrapes: VecDeque::new(), metrics, clock }
    }

    /// Works until the inbox is closed and empty.
    pub fn run(mut self) {
        loop {
            if self.expose_slice() {
                let inbox = self.inbox.clone();
                inbox.try_iter().take(MESSAGES_PER_SLICE).for_each(|message| self.handle(message));
                continue;
            }
            match self.inbox.recv() {
                Ok(message) => self.handle(message),
                Err(_) => return,
            }
        }
    }

    fn handle(&mut self, message: ShardMessage) {
        match message {
            ShardMessage::Apply(batch) => self.apply(&batch),
            ShardMessage::Define { keys, reply } => self.define(keys, &reply),
            ShardMessage::Expose { format, reply } => {
                self.scrapes.push_back((ExposeJob::new(format), reply));
            }
        }
    }

    fn apply(&mut self, batch: &Batch) {
        let before = Instant::now();
        self.store.apply(batch, self.clock.now());
        let spent = before.elapsed().as_nanos() as u64;
        self.metrics.apply_nanoseconds.fetch_add(spent, Ordering::Relaxed);
        for (gauge, shown) in self.metrics.series.iter().zip(self.store.shown()) {
            gauge.store(shown as u64, Ordering::Relaxed);
        }
    }

    fn define(&mut self, keys: Vec<SeriesKey>, reply: &UnboundedSender<Defined>) {
        let now = self.clock.now();
        let answers = keys.into_iter().map(|key| self.store.define(key, now)).collect();
        // A reader that has gone needs no answer: the process is ending.
        let _ = reply.send(Defined { shard: self.index, answers });
    }

    /// Writes a slice of the oldest scrape; false where there is none.
    fn expose_slice(&mut self) -> bool {
        let Some((mut job, reply)) = self.scrapes.pop_front() else { return false };
        if !self.store.expose_some(&mut job, SLICE_SERIES, self.clock.now()) {
            self.scrapes.push_front((job, reply));
            return true;
        }
        // A scraper that has gone needs no answer.
        let _ = reply.send(Exposed { shard: self.index, fragments: job.finish() });
        true
    }
}
