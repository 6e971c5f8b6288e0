//! The access to a queue: how its connection is made, how its record is read, and
//! how it is told what goes wrong with that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::cmd;

use super::interruption::Interruption;
use super::keys::Keys;
use super::link::{Link, ScriptReply};
use super::part::{OtherLayout, Part};
use super::preflight::check_server;
use super::scripts;
use super::stored::{FIELDS, Misfit, OF_OWNER, Stored};
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use crate::source::SourceError;
use crate::source::redis::error::error;
use crate::source::redis::health::HealthReporter;
use crate::source::redis::info::ServerInfo;
use crate::source::redis::shared_queue::SharedQueue;
use crate::stop::StopSignal;

/// A part of a queue that may be owned.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub queue: Arc<SharedQueue>,
    pub keys: Keys,
    pub part: Part,
    /// A cluster would keep all partitions in one slot: the queue's key has a hash tag.
    pub has_one_slot: bool,
    /// The queue of the first partition, whose record says how all are split; nothing
    /// where there is one.
    pub first: Option<(Arc<SharedQueue>, Keys)>,
}

/// The way to one of them.
#[derive(Debug)]
pub struct Access {
    pub queue: Arc<SharedQueue>,
    pub keys: Keys,
    pub part: Part,
    pub stop: StopSignal,
    has_one_slot: bool,
    first: Option<(Arc<SharedQueue>, Keys)>,
    reporter: HealthReporter,
    connected_before: bool,
    in_trouble: bool,
    has_warned: bool,
}

impl Access {
    /// Opens nothing yet.
    pub fn new(candidate: Candidate, reporter: HealthReporter, stop: StopSignal) -> Self {
        let Candidate { queue, keys, part, has_one_slot, first } = candidate;
        Self {
            queue,
            keys,
            part,
            stop,
            has_one_slot,
            first,
            reporter,
            connected_before: false,
            in_trouble: false,
            has_warned: false,
        }
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
        let warning = check_server(&info, &self.keys, self.has_one_slot)
            .map_err(FatalError::BadConfiguration)?;
        if let Some(warning) = warning
            && !std::mem::replace(&mut self.has_warned, true)
        {
            tracing::warn!("{warning}");
        }
        Ok(Some(link))
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

    /// Whether the queue is split as this gateway is told, where the record to be taken
    /// does not say it, since it was never written.
    pub async fn check_the_first(&self) -> Result<(), Interruption> {
        let Some((queue, keys)) = &self.first else { return Ok(()) };
        let mut link = Link::connect(queue).await?;
        let call = scripts::LOOK.call(&[&keys.owner]).args(&FIELDS[..OF_OWNER]);
        let ScriptReply::Ok(_) = link.run(call).await? else {
            return Err(odd_answer("look").into());
        };
        let stored = Stored::read(&link.held_values()[1..]);
        match stored.split_as(self.part) {
            Ok(()) => Ok(()),
            Err(Misfit::OtherLayout(other)) => Err(split_otherwise(&keys.owner, other)),
            Err(Misfit::Damage(damage)) => Err(unreadable(&keys.owner, damage)),
        }
    }

    /// It works: what was wrong with Redis is over.
    pub fn works(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            self.queue.works(self.reporter);
        }
    }

    /// It works, which counts for all where nobody knows better yet.
    pub fn answers(&mut self) {
        if self.queue.metrics.up.load(Ordering::Relaxed) {
            self.works();
        } else {
            self.is_taken();
        }
    }

    /// It works, whatever was said of others.
    pub fn is_taken(&mut self) {
        self.in_trouble = true;
        self.works();
    }

    /// Reports what goes wrong.
    pub fn complain(&mut self, failure: &SourceError) {
        self.in_trouble = true;
        self.queue.failed(self.reporter, failure);
    }

    /// The queue is split otherwise than this gateway is told.
    pub fn split_otherwise(&self, other: OtherLayout) -> Interruption {
        split_otherwise(&self.keys.owner, other)
    }

    /// What is in Redis can't be used by this version.
    pub fn unreadable(&self, cause: impl std::fmt::Display) -> Interruption {
        unreadable(&self.keys.owner, cause)
    }

    /// Why nobody can go on where the owner hash alone is missing.
    pub fn orphans(&self) -> String {
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

fn split_otherwise(owner: &str, other: OtherLayout) -> Interruption {
    Interruption::Fatal(FatalError::BadConfiguration(format!("{owner}: {other}")))
}

fn unreadable(owner: &str, cause: impl std::fmt::Display) -> Interruption {
    let message = format!("the state in redis is left as it is, since {owner}: {cause}");
    Interruption::Fatal(FatalError::Failed(message))
}

/// A script's answer that makes no sense.
pub fn odd_answer(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
