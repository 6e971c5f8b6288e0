//! What every stage of an owner works with: who this process is to the queue, what it
//! keeps safe, and how the record's epoch is raised.

use std::sync::Arc;

use super::access::{Access, odd_answer};
use super::holder;
use super::interruption::Interruption;
use super::ledger::Ledger;
use super::link::{Link, ScriptReply};
use super::memory::{Demand, LoadFailure, Memory, Ownership, StoredState};
use super::record::{Layout, Line, Record, StreamPosition, fields_of_part, new_nonce};
use super::scripts::{self, Fence};
use super::settings::OnceSettings;
use super::stored::{Expected, FIELDS, Stored};
use super::watch::Absence;
use crate::boot_clock::BootInstant;
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use crate::self_metrics::WorkerMetrics;
use crate::source::SourceError;
use crate::source::redis::error::error;
use crate::source::redis::schedule::Schedule;

/// What outlives each stage.
pub(super) struct Context {
    /// To the queue that is owned, or that would be.
    pub access: Access,
    pub settings: OnceSettings,
    /// What is kept safe.
    pub memory: Box<dyn Memory>,
    pub metrics: Arc<WorkerMetrics>,
    /// Random: distinguishes the writes of this owner from those of others.
    pub token: String,
    /// The highest epoch that was ever held here.
    pub epoch: u64,
    /// The highest line of the record that was ever seen here.
    pub line: Line,
    /// The line that the next epoch is raised with.
    pub next_line: Option<NextLine>,
    /// As the record noted it last.
    pub layout: Option<Layout>,
    pub schedule: Schedule,
    /// Of the record, after it was held here.
    pub absence: Absence,
}

/// A line that is to be noted with the epoch that is raised.
#[derive(Debug, Clone, Copy)]
pub(super) enum NextLine {
    /// At this place, under the new epoch.
    Here(u64),
    /// One that Redis has lost, as it was.
    AsItWas(Line),
}

/// What became of an attempt to raise the epoch.
pub(super) enum Raised {
    Record(Box<Record>, Vec<u8>),
    Gone,
    /// Somebody else's epoch or token is there.
    Lost,
    /// It is damaged; nobody else has written that.
    Damaged(String),
}

impl Context {
    pub fn new(
        access: Access,
        settings: OnceSettings,
        memory: Box<dyn Memory>,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let (count, bytes) = (access.queue.pop_count, access.queue.max_bytes_in_flight);
        Self {
            token: holder::token(),
            epoch: 0,
            line: Line::default(),
            next_line: None,
            layout: None,
            schedule: Schedule::of_pages(count, bytes),
            absence: Absence::default(),
            access,
            settings,
            memory,
            metrics,
        }
    }

