//! Saving: how an owner takes a checkpoint from one step to the next, beside its
//! other work.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::checkpoint_plan::{self, CheckpointPhase, Staging};
use super::context::Context;
use super::link::Link;
use super::memory::{MemoryGone, Snapshot};
use super::owned::{Outstanding, Owned};
use super::part::Part;
use super::scripts;
use crate::dead_letters::DeadLetterQueue;

/// How long a checkpoint waits for the dead letters that it covers: a list of
/// letters that can't be written holds up nothing else.
const LETTERS_PATIENCE: Duration = Duration::from_secs(2);

impl Owned {
    /// Takes the checkpoint as far as it goes without an answer.
    pub(super) fn go_on_with_checkpoint(
        &mut self,
        context: &mut Context,
        link: &mut Link,
    ) -> Result<(), MemoryGone> {
        match std::mem::take(&mut self.phase) {
            CheckpointPhase::Idle => self.begin_checkpoint_if_due(context, link)?,
            CheckpointPhase::Sweeping(fields) if fields.is_empty() => {
                self.begin_checkpoint_if_due(context, link)?;
            }
            CheckpointPhase::Sweeping(fields) => {
                let mut requests = self.outstanding.iter();
                if !requests.any(|request| matches!(request, Outstanding::Sweep)) {
                    let fence = context.fence();
                    let call = checkpoint_plan::sweep(
                        &fields,
                        self.expected.version,
                        fence,
                        &context.access.keys,
                    );
                    self.request(link, Outstanding::Sweep, &call.pack());
                }
                self.phase = CheckpointPhase::Sweeping(fields);
            }
            CheckpointPhase::Staging(staging) => self.stage_some(context, link, staging),
            under_way @ (CheckpointPhase::Snapshot(..) | CheckpointPhase::Committing(_)) => {
                self.phase = under_way;
            }
        }
        Ok(())
    }

    fn begin_checkpoint_if_due(
        &mut self,
        context: &mut Context,
        link: &mut Link,
    ) -> Result<(), MemoryGone> {
        let stopping = context.access.stop.is_stopped();
        // The memory prepares for its end once it is asked.
        let has_to_wait = stopping && !context.memory.may_end();
        if has_to_wait || stopping && (self.pages_in_flight() > 0 || self.closing) {
            return Ok(());
        }
        if stopping && self.is_saved {
            self.give_back(context, link);
            return Ok(());
        }
        let now = Instant::now();
        let settings = &mut context.settings;
        if !stopping && !self.is_checkpoint_due(now) && !settings.checkpoint_requests.is_pending() {
            return Ok(());
        }
        self.begun = now;
        self.is_saved = stopping;
        self.covered = settings.checkpoint_requests.cover();
        let covered = self.ledger.position();
        let taking = context.memory.begin(self.write_all)?;
        let letters = settings.dead_letters.clone();
        self.phase = CheckpointPhase::Snapshot(
            covered,
            Box::pin(async move {
                let taken = taking.await;
                // The dead letters of what it covers, those of shards too: after it
                // they would be written never, before it at worst twice.
                if let Some(written) = letters.as_ref().map(DeadLetterQueue::flush) {
                    let _ = timeout(LETTERS_PATIENCE, written).await;
                }
                taken
            }),
        );
        Ok(())
    }

    /// The last checkpoint is written: gives the queue back once that is wanted.
    fn give_back(&mut self, context: &Context, link: &mut Link) {
        let settings = &context.settings;
        settings.handshake.saved.stop();
        if !settings.handshake.release.is_stopped() {
            return;
        }
        self.closing = true;
        settings.gate.close("the queue was given back");
        settings.holding.let_go();
        let call = context.fence().call(scripts::RELEASE, &[&context.access.keys.owner]);
        self.request(link, Outstanding::Release, &call.pack());
    }

    pub(super) fn snapshot_taken(&mut self, part: Part, taken: Snapshot) {
        if let CheckpointPhase::Snapshot(covered, _) = std::mem::take(&mut self.phase) {
            self.phase = CheckpointPhase::Staging(Staging::new(self.plan(part, covered, taken)));
        }
    }

    fn stage_some(&mut self, context: &Context, link: &mut Link, mut staging: Staging) {
        while let Some(call) = staging.next(context.fence(), &context.access.keys) {
            self.request(link, Outstanding::Stage, &call.pack());
        }
        if !staging.is_done() {
            self.phase = CheckpointPhase::Staging(staging);
            return;
        }
        let plan = staging.into_plan();
        let commit = plan.commit(context.fence(), &context.access.keys);
        self.request(link, Outstanding::Commit, &commit.pack());
        self.phase = CheckpointPhase::Committing(plan);
    }
}

/// The snapshot under way, once the memory has written it.
pub(super) async fn taken(phase: &mut CheckpointPhase) -> Result<Snapshot, MemoryGone> {
    match phase {
        CheckpointPhase::Snapshot(_, taking) => taking.as_mut().await,
        CheckpointPhase::Idle
        | CheckpointPhase::Staging(_)
        | CheckpointPhase::Committing(_)
        | CheckpointPhase::Sweeping(_) => std::future::pending().await,
    }
}
