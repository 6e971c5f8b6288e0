//! The source of an owner: it stands by or takes the queue over, loads the last
//! checkpoint, and hands out pages of the claimed lists in the order of the queue.
//! Each stage says where to go on; what that means for connection and stage is
//! decided here alone.
//!
//! That a page was routed is known when the next one is asked for, so what lies
//! before it is what a checkpoint covers that begins then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::access::{Access, Candidate};
use super::candidates::Candidates;
use super::context::Context;
use super::interruption::Interruption;
use super::link::Link;
use super::loading::LoadingStage;
use super::memory::Memory;
use super::recovering::recover;
use super::settings::OnceSettings;
use super::stage::OwnerStage;
use super::standby::Standby;
use super::transition::{Outcome, Transition};
use crate::fatal::FatalError;
use crate::self_metrics::WorkerMetrics;
use crate::source::redis::health::HealthReporter;
use crate::source::{Batch, QueueSource, SourceError, Taken};
use crate::stop::StopSignal;

/// A batch without elements.
const NOTHING: Batch<'static> = Batch { buffer: &[], elements: &[], origin: None };

/// Reads a Redis list as its owner.
pub struct OnceSource {
    context: Context,
    link: Option<Link>,
    stage: OwnerStage,
    /// Told which partition is taken.
    taken: watch::Sender<Option<usize>>,
    /// Elements of the page that was handed out last.
    handed_out: u64,
}

impl QueueSource for OnceSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        self.page_was_routed();
        let mut step = self.advance().await;
        loop {
            match step {
                Ok(Transition::Stay) => {}
                Ok(Transition::Reconnect) => self.link = None,
                Ok(Transition::Page) => return Ok(Taken::Batch(self.batch())),
                Ok(Transition::StandBy) => self.stage = OwnerStage::StandingBy(Standby::default()),
                Ok(Transition::Load) => {
                    self.taken.send_replace(Some(self.context.access.part.partition));
                    self.stage = OwnerStage::Loading(LoadingStage::default());
                    return Ok(Taken::Forget);
                }
                Ok(Transition::Own(owned)) => self.stage = OwnerStage::Owning(owned),
                Ok(Transition::End) => {
                    self.end();
                    return Ok(Taken::Ended);
                }
                Err(Interruption::Failed(failure)) => return Err(self.fail(failure)),
                Err(Interruption::Reload(why)) => {
                    self.reload(&why);
                    return Ok(Taken::Forget);
                }
                Err(Interruption::RecordLost(damage)) => {
                    step = self.recover(damage).await;
                    continue;
                }
                Err(Interruption::Fatal(error)) => {
                    self.end_process(error);
                    return Ok(Taken::Ended);
                }
            }
            step = self.advance().await;
        }
    }
}

