//! The source of an owner: it takes the queue over or waits for that, loads the
//! last checkpoint, and hands out pages of the claimed lists in the order of the
//! queue.
//!
//! That a page was routed is known when the next one is asked for, so what lies
//! before it is what a checkpoint covers that begins then.

use super::super::super::{Batch, QueueSource, SourceError, Taken};
use super::super::Shared;
use super::super::error::error;
use super::super::health::Party;
use super::super::schedule::Schedule;
use super::OnceSettings;
use super::checkpoint::Fence;
use super::holder;
use super::keys::Keys;
use super::link::Link;
use super::owned::Owned;
use super::record::Stamp;
use super::watch::{Absence, Watch};
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use crate::self_metrics::WorkerMetrics;
use crate::stop::StopSignal;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Reads a Redis list as its owner.
#[derive(Debug)]
pub struct OnceSource {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: OnceSettings,
    pub(super) keys: Keys,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) stop: StopSignal,
    /// Of this process: tells its writes from those of others.
    pub(super) token: String,
    /// The highest epoch that this process ever held.
    pub(super) epoch: u64,
    pub(super) link: Option<Link>,
    pub(super) stage: Stage,
    /// What a load at which version and tip could not find.
    pub(super) missed: Option<(Stamp, Stamp)>,
    pub(super) schedule: Schedule,
    pub(super) has_warned: bool,
    /// Another gateway owns the queue, and that is told.
    pub(super) stands_by: bool,
    /// Of the record, after this process held it.
    pub(super) absence: Absence,
    connected_before: bool,
    in_trouble: bool,
    /// Elements of the batch that was handed out last.
    handed_out: u64,
}

/// What the source is to the queue.
#[derive(Debug)]
pub(super) enum Stage {
    /// Not its owner.
    Outside(Watch),
    /// Its owner, but the memory is not what Redis says; with what was known of
    /// it, in case that Redis has lost everything.
    Loading(Option<Box<Owned>>),
    /// Its owner, with the right memory.
    Owning(Box<Owned>),
    /// Nothing more is taken.
    Ended,
}

/// What a step of the source came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Again,
    /// The link holds a page.
    Page,
    /// The memory is about to be dropped.
    Forget,
    /// Nothing more comes.
    Ended,
}

impl QueueSource for OnceSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        self.page_was_routed();
        loop {
            let step = match &self.stage {
                Stage::Outside(_) => self.enter().await,
                Stage::Loading(_) => self.load().await,
                Stage::Owning(_) if self.link.is_none() => self.resume().await,
                Stage::Owning(_) => self.own().await,
                Stage::Ended => Ok(Step::Ended),
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Page) => return Ok(Taken::Batch(self.batch())),
                Ok(Step::Forget) => return Ok(Taken::Forget),
                Ok(Step::Ended) => return Ok(Taken::Ended),
                Err(failure) => return Err(self.fail(failure)),
            }
        }
    }
}

impl OnceSource {
    pub(in super::super) fn new(
        shared: Arc<Shared>,
        settings: OnceSettings,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> Self {
        Self {
            keys: Keys::beside(&shared.key),
            token: holder::token(),
            epoch: 0,
            link: None,
            stage: Stage::Outside(Watch::default()),
            missed: None,
            schedule: Schedule::of_pages(shared.pop_count, shared.max_bytes_in_flight),
            has_warned: false,
            stands_by: false,
            absence: Absence::default(),
            connected_before: false,
            in_trouble: false,
            handed_out: 0,
            shared,
            settings,
            metrics,
            stop,
        }
    }

    pub(super) fn fence(&self) -> Fence<'_> {
        Fence { keys: &self.keys, epoch: self.epoch, token: &self.token }
    }

    /// Connects to the primary; nothing is asked yet.
    pub(super) async fn connect(&mut self) -> Result<&mut Link, SourceError> {
        let link = Link::connect(&self.shared).await?;
        if self.connected_before {
            self.shared.metrics.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.connected_before = true;
        Ok(self.link.insert(link))
    }

    /// It works: what was wrong with Redis is over.
    pub(super) fn works(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            self.shared.works(self.party());
        }
    }

