//! What every stage of an owner works with: who this process is to the queue, how
//! its connection is made, and how the record is read and its epoch raised.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::cmd;

use super::holder;
use super::keys::Keys;
use super::link::{Link, ScriptReply};
use super::memory::{Demand, Memory, Ownership};
use super::preflight::check_server;
use super::record::{Record, new_nonce};
use super::scripts::{self, Fence};
use super::settings::OnceSettings;
use super::stored::{FIELDS, Stored};
use super::watch::Absence;
use crate::boot_clock::BootInstant;
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use crate::self_metrics::WorkerMetrics;
use crate::source::SourceError;
use crate::source::redis::error::error;
use crate::source::redis::health::HealthReporter;
use crate::source::redis::info::ServerInfo;
use crate::source::redis::schedule::Schedule;
use crate::source::redis::shared_queue::SharedQueue;
use crate::stop::StopSignal;

/// What outlives each stage.
pub(super) struct Context {
    pub queue: Arc<SharedQueue>,
    pub settings: OnceSettings,
    /// What is kept safe.
    pub memory: Box<dyn Memory>,
    pub keys: Keys,
    pub metrics: Arc<WorkerMetrics>,
    pub stop: StopSignal,
    reporter: HealthReporter,
    /// Random: distinguishes the writes of this owner from those of others.
    pub token: String,
    /// The highest epoch that was ever held here.
    pub epoch: u64,
    pub schedule: Schedule,
    /// Of the record, after it was held here.
    pub absence: Absence,
    connected_before: bool,
    in_trouble: bool,
    has_warned: bool,
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

/// Why a stage can't go on.
#[derive(Debug)]
pub(super) enum Interruption {
    /// The connection or the server failed: it is tried again over a new one.
    Failed(SourceError),
    /// The memory is not what Redis says, and why: it is loaded again.
    Reload(String),
    /// The record has gone, or is damaged in that way, and this process
    /// was the last that held it.
    RecordLost(Option<String>),
    /// The process must end, before anything else is done.
    Fatal(FatalError),
}

impl From<SourceError> for Interruption {
    fn from(failure: SourceError) -> Self {
        Interruption::Failed(failure)
    }
}

impl From<FatalError> for Interruption {
    fn from(error: FatalError) -> Self {
        Interruption::Fatal(error)
    }
}

impl Context {
    pub fn new(
        queue: Arc<SharedQueue>,
        keys: Keys,
        reporter: HealthReporter,
        (settings, memory): (OnceSettings, Box<dyn Memory>),
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> Self {
        Self {
            token: holder::token(),
            epoch: 0,
            schedule: Schedule::of_pages(queue.pop_count, queue.max_bytes_in_flight),
            absence: Absence::default(),
            connected_before: false,
            in_trouble: false,
            has_warned: false,
            queue,
            settings,
            memory,
            keys,
            metrics,
            stop,
            reporter,
        }
    }

    /// What each script compares before it does anything.
    pub fn fence(&self) -> Fence<'_> {
        Fence { epoch: self.epoch, token: &self.token }
    }

    /// Connects to the primary, and looks whether exactly-once delivery can be had
    /// there; nothing where the stop signal comes first.
    pub async fn connect(&mut self) -> Result<Option<Link>, Interruption> {
        let mut link = tokio::select! {
            biased;
            () = self.stop.stopped() => return Ok(None),
            link = Link::connect(&self.queue) => link?,
        };
        if self.connected_before {
            self.queue.metrics.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.connected_before = true;
        let info = link.values("INFO", &cmd("INFO").get_packed_command()).await?;
        let info = info.into_iter().next().unwrap_or_default();
        let info = ServerInfo::new(String::from_utf8_lossy(&info));
        let warning = check_server(&info, &self.keys).map_err(FatalError::BadConfiguration)?;
        if let Some(warning) = warning
            && !std::mem::replace(&mut self.has_warned, true)
        {
            tracing::warn!("{warning}");
        }
        Ok(Some(link))
    }

    /// It works: what was wrong with Redis is over.
    pub fn works(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            self.queue.works(self.reporter);
        }
    }