impl OnceSource {
    /// Of what is owned once it is free: the one candidate, or one of several, which
    /// `taken` is told.
    pub(in crate::source::redis) fn new(
        candidates: &[Candidate],
        taken: watch::Sender<Option<usize>>,
        (settings, memory): (OnceSettings, Box<dyn Memory>),
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> Self {
        let reporter = HealthReporter::Reader(0);
        let stage = match candidates {
            [_] => OwnerStage::StandingBy(Standby::default()),
            several => {
                let watched = (settings.lease, settings.gate.clone());
                let several = several.to_vec();
                OwnerStage::Choosing(Candidates::new(several, reporter, watched, &stop))
            }
        };
        let access = Access::new(candidates[0].clone(), reporter, stop);
        let context = Context::new(access, settings, memory, metrics);
        Self { context, link: None, stage, taken, handed_out: 0 }
    }

    /// One step of the stage, over a connection that is made where there is none.
    async fn advance(&mut self) -> Outcome {
        let is_stopped = self.context.access.stop.is_stopped();
        if let OwnerStage::Ended = self.stage {
            return Ok(Transition::End);
        }
        if let OwnerStage::Choosing(candidates) = &mut self.stage {
            return candidates.step(&mut self.context, &mut self.link).await;
        }
        let Self { context, stage, link: Some(link), .. } = self else {
            return if is_stopped { self.end_unsaved() } else { self.connect().await };
        };
        match stage {
            OwnerStage::StandingBy(_) if is_stopped => Ok(Transition::End),
            OwnerStage::StandingBy(standby) => standby.step(context, link).await,
            OwnerStage::Loading(loading) => {
                // Raised once more, so that what is loaded was read under one epoch.
                let (record, head) = context.raise_own(link).await?;
                loading.load(context, link, &record, &head).await
            }
            OwnerStage::Owning(owned) => owned.step(context, link).await,
            OwnerStage::Choosing(_) | OwnerStage::Ended => Ok(Transition::End),
        }
    }

    /// Connects; an owner finds out what became of what was in doubt.
    async fn connect(&mut self) -> Outcome {
        let Some(link) = self.context.access.connect().await? else { return Ok(Transition::Stay) };
        let link = self.link.insert(link);
        let OwnerStage::Owning(owned) = &mut self.stage else { return Ok(Transition::Stay) };
        let (record, head) = self.context.raise_own(link).await?;
        owned.resume(&mut self.context, link, &record, &head).await
    }

    async fn recover(&mut self, damage: Option<String>) -> Outcome {
        match &mut self.link {
            Some(link) => recover(&mut self.context, link, &mut self.stage, damage).await,
            None => Ok(Transition::Stay),
        }
    }

    /// The memory is dropped and loaded again over a new connection, which raises
    /// the epoch.
    fn reload(&mut self, why: &str) {
        tracing::warn!("reloading from the last checkpoint: {why}");
        let Context { settings, memory, access, .. } = &self.context;
        access.queue.metrics.reloads.fetch_add(1, Ordering::Relaxed);
        settings.gate.close("the last checkpoint is being loaded");
        self.link = None;
        self.stage =
            OwnerStage::Loading(match std::mem::replace(&mut self.stage, OwnerStage::Ended) {
                OwnerStage::Owning(mut owned) => {
                    owned.give_up_checkpoint(memory.metrics());
                    owned.link_broke(memory.metrics());
                    LoadingStage::again(owned)
                }
                OwnerStage::Loading(loading) => loading,
                OwnerStage::Choosing(_) | OwnerStage::StandingBy(_) | OwnerStage::Ended => {
                    LoadingStage::default()
                }
            });
    }

    fn end(&mut self) {
        self.link = None;
        self.stage = OwnerStage::Ended;
    }

    /// Ends the process, before anything else is done.
    fn end_process(&mut self, error: FatalError) {
        let settings = &self.context.settings;
        settings.gate.close("the gateway is shutting down");
        settings.holding.let_go();
        settings.fatal.raise(error);
        self.end();
    }

    /// Ends without a last checkpoint: there is no connection any more.
    fn end_unsaved(&mut self) -> Outcome {
        if let OwnerStage::Owning(_) = self.stage {
            tracing::warn!(
                "shutting down without a last checkpoint: the next start applies the rest"
            );
            self.context.memory.metrics().failed();
        }
        self.stage = OwnerStage::Ended;
        Ok(Transition::End)
    }

    /// The elements of the current reply, oldest first.
    fn batch(&mut self) -> Batch<'_> {
        let Some(link) = &mut self.link else { return NOTHING };
        // A list is kept newest first.
        link.elements().reverse();
        self.handed_out = link.elements().len() as u64;
        let origin = match &self.stage {
            OwnerStage::Owning(owned) if self.context.access.part.has_places() => {
                owned.ledger.origin()
            }
            OwnerStage::Owning(_)
            | OwnerStage::Choosing(_)
            | OwnerStage::StandingBy(_)
            | OwnerStage::Loading(_)
            | OwnerStage::Ended => None,
        };
        let (buffer, elements) = link.page();
        Batch { buffer, elements, origin }
    }

    fn page_was_routed(&mut self) {
        let count = std::mem::take(&mut self.handed_out);
        if let OwnerStage::Owning(owned) = &mut self.stage {
            owned.page_was_routed(&self.context, count);
        }
    }

    /// Counts and reports a failure. What was asked is in doubt, so the connection
    /// is not used again.
    fn fail(&mut self, failure: SourceError) -> SourceError {
        self.context.access.complain(&failure);
        if let Some(link) = self.link.take() {
            // A server that cuts what it can't send gets smaller questions.
            self.context.schedule.observe(link.received().largest);
            self.context.schedule.decrease();
        }
        if let OwnerStage::Owning(owned) = &mut self.stage {
            owned.link_broke(self.context.memory.metrics());
        }
        if self.context.access.stop.is_stopped() {
            let _ = self.end_unsaved();
        }
        failure
    }
}
