//! The dispatcher of one reader: from the elements of a batch to the shards'
//! inboxes.

use std::sync::Arc;

use psg_engine::catalog::Catalog;
use psg_engine::intake::{Intake, IntakeSettings, PendingDefine, RefusedSample};
use psg_engine::reject::{Reason, Reject};
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::ShardIndex;
use psg_engine::updates::Updates;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::accounts::{Account, Accounts, TakenAt, add};
use crate::clock::{Clock, UnixClock};
use crate::fatal::{FatalError, FatalSignal};
use crate::self_metrics::QueueLag;
use crate::shard::{ShardMessage, ShardReply};
use crate::shard_set::{ShardSet, ShardsGone};
use crate::source::{Batch, Slice};

/// Routes batches to the shards; owned by one reader.
#[derive(Debug)]
pub struct Dispatcher {
    intake: Intake,
    shards: ShardSet,
    reader: ReaderIndex,
    reply: UnboundedSender<ShardReply>,
    words: UnboundedReceiver<ShardReply>,
    accounts: Accounts,
    lag: Arc<QueueLag>,
    clock: Clock,
    unix: UnixClock,
    home: Option<FatalSignal>,
}

/// What the dispatchers of all readers share.
#[derive(Debug, Clone)]
pub struct DispatcherSettings {
    /// How payloads are taken in.
    pub intake: IntakeSettings,
    pub catalog: Catalog,
    pub shards: ShardSet,
    pub accounts: Accounts,
    pub lag: Arc<QueueLag>,
    pub clock: Clock,
    /// The Unix time that all readers go by.
    pub unix: UnixClock,
    /// Present at a home, whose elements are frames of other gateways: raised where
    /// one of them is of a newer version.
    pub home: Option<FatalSignal>,
}

impl Dispatcher {
    /// The dispatcher of that reader.
    pub fn new(settings: DispatcherSettings, reader: ReaderIndex) -> Self {
        #[expect(clippy::disallowed_methods, reason = "it holds no more than the reader does")]
        let (reply, words) = unbounded_channel();
        Self {
            intake: Intake::new(settings.intake, settings.catalog, settings.shards.count(), reader),
            shards: settings.shards,
            reader,
            reply,
            words,
            accounts: settings.accounts,
            lag: settings.lag,
            clock: settings.clock,
            unix: settings.unix,
            home: settings.home,
        }
    }

    /// Forgets every series and family, since the shards drop theirs. Words of
    /// those that are still on their way are not heard any more.
    pub fn forget_all(&mut self) {
        self.intake.forget_all();
        #[expect(clippy::disallowed_methods, reason = "it holds no more than the reader does")]
        let (reply, words) = unbounded_channel();
        (self.reply, self.words) = (reply, words);
    }

    /// Routes all elements of a batch. The future must not be dropped before it
    /// is done: what it has taken would be lost.
    pub async fn dispatch(&mut self, batch: Batch<'_>) -> Result<(), ShardsGone> {
        let taken_at = TakenAt { now: self.clock.now(), unix: self.unix.now() };
        self.intake.begin(taken_at.unix);
        for element in batch.elements {
            match element {
                Slice::Whole(range) => {
                    let payload = &batch.buffer[range.clone()];
                    let account = self.accounts.of(self.reader);
                    let refuse = |sample: &[u8], reject: Reject| {
                        account.refuse(reject, sample, sample.len() as u64, taken_at);
                    };
                    let Some(fatal) = &self.home else {
                        self.intake.route(payload, refuse);
                        continue;
                    };
                    if let Err(cause) = self.intake.route_at_home(payload, refuse) {
                        let cause = format!("a delta of another gateway: {cause}");
                        fatal.raise(FatalError::Failed(cause));
                        // It has to stay on the queue: nothing more may be taken.
                        return std::future::pending().await;
                    }
                }
                Slice::TooLarge { head, length } => {
                    self.intake.next_payload();
                    let detail = format!("the element has {length} bytes");
                    let reject = Reject::new(Reason::PayloadTooLarge, detail);
                    self.account().refuse(reject, &batch.buffer[head.clone()], *length, taken_at);
                }
            }
        }
        self.define_unknown().await?;
        self.send(batch, taken_at)
    }

    /// Asks the shards for the series that are not known, and waits for all
    /// answers.
    async fn define_unknown(&mut self) -> Result<(), ShardsGone> {
        self.ask_for_unknown().await?;
        self.intake.fold_refused();
        self.ask_for_unknown().await
    }

    async fn ask_for_unknown(&mut self) -> Result<(), ShardsGone> {
        let mut asked: Vec<PendingDefine> = Vec::new();
        for request in self.intake.define_requests() {
            let (keys, kept) = request.ask();
            let (reader, reply) = (self.reader, self.reply.clone());
            self.shards.send(kept.shard, ShardMessage::Define { reader, keys, reply })?;
            asked.push(kept);
        }
        while !asked.is_empty() {
            match self.words.recv().await.ok_or(ShardsGone)? {
                ShardReply::Defined(defined) => {
                    let position = asked.iter().position(|kept| kept.shard == defined.shard);
                    let position = position.expect("a shard answers what it was asked");
                    self.intake.answer(asked.swap_remove(position), defined.answers);
                }
                ShardReply::Expired(expired) => self.intake.forget(expired.shard, &expired.handles),
            }
        }
        Ok(())
    }

    /// Waits for notices of expired series and gives those back at once.
    /// For the time between two batches; the future may be dropped at any time.
    pub async fn handle_expiry(&mut self) -> Result<(), ShardsGone> {
        match self.words.recv().await.ok_or(ShardsGone)? {
            ShardReply::Expired(expired) => {
                self.intake.forget(expired.shard, &expired.handles);
                let outcome = self.intake.finish();
                self.send_updates(outcome.updates)
            }
            ShardReply::Defined(_) => unreachable!("nothing is asked between two batches"),
        }
    }

    fn send(&mut self, batch: Batch<'_>, taken_at: TakenAt) -> Result<(), ShardsGone> {
        let outcome = self.intake.finish();
        let account = self.account();
        add(&account.metrics.layout_mismatches, outcome.layout_mismatches);
        add(&account.metrics.folded, outcome.folded);
        add(&account.metrics.parsed, outcome.parsed);
        for (count, dropped) in
            account.metrics.dropped_exemplars.iter().zip(outcome.dropped_exemplars)
        {
            add(count, dropped);
        }
        account.note_unknown(&outcome.unknown_fields);
        for refused in outcome.refused {
            let sample = sample_of(batch, &refused);
            account.refuse(refused.reject, sample, sample.len() as u64, taken_at);
        }
        self.send_updates(outcome.updates)?;
        if let Some(newest) = outcome.newest {
            self.lag.note(outcome.taken_at, newest);
        }
        Ok(())
    }

    fn send_updates(&self, of_shards: Vec<Updates>) -> Result<(), ShardsGone> {
        for (number, updates) in of_shards.into_iter().enumerate() {
            if updates.is_empty() {
                continue;
            }
            let samples = updates.samples();
            self.shards.send(ShardIndex(number as u16), ShardMessage::Apply(updates))?;
            add(&self.account().metrics.routed, samples);
        }
        Ok(())
    }

    fn account(&self) -> &Account {
        self.accounts.of(self.reader)
    }
}

/// The bytes of a refused sample: all of its element, or its part of an array.
fn sample_of<'a>(batch: Batch<'a>, refused: &RefusedSample) -> &'a [u8] {
    let payload = &batch.buffer[batch.elements[refused.payload as usize].range()];
    refused.part.clone().map_or(payload, |part| &payload[part])
}
