//! The shard set: the inboxes of all shards, and their threads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::store::Store;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::self_metrics::SelfMetrics;
use crate::settings::ShardSettings;
use crate::shard::{Shard, ShardMessage};

/// Sends to the shards' inboxes; cheap to clone. The shards end when they are
/// told to, or the last of these is dropped.
#[derive(Debug, Clone)]
pub struct ShardSet {
    inboxes: Vec<Sender<ShardMessage>>,
    metrics: Arc<SelfMetrics>,
}

/// The shards' threads.
#[derive(Debug)]
pub struct ShardThreads(Vec<JoinHandle<()>>);

/// The shards have ended.
#[derive(Debug, thiserror::Error)]
#[error("the shards have ended")]
pub struct ShardsGone;

impl ShardSet {
    /// Starts a thread for each shard, with a store of its own.
    pub fn start(
        settings: ShardSettings,
        metrics: Arc<SelfMetrics>,
        accounts: &Accounts,
        clock: Clock,
        store: impl Fn(ShardIndex) -> Store,
    ) -> io::Result<(Self, ShardThreads)> {
        let mut inboxes = Vec::new();
        let mut threads = Vec::new();
        let checkpoints = &metrics.checkpoints;
        for (number, shard_metrics) in metrics.shards.iter().enumerate() {
            let index = ShardIndex(number as u16);
            let (sender, inbox) = bounded(settings.inbox_capacity);
            let (accounts, metrics) = (accounts.clone(), shard_metrics.clone());
            let checkpoints = checkpoints.clone();
            let shard =
                Shard::new(index, inbox, accounts, metrics, checkpoints, clock, store(index));
            let thread = std::thread::Builder::new().name(format!("shard-{number}"));
            threads.push(thread.spawn(move || shard.run())?);
            inboxes.push(sender);
        }
        Ok((Self { inboxes, metrics }, ShardThreads(threads)))
    }

    /// How many there are.
    pub fn count(&self) -> ShardCount {
        ShardCount::new(self.inboxes.len())
    }

    /// Puts a message into a shard's inbox and waits while that is full. For
    /// threads that hold up nothing else by waiting.
    pub fn send(&self, shard: ShardIndex, message: ShardMessage) -> Result<(), ShardsGone> {
        let inbox = &self.inboxes[shard.get()];
        match inbox.try_send(message) {
            Ok(()) => {
                self.metrics.inbox_wait.observe_none();
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(ShardsGone),
            Err(TrySendError::Full(message)) => {
                let before = Instant::now();
                let sent = inbox.send(message).map_err(|_| ShardsGone);
                self.metrics.inbox_wait.observe(before.elapsed());
                sent
            }
        }
    }

    /// Asks every shard; their answers come in any order.
    pub fn ask<T, Q: Fn(Sender<T>) -> ShardMessage>(
        &self,
        question: Q,
    ) -> Result<impl Iterator<Item = Result<T, ShardsGone>> + use<T, Q>, ShardsGone> {
        let shards = self.inboxes.len();
        let answers = self.request(question)?;
        Ok((0..shards).map(move |_| answers.recv().map_err(|_| ShardsGone)))
    }

    /// The same, for who has a deadline.
    pub fn request<T>(
        &self,
        question: impl Fn(Sender<T>) -> ShardMessage,
    ) -> Result<Receiver<T>, ShardsGone> {
        // It has room for all answers, so no shard ever waits.
        let (reply, answers) = bounded(self.inboxes.len());
        self.broadcast(|| question(reply.clone()))?;
        Ok(answers)
    }

    /// Puts a message into every inbox.
    pub fn broadcast(&self, message: impl Fn() -> ShardMessage) -> Result<(), ShardsGone> {
        self.count().all().try_for_each(|shard| self.send(shard, message()))
    }

    /// Tells every shard to end after what was asked before. Later questions get
    /// no answer.
    pub fn stop(&self) {
        for shard in self.count().all() {
            // One that has gone needs no message; those after it do.
            let _ = self.send(shard, ShardMessage::Stop);
        }
    }

    /// Messages that wait in each inbox.
    pub fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        self.inboxes.iter().map(Sender::len)
    }
}

impl ShardThreads {
    /// Waits until every shard has applied what was sent to it. They must have
    /// been told to stop, or all sets have been dropped.
    pub fn join(self) {
        for thread in self.0 {
            // A panic has ended the process already.
            let _ = thread.join();
        }
    }
}