    /// Says what goes wrong while the link stays.
    pub(super) fn complain(&mut self, failure: &SourceError) {
        self.in_trouble = true;
        self.shared.failed(self.party(), failure);
    }

    /// Ends the process, before anything else is done.
    pub(super) fn fatal(&mut self, error: FatalError) -> Step {
        self.settings.gate.close("the gateway ends");
        self.settings.holding.let_go();
        self.settings.fatal.raise(error);
        self.link = None;
        self.stage = Stage::Ended;
        Step::Ended
    }

    /// The memory is not what Redis says: it is dropped and loaded anew, over a
    /// new connection, which raises the epoch.
    pub(super) fn reload(&mut self, why: &str) -> Step {
        tracing::warn!("loading the last checkpoint anew: {why}");
        self.shared.metrics.reloads.fetch_add(1, Ordering::Relaxed);
        self.settings.gate.close("the last checkpoint is being loaded");
        self.link = None;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Owning(mut owned) => {
                let metrics = self.settings.checkpoints.metrics();
                if owned.phase.is_unsafe() {
                    metrics.failed();
                    // So that it is not counted once more.
                    owned.phase.stage_again();
                }
                owned.link_broke(metrics);
                Stage::Loading(Some(owned))
            }
            Stage::Loading(owned) => Stage::Loading(owned),
            Stage::Outside(_) | Stage::Ended => Stage::Loading(None),
        };
        Step::Forget
    }

    /// What an unknown holder of the queue means.
    pub(super) fn displaced(&mut self) -> Step {
        self.fatal(FatalError::Failed("another gateway has taken the queue over".to_owned()))
    }

    /// A record as text that this version can't read.
    pub(super) fn unreadable(&mut self, cause: impl std::fmt::Display) -> Step {
        let owner = &self.keys.owner;
        let message = format!("the state in redis is left as it is, since {owner}: {cause}");
        self.fatal(FatalError::Failed(message))
    }

    /// The memory is what Redis says.
    pub(super) fn caught_up(&self) {
        // Shards that have gone let nothing expire.
        let _ = self.settings.checkpoints.let_expire();
        self.settings.gate.memory_is_whole();
    }

    fn party(&self) -> Party {
        Party::Worker(0)
    }

    /// The elements of the reply in hand, oldest first.
    fn batch(&mut self) -> Batch<'_> {
        let Some(link) = &mut self.link else { return Batch { buffer: &[], elements: &[] } };
        // A list is kept newest first.
        link.elements().reverse();
        self.handed_out = link.elements().len() as u64;
        let (buffer, elements) = link.page();
        Batch { buffer, elements }
    }

    fn page_was_routed(&mut self) {
        let count = std::mem::take(&mut self.handed_out);
        let Stage::Owning(owned) = &mut self.stage else { return };
        if count > 0 {
            owned.ledger.routed(count);
        }
        self.shared.metrics.claimed.store(owned.ledger.unrouted(), Ordering::Relaxed);
        let position = owned.ledger.position();
        if owned.replay.as_ref().is_some_and(|replay| position.list > replay.last) {
            owned.replay = None;
            tracing::info!("every element that was claimed is applied");
            self.caught_up();
        }
    }

    /// Ends without a last checkpoint.
    pub(super) fn end_unsaved(&mut self) {
        if let Stage::Owning(_) = self.stage {
            tracing::warn!("stopping without a last checkpoint: the next start applies the rest");
            self.settings.checkpoints.metrics().failed();
        }
        self.stage = Stage::Ended;
    }

    /// Counts and tells a failure. What was asked is in doubt, so the connection
    /// is not used again.
    fn fail(&mut self, failure: SourceError) -> SourceError {
        self.complain(&failure);
        if let Some(link) = self.link.take() {
            // A server that cuts what it can't send gets smaller questions.
            let (_, largest, _) = link.brought();
            self.schedule.saw(largest);
            self.schedule.fall();
        }
        if let Stage::Owning(owned) = &mut self.stage {
            owned.link_broke(self.settings.checkpoints.metrics());
        }
        if self.stop.is_stopped() {
            self.end_unsaved();
        }
        failure
    }
}

/// A reply that nothing asked for.
pub(super) fn unasked() -> SourceError {
    error(ErrorKind::Protocol, "expected silence, got a reply to nothing")
}
