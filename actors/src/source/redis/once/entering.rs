//! Entering: how a process becomes the owner, and how it comes back after its
//! connection broke.

use std::time::Duration;

use super::super::super::SourceError;
use super::super::error::error;
use super::link::Answer;
use super::loading::values_of;
use super::preflight::Server;
use super::record::{Record, new_nonce};
use super::scripts;
use super::source::{OnceSource, Stage, Step};
use super::stored::{FIELDS, OF_OWNER, Stored};
use super::verdict::Verdict;
use super::watch::{Absence, Owner};
use crate::boot_clock::BootInstant;
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use redis::cmd;

/// How often a standby looks, at least.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// What became of an attempt to raise the epoch.
pub(super) enum Raised {
    Record(Box<Record>, Vec<u8>),
    /// There is no record.
    Gone,
    /// Somebody else's epoch or token is there.
    Lost,
    /// It is damaged; nobody else has written that.
    Damaged(String),
}

impl OnceSource {
    /// Looks who owns the queue, and takes it over where that is right.
    pub(super) async fn enter(&mut self) -> Result<Step, SourceError> {
        if self.stop.is_stopped() {
            self.stage = Stage::Ended;
            return Ok(Step::Ended);
        }
        if self.link.is_none()
            && let Some(end) = self.connect_and_check().await?
        {
            return Ok(end);
        }
        let seen = self.look(&FIELDS[..OF_OWNER]).await?;
        let owner = Owner::of(&seen);
        let lease = self.settings.lease;
        let Stage::Outside(watch) = &mut self.stage else { return Ok(Step::Again) };
        if watch.may_take(&owner, BootInstant::now(), lease) || owner.has_ended() {
            let taken = self.take_over(&seen, owner).await;
            if taken.is_err() {
                // Who stood by does so no longer: there is nobody to stand by for.
                self.stands_by = false;
                self.settings.gate.close("the queue could not be taken over yet");
            }
            return taken;
        }
        self.works();
        self.stand_by();
        self.pause((lease / 4).min(LONGEST_LOOK)).await;
        Ok(Step::Again)
    }

    fn stand_by(&mut self) {
        if !std::mem::replace(&mut self.stands_by, true) {
            tracing::info!("standing by: another gateway owns the queue");
        }
        self.settings.gate.stand_by();
    }

    async fn take_over(&mut self, seen: &Stored, owner: Owner) -> Result<Step, SourceError> {
        let (token, deadline) = match owner {
            Owner::Nobody => Default::default(),
            Owner::Damaged(damage) => return Ok(self.unreadable(damage)),
            Owner::Released { .. } => (String::new(), "*".to_owned()),
            Owner::Holder { token, deadline, .. } => (token, deadline),
        };
        let whole = self.look(&FIELDS).await?;
        if !whole.has_the_owner_of(seen) {
            return Ok(Step::Again);
        }
        let epoch = match whole.record() {
            _ if whole.is_absent() => None,
            Ok((record, _)) => Some(record.epoch),
            Err(damage) => return Ok(self.unreadable(damage)),
        };
        match self.raise(epoch, &token, &deadline).await? {
            // Another standby was faster, or the owner is back.
            Raised::Lost | Raised::Gone => Ok(Step::Again),
            Raised::Damaged(damage) => Ok(self.unreadable(damage)),
            Raised::Record(record, _) => {
                self.works();
                self.stands_by = false;
                tracing::info!(epoch = record.epoch, "this gateway owns the queue");
                self.settings.gate.close("the last checkpoint is being loaded");
                self.stage = Stage::Loading(None);
                Ok(Step::Forget)
            }
        }
    }

    /// Connects again as the owner and finds out what became of what was in
    /// doubt.
    pub(super) async fn resume(&mut self) -> Result<Step, SourceError> {
        if self.stop.is_stopped() {
            self.end_unsaved();
            return Ok(Step::Ended);
        }
        if let Some(end) = self.connect_and_check().await? {
            return Ok(end);
        }
        let (record, head) = match self.raise_own().await? {
            Raised::Record(record, head) => (record, head),
            Raised::Gone => return self.recover(None).await,
            Raised::Damaged(damage) => return self.recover(Some(damage)).await,
            Raised::Lost => return Ok(self.displaced()),
        };
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if owned.founding == Some(record.version) {
            let lengths = self.claimed_lengths(&record).await?;
            self.own_anew(&record, lengths);
            return Ok(Step::Again);
        }
        match owned.expected.verdict(&record) {
            Verdict::Reload => {
                let why = format!(
                    "redis is at version {} and tip {}, this gateway was at {} and {}",
                    record.version, record.tip, owned.expected.version, owned.expected.tip
                );
                Ok(self.reload(&why))
            }
            Verdict::GoOn { .. } if !owned.has_written(&record, &head) => {
                let damage = "its base, index or head is not as it was written";
                self.recover(Some(damage.to_owned())).await
            }
            Verdict::GoOn { committed, claimed } => self.go_on(&record, committed, claimed).await,
        }
    }

    async fn go_on(
        &mut self,
        record: &Record,
        committed: bool,
        claimed: bool,
    ) -> Result<Step, SourceError> {
        let length = match claimed {
            true => self.lengths(record.tip.number, record.tip.number).await?.first().copied(),
            false => None,
        };
        if claimed && length.is_none_or(|length| length == 0) {
            return Ok(self.reload("the list of the last claim is not there"));
        }
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if owned.expected.commit.is_some() && !committed {
            self.settings.checkpoints.metrics().failed();
        }
        if committed {
            owned.committed(&self.settings.checkpoints, &self.settings.checkpoint_requests);
        }
        let phase = std::mem::take(&mut owned.phase);
        owned.phase = phase.send_again();
        owned.expected.commit = None;
        owned.expected.claim = None;
        if let Some(length) = length {
            owned.expected.tip = record.tip;
            owned.ledger.claimed(length);
        }
        self.begin_to_own();
        Ok(Step::Again)
    }