    /// Reports what goes wrong.
    pub fn complain(&mut self, failure: &SourceError) {
        self.in_trouble = true;
        self.queue.failed(self.reporter, failure);
    }

    /// The memory is what Redis says.
    pub fn caught_up(&self) {
        self.memory.caught_up();
        self.settings.gate.memory_is_whole();
    }

    /// The epoch was raised, and the memory is still what Redis says.
    pub fn resumed(&mut self, is_new: bool) {
        let Self { memory, epoch, token, .. } = self;
        memory.resumed(Ownership { epoch: *epoch, token, is_new });
    }

    /// The memory can't go on as it is: what comes of that.
    pub fn met(&mut self, demand: Demand) -> Interruption {
        Interruption::Reload(match demand {
            Demand::Reload(why) => why,
            Demand::RaiseAbove(epoch) => {
                self.epoch = self.epoch.max(epoch);
                format!("epoch {epoch} was seen, which this gateway did not know")
            }
        })
    }

    /// Somebody else holds the queue.
    pub fn displaced(&self) -> Interruption {
        let cause = "another gateway has taken the queue over";
        Interruption::Fatal(FatalError::Failed(cause.to_owned()))
    }

    /// What is in Redis can't be used by this version.
    pub fn unreadable(&self, cause: impl std::fmt::Display) -> Interruption {
        let owner = &self.keys.owner;
        let message = format!("the state in redis is left as it is, since {owner}: {cause}");
        Interruption::Fatal(FatalError::Failed(message))
    }

    /// Reads fields of the record, which may be none.
    pub async fn look(&self, link: &mut Link, fields: &[&str]) -> Result<Stored, SourceError> {
        let call = scripts::LOOK.call(&[&self.keys.owner]).args(fields);
        match link.run(call).await? {
            ScriptReply::Ok(words) if words.len() == fields.len() => {
                Ok(Stored::read(&link.held_values()[1..]))
            }
            ScriptReply::Ok(_) | ScriptReply::Lost { .. } | ScriptReply::Other(..) => {
                Err(odd_answer("look"))
            }
        }
    }

    /// Raises the epoch as the holder, so that what is read then was written under
    /// an earlier one; the record and its head.
    pub async fn raise_own(
        &mut self,
        link: &mut Link,
    ) -> Result<(Box<Record>, Vec<u8>), Interruption> {
        let whole = self.look(link, &FIELDS).await?;
        if whole.is_absent() {
            return Err(Interruption::RecordLost(None));
        }
        self.absence = Absence::default();
        if whole.token() != self.token.as_bytes() {
            return Err(self.displaced());
        }
        let epoch = match whole.record(self.memory.head_check()) {
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
        let (keys, first) = (&self.keys, self.keys.list(1));
        let next = self.epoch.max(seen.unwrap_or(0)) + 1;
        let call = scripts::ACQUIRE.call(&[&keys.owner, &keys.state, &first]);
        let call = call.arg(seen.map(|epoch| epoch.to_string()).unwrap_or_default());
        let call = call.arg(token).arg(deadline).arg(next).arg(&self.token);
        let call = call.arg(self.settings.lease.as_millis()).arg(format!("{:x}", new_nonce()));
        let sent = BootInstant::now();
        match link.run(call.args(FIELDS)).await? {
            ScriptReply::Lost { epoch, .. } if epoch.is_empty() => return Ok(Raised::Gone),
            ScriptReply::Lost { .. } => return Ok(Raised::Lost),
            ScriptReply::Other(word, _) if word == "orphans" => {
                return Ok(Raised::Damaged(self.orphans()));
            }
            ScriptReply::Other(..) => return Err(odd_answer("acquire")),
            ScriptReply::Ok(_) => {}
        }
        self.settings.gate.lease_until(sent.after(self.settings.lease));
        match Stored::read(&link.held_values()[1..]).record(self.memory.head_check()) {
            Ok((record, head)) => {
                self.epoch = record.epoch;
                self.settings.holding.hold(self.epoch, &self.token, sent);
                Ok(Raised::Record(Box::new(record), head))
            }
            Err(damage) => Ok(Raised::Damaged(damage.to_string())),
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

    /// Waits, or until the stop signal.
    pub async fn pause(&mut self, time: Duration) {
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
