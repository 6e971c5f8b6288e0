//! Recovering: what a holder does whose record has gone.
//!
//! Where somebody has deleted or damaged the owner hash alone, the rest still says
//! all that it said: the record is written again as it was. Where more has gone (a Redis
//! without persistence was restarted), the memory is the better copy and is
//! written anew as a whole; lists that are still there and were not read are
//! claimed again, under numbers that were never used.

use std::time::{Duration, Instant};

use super::super::super::SourceError;
use super::checkpoint::{Pace, Phase};
use super::ledger::{Ledger, Release};
use super::link::Answer;
use super::owned::Owned;
use super::record::{Record, new_nonce};
use super::scripts::{self, Call};
use super::source::{OnceSource, Stage, Step};
use super::watch::Watch;
use crate::boot_clock::BootInstant;

/// Looks for a record that has gone, for each length of a lease.
const LOOKS: u32 = 8;

/// A record as the holder knows it, and what else has to be there for it to hold.
#[derive(Debug)]
struct Known {
    record: Record,
    head: Vec<u8>,
    /// Elements of the claimed lists, from the base on.
    lengths: Vec<u64>,
}

impl OnceSource {
    /// The record has gone, or is damaged, and this process was the last that
    /// held it.
    pub(super) async fn recover(&mut self, damage: Option<String>) -> Result<Step, SourceError> {
        let known = match &self.stage {
            Stage::Owning(owned) | Stage::Loading(Some(owned)) => owned.known(),
            Stage::Outside(_) | Stage::Loading(None) | Stage::Ended => {
                // Nothing was ever loaded: there is no memory to keep.
                if let Some(damage) = damage {
                    return Ok(self.unreadable(damage));
                }
                self.stage = Stage::Outside(Watch::default());
                return Ok(Step::Again);
            }
        };
        let (now, lease) = (BootInstant::now(), self.settings.lease);
        let renewed = self.settings.holding.renewed_at();
        // Under a token of its own nobody else has held it since.
        if damage.is_none() && !self.absence.may_write(now, renewed, lease) {
            self.pause(lease / LOOKS).await;
            return Ok(self.look_again());
        }
        self.epoch += 1;
        for known in known {
            let call = self.put_back(&known);
            let Some(link) = &mut self.link else { return Ok(Step::Again) };
            match link.run(call).await? {
                Answer::Ok(_) => {
                    let owner = &self.keys.owner;
                    let what = damage.map(|damage| format!(" ({damage})")).unwrap_or_default();
                    tracing::warn!(
                        "somebody has deleted or changed {owner}{what}: it is written again as it was"
                    );
                    return Ok(self.look_again());
                }
                Answer::Lost { .. } => return Ok(self.displaced()),
                Answer::Other(..) => {}
            }
        }
        match damage {
            Some(damage) => Ok(self.unreadable(damage)),
            None => self.found().await,
        }
    }

    /// The record is there: what it means is found out as after any cut.
    fn look_again(&mut self) -> Step {
        self.link = None;
        Step::Again
    }

    fn put_back(&self, known: &Known) -> Call {
        let Known { record, head, lengths } = known;
        let call = scripts::PUT_BACK.call(&[&self.keys.owner, &self.keys.state]);
        let call = call.arg(self.epoch).arg(&self.token).arg(record.version).arg(record.tip);
        let call = call.arg(record.base).arg(&record.index).bytes(head);
        let call = call.arg(self.settings.lease.as_millis()).arg(&self.keys.work);
        let call = call.arg(record.base.list).arg(lengths.len());
        let call = lengths.iter().fold(call, |call, length| call.arg(length));
        record.index.fields().fold(call, |call, field| call.arg(field))
    }

    /// Begins a record out of the memory.
    async fn found(&mut self) -> Result<Step, SourceError> {
        let mut owned = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Owning(owned) | Stage::Loading(Some(owned)) => owned,
            Stage::Outside(_) | Stage::Loading(None) | Stage::Ended => return Ok(Step::Ended),
        };
        tracing::warn!("redis has lost the state of the queue: it is written anew from memory");
        let version = owned.expected.version.next();
        owned.founding = Some(version);
        let last = owned.expected.claim.unwrap_or(owned.expected.tip).number;
        let Release { first, keep, trim } = owned.ledger.release_read();
        let last_index = trim.map_or(-1, |(_, last)| i128::from(last));
        self.stage = Stage::Owning(owned);
        let call = scripts::FOUND.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
        let call = call.arg(version).arg(self.settings.lease.as_millis()).arg(&self.keys.work);
        let call = call.arg(first).arg(keep - first).arg((last + 1).saturating_sub(keep));
        let call = call.arg(last_index);
        let call = call.arg(format!("{:x}", new_nonce()));
        let Some(link) = &mut self.link else { return Ok(Step::Again) };
        match link.run(call).await? {
            Answer::Ok(_) => Ok(self.look_again()),
            Answer::Lost { .. } | Answer::Other(..) => Ok(self.displaced()),
        }
    }

    /// Goes on under a record that was begun out of the memory, with the lists
    /// that were claimed again.
    pub(super) fn own_anew(&mut self, record: &Record, lengths: Vec<u64>) {
        let was_whole = match &self.stage {
            Stage::Owning(owned) => owned.replay.is_none(),
            Stage::Outside(_) | Stage::Loading(_) | Stage::Ended => false,
        };
        let pace = Pace::new(Duration::ZERO, Instant::now());
        let ledger = Ledger::new(record.base, lengths);
        let mut owned = Owned::new(record, Vec::new(), ledger, pace);
        owned.write_all = true;
        // A memory that had every element before only gains by these.
        owned.replay.take_if(|_| was_whole);
        let is_whole = owned.replay.is_none();
        if is_whole {
            self.caught_up();
        }
        self.stage = Stage::Owning(Box::new(owned));
        self.begin_to_own();
    }
}

impl Owned {
    /// Whether a record says of its version what this process has written of it.
    pub(super) fn has_written(&self, record: &Record, head: &[u8]) -> bool {
        let same = |known: &Known| {
            let Record { version, base, index, .. } = &known.record;
            (version, base, index) == (&record.version, &record.base, &record.index)
                && known.head == head
        };
        self.known().iter().any(same)
    }

    /// The record as it may have been, the likeliest first: a commit in doubt may
    /// be done.
    fn known(&self) -> Vec<Known> {
        let mut known = Vec::new();
        let record = |version, base, index| Record {
            epoch: 0,
            version,
            tip: self.expected.tip,
            base,
            index,
        };
        if let Phase::Committing(plan) = &self.phase {
            let mut ledger = self.ledger.clone();
            ledger.cover(plan.covered);
            known.push(Known {
                record: record(plan.new, plan.covered, plan.index.clone()),
                head: plan.head.clone(),
                lengths: ledger.present().collect(),
            });
        }
        known.push(Known {
            record: record(self.expected.version, self.ledger.base(), self.index.clone()),
            head: self.head.clone(),
            lengths: self.ledger.present().collect(),
        });
        known
    }
}
