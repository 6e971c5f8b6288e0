//! Saving: how an owner takes a checkpoint from one step to the next, beside its
//! other work.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::super::SourceError;
use super::checkpoint::{self, Phase, Staging};
use super::owned::Asked;
use super::scripts;
use super::source::{OnceSource, Stage, Step};
use crate::checkpoint::TakenSnapshot;
use crate::dead_letters::DeadLetterQueue;
use crate::shard_set::ShardsGone;

/// How long a checkpoint waits for the dead letters that it covers: a list of
/// letters that can't be written holds up nothing else.
const LETTERS_PATIENCE: Duration = Duration::from_secs(2);

impl OnceSource {
    /// Takes the checkpoint as far as it goes without an answer.
    pub(super) fn go_on_with_checkpoint(&mut self) -> Result<Option<Step>, SourceError> {
        let stopping = self.stop.is_stopped();
        let Stage::Owning(owned) = &mut self.stage else { return Ok(None) };
        match std::mem::take(&mut owned.phase) {
            Phase::Idle => self.begin_checkpoint_if_due(stopping),
            Phase::Snapshot(covered, taking) => {
                owned.phase = Phase::Snapshot(covered, taking);
                Ok(None)
            }
            Phase::Staging(staging) => {
                self.stage_some(staging);
                Ok(None)
            }
            Phase::Committing(plan) => {
                owned.phase = Phase::Committing(plan);
                Ok(None)
            }
            Phase::Sweeping(fields) => {
                let is_asked = owned.asked.iter().any(|asked| matches!(asked, Asked::Sweep));
                let version = owned.expected.version;
                if fields.is_empty() {
                    return self.begin_checkpoint_if_due(stopping);
                }
                if !is_asked {
                    let call = checkpoint::sweep(&fields, version, self.fence());
                    self.request(Asked::Sweep, &call.pack());
                }
                self.set_phase(Phase::Sweeping(fields));
                Ok(None)
            }
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Stage::Owning(owned) = &mut self.stage {
            owned.phase = phase;
        }
    }

    fn begin_checkpoint_if_due(&mut self, stopping: bool) -> Result<Option<Step>, SourceError> {
        let Stage::Owning(owned) = &mut self.stage else { return Ok(None) };
        if stopping && (owned.pages_in_flight() > 0 || owned.closing) {
            return Ok(None);
        }
        let now = Instant::now();
        if stopping && owned.is_saved {
            self.settings.handshake.saved.stop();
            if !self.settings.handshake.release.is_stopped() {
                return Ok(None);
            }
            owned.closing = true;
            let call = scripts::RELEASE.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
            self.settings.gate.close("the queue was given back");
            self.settings.holding.let_go();
            self.request(Asked::Release, &call.pack());
            return Ok(None);
        }
        let is_due = owned.is_checkpoint_due(now) || self.settings.checkpoint_requests.is_pending();
        if !stopping && !is_due {
            return Ok(None);
        }
        owned.begun = now;
        owned.is_saved = stopping;
        owned.covered = self.settings.checkpoint_requests.cover();
        let covered = owned.ledger.position();
        let Ok(pending) = self.settings.checkpoints.begin(owned.write_all) else {
            return Ok(Some(Step::Ended));
        };
        // The dead letters of what it covers: behind it they would be written
        // never, before it at worst twice.
        let letters = self.settings.dead_letters.as_ref().map(DeadLetterQueue::flush);
        owned.phase = Phase::Snapshot(
            covered,
            Box::pin(async move {
                let taken = pending.collect().await;
                if let Some(written) = letters {
                    let _ = timeout(LETTERS_PATIENCE, written).await;
                }
                taken
            }),
        );
        Ok(None)
    }

    pub(super) fn snapshot_taken(&mut self, taken: Result<TakenSnapshot, ShardsGone>) -> Step {
        let Ok(taken) = taken else { return Step::Ended };
        let Stage::Owning(owned) = &mut self.stage else { return Step::Again };
        let Phase::Snapshot(covered, _) = std::mem::take(&mut owned.phase) else {
            return Step::Again;
        };
        owned.phase = Phase::Staging(Staging::new(owned.plan(covered, taken)));
        Step::Again
    }

    fn stage_some(&mut self, mut staging: Staging) {
        while let Some(call) = staging.next(self.fence()) {
            self.request(Asked::Stage, &call.pack());
        }
        if !staging.is_done() {
            return self.set_phase(Phase::Staging(staging));
        }
        let plan = staging.into_plan();
        let commit = plan.commit(self.fence()).pack();
        self.request(Asked::Commit, &commit);
        self.set_phase(Phase::Committing(plan));
    }
}

/// The snapshot under way, once every shard has written its part.
pub(super) async fn taken(phase: &mut Phase) -> Result<TakenSnapshot, ShardsGone> {
    match phase {
        Phase::Snapshot(_, taking) => taking.as_mut().await,
        Phase::Idle | Phase::Staging(_) | Phase::Committing(_) | Phase::Sweeping(_) => {
            std::future::pending().await
        }
    }
}