    pub(super) fn begin_to_own(&mut self) {
        if let Some(link) = &mut self.link {
            link.expect_elements();
        }
        self.works();
    }

    /// Raises the epoch as its holder.
    pub(super) async fn raise_own(&mut self) -> Result<Raised, SourceError> {
        let whole = self.look(&FIELDS).await?;
        if whole.is_absent() {
            return Ok(Raised::Gone);
        }
        self.absence = Absence::default();
        if whole.token() != self.token.as_bytes() {
            return Ok(Raised::Lost);
        }
        let epoch = match whole.record() {
            Ok((record, _)) => record.epoch,
            Err(damage) => return Ok(Raised::Damaged(damage.to_string())),
        };
        match self.raise(Some(epoch), &self.token.clone(), "*").await? {
            // It is another one already than the one that was just read.
            Raised::Lost => Err(error(ErrorKind::Other, "the record changes while it is read")),
            raised @ (Raised::Record(..) | Raised::Gone | Raised::Damaged(_)) => Ok(raised),
        }
    }

    pub(super) async fn connect_and_check(&mut self) -> Result<Option<Step>, SourceError> {
        let stop = &mut self.stop.clone();
        let connected = tokio::select! {
            biased;
            () = stop.stopped() => return Ok(Some(Step::Again)),
            connected = self.connect() => connected,
        };
        let link = connected?;
        let info = cmd("INFO").get_packed_command();
        let reply = link.exchange(&info).await?;
        let info = values_of(link.values(), "INFO", reply)?.pop().unwrap_or_default();
        match Server::from_info(&String::from_utf8_lossy(&info)).check(&self.keys) {
            Err(refusal) => Ok(Some(self.fatal(FatalError::BadConfiguration(refusal)))),
            Ok(warning) => {
                if let Some(warning) = warning
                    && !std::mem::replace(&mut self.has_warned, true)
                {
                    tracing::warn!("{warning}");
                }
                Ok(None)
            }
        }
    }

    /// Reads fields of the record, which may be none.
    async fn look(&mut self, fields: &[&str]) -> Result<Stored, SourceError> {
        let call = scripts::LOOK.call(&[&self.keys.owner]);
        let call = fields.iter().fold(call, |call, field| call.arg(field));
        let Some(link) = &mut self.link else { return Err(odd_answer("look")) };
        let reply = link.exchange(&call.pack()).await?;
        match link.answer("look", reply)? {
            Answer::Ok(words) if words.len() == fields.len() => {
                Ok(Stored::read(&link.values()[1..]))
            }
            Answer::Ok(_) | Answer::Lost { .. } | Answer::Other(..) => Err(odd_answer("look")),
        }
    }

    /// Raises the epoch where these are still there: an epoch, a token, and a
    /// deadline unless that is `*`.
    async fn raise(
        &mut self,
        seen: Option<u64>,
        token: &str,
        deadline: &str,
    ) -> Result<Raised, SourceError> {
        let (keys, first) = (&self.keys, self.keys.list(1));
        let next = self.epoch.max(seen.unwrap_or(0)) + 1;
        let call = scripts::ACQUIRE.call(&[&keys.owner, &keys.state, &first]);
        let call = call.arg(seen.map(|epoch| epoch.to_string()).unwrap_or_default());
        let call = call.arg(token).arg(deadline).arg(next).arg(&self.token);
        let call = call.arg(self.settings.lease.as_millis()).arg(format!("{:x}", new_nonce()));
        let call = FIELDS.iter().fold(call, |call, field| call.arg(field));
        let sent = BootInstant::now();
        let Some(link) = &mut self.link else { return Err(odd_answer("acquire")) };
        let reply = link.exchange(&call.pack()).await?;
        match link.answer("acquire", reply)? {
            Answer::Lost { epoch, .. } if epoch.is_empty() => Ok(Raised::Gone),
            Answer::Lost { .. } => Ok(Raised::Lost),
            Answer::Other(word, _) if word == "orphans" => Ok(Raised::Damaged(self.orphans())),
            Answer::Other(..) => Err(odd_answer("acquire")),
            Answer::Ok(_) => {
                self.settings.gate.lease_until(sent.after(self.settings.lease));
                Ok(match Stored::read(&link.values()[1..]).record() {
                    Ok((record, head)) => {
                        self.epoch = record.epoch;
                        self.settings.holding.hold(self.epoch, &self.token, sent);
                        Raised::Record(Box::new(record), head)
                    }
                    Err(damage) => Raised::Damaged(damage.to_string()),
                })
            }
        }
    }

    /// Why nobody can go on where the owner hash alone is missing.
    fn orphans(&self) -> String {
        let (state, work) = (&self.keys.state, &self.keys.work);
        format!(
            "it is missing, but {state} or {work}1 is there, which only it can explain: somebody \
             has deleted it. Restore it from a copy of Redis' data; or, to begin at 0, rename the \
             lists {work}* back to {}, one by one, and delete {state}",
            self.keys.queue
        )
    }

    pub(super) async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.stopped() => {}
        }
    }
}

/// A script's answer that makes no sense.
pub(super) fn odd_answer(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