    /// What each script compares before it does anything.
    pub fn fence(&self) -> Fence<'_> {
        Fence { epoch: self.epoch, token: &self.token }
    }

    /// The memory is what Redis says.
    pub fn caught_up(&self) {
        self.memory.caught_up();
        self.settings.gate.memory_is_whole();
    }

    /// The epoch was raised, and the memory is still what Redis says.
    pub fn resumed(&mut self, ledger: &Ledger, is_new: bool) {
        let (memory, known) = self.known(ledger);
        memory.resumed(Ownership { is_new, ..known });
    }

    /// Puts a stored state in the place of the memory.
    pub async fn load(&mut self, ledger: &Ledger, stored: StoredState) -> Result<(), LoadFailure> {
        let (memory, known) = self.known(ledger);
        memory.load(known, stored).await
    }

    /// The memory, and what is known under the present epoch.
    fn known(&mut self, ledger: &Ledger) -> (&mut dyn Memory, Ownership<'_>) {
        let Self { memory, epoch, token, line, access, .. } = self;
        let known = Ownership {
            epoch: *epoch,
            token,
            partition: access.part.partition,
            line: *line,
            at: ledger.place_of(ledger.base()),
            end: ledger.end(),
            is_new: false,
        };
        (&mut **memory, known)
    }

    /// What a record of this queue has to be.
    pub fn expected(&self) -> Expected {
        Expected { part: self.access.part, check_head: self.memory.head_check() }
    }

    /// An epoch was seen that the record does not know of. Others may know places beyond
    /// `end`, where what was claimed ends now, and may show them later: so the next epoch
    /// is above that one, and notes the line with it.
    pub fn history_was_lost(&mut self, seen: u64, end: u64) {
        self.epoch = self.epoch.max(seen);
        self.next_line = Some(NextLine::Here(end));
    }

    /// The memory can't go on as it is, with lists that end there: what comes of that.
    pub fn met(&mut self, demand: Demand, end: u64) -> Interruption {
        Interruption::Reload(match demand {
            Demand::Reload(why) => why,
            Demand::RaiseAbove(epoch) => {
                self.history_was_lost(epoch, end);
                format!("epoch {epoch} was seen, which this gateway did not know")
            }
        })
    }

    /// Somebody else holds the queue.
    pub fn displaced(&self) -> Interruption {
        let cause = "another gateway has taken the queue over";
        Interruption::Fatal(FatalError::Failed(cause.to_owned()))
    }

    /// Raises the epoch as the holder, so that what is read then was written under
    /// an earlier one; the record and its head.
    pub async fn raise_own(
        &mut self,
        link: &mut Link,
    ) -> Result<(Box<Record>, Vec<u8>), Interruption> {
        let whole = self.access.look(link, &FIELDS).await?;
        if whole.is_absent() {
            return Err(Interruption::RecordLost(None));
        }
        self.absence = Absence::default();
        if whole.token() != self.token.as_bytes() {
            return Err(self.displaced());
        }
        let epoch = match whole.record(self.expected()) {
            Ok((record, _)) => record.epoch,
            Err(damage) => return Err(Interruption::RecordLost(Some(damage.to_string()))),
        };
        match self.raise(link, Some(epoch), &self.token.clone(), "*").await? {
            Raised::Record(record, head) => Ok((record, head)),
            Raised::Gone => Err(Interruption::RecordLost(None)),
            Raised::Damaged(damage) => Err(Interruption::RecordLost(Some(damage))),
            // It is another one already than the one that was just read.
            Raised::Lost => {
                Err(error(ErrorKind::Other, "the record changes while it is read").into())
            }
        }
    }

    /// Raises the epoch where these are still there: an epoch, a token, and a
    /// deadline unless that is `*`.
    pub async fn raise(
        &mut self,
        link: &mut Link,
        seen: Option<u64>,
        token: &str,
        deadline: &str,
    ) -> Result<Raised, SourceError> {
        let (keys, first) = (&self.access.keys, self.access.keys.list(1));
        let next = self.epoch.max(seen.unwrap_or(0)) + 1;
        let call = scripts::ACQUIRE.call(&[&keys.owner, &keys.state, &first]);
        let call = call.arg(seen.map(|epoch| epoch.to_string()).unwrap_or_default());
        let call = call.arg(token).arg(deadline).arg(next).arg(&self.token);
        let call = call.arg(self.settings.lease.as_millis()).arg(format!("{:x}", new_nonce()));
        let line = self.next_line.map(|line| match line {
            NextLine::Here(place) => Line { epoch: next, place },
            NextLine::AsItWas(line) => line,
        });
        let call = call.arg(line.map(|line| line.to_string()).unwrap_or_default());
        let stream = self.access.part.has_places().then(StreamPosition::default);
        let call = call.fields(&fields_of_part(self.access.part.first_layout(), stream));
        let sent = BootInstant::now();
        match link.run(call.args(FIELDS)).await? {
            ScriptReply::Lost { epoch, .. } if epoch.is_empty() => return Ok(Raised::Gone),
            ScriptReply::Lost { .. } => return Ok(Raised::Lost),
            ScriptReply::Other(word, _) if word == "orphans" => {
                return Ok(Raised::Damaged(self.access.orphans()));
            }
            ScriptReply::Other(..) => return Err(odd_answer("acquire")),
            ScriptReply::Ok(_) => {}
        }
        self.settings.gate.lease_until(sent.after(self.settings.lease));
        match Stored::read(&link.held_values()[1..]).record(self.expected()) {
            Ok((record, head)) => {
                (self.epoch, self.layout, self.next_line) = (record.epoch, record.layout, None);
                self.settings.holding.hold(self.epoch, &self.token, sent);
                Ok(Raised::Record(Box::new(record), head))
            }
            Err(damage) => Ok(Raised::Damaged(damage.to_string())),
        }
    }
}
