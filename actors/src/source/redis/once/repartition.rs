//! Repartition: a queue gets another number of partitions, while no gateway runs. The
//! totals go to the homes that will show them; what waits in queues stays there.
//!
//! # Steps
//!
//! 1. *Hold.* Every record of the partitions that there are, and of those to come, is
//!    acquired as by an owner, so that gateways which start now stand by, and those
//!    that sleep are fenced off. Refused while one is owned.
//! 2. *Look.* Nothing may be on its way: no list that is claimed and not covered, no
//!    deltas that are not delivered, nothing on a home's queue or on that of a partition
//!    which goes.
//! 3. *Stage.* The states of the homes are read and regrouped by the names of metrics
//!    (`psg_engine::regroup`). Each new one is written beside what is there, under a
//!    version of its own, and `next` notes it.
//! 4. *Decide.* One script gives the record of partition 0 the new layout, and notes how
//!    many partitions there were.
//! 5. *Adopt.* Each record takes over what its `next` notes. Homes note that they have
//!    all that routers ever claimed. What is of no partition any more is deleted.
//! 6. *Finish.* The note of step 4 is taken away, and all records are given back.
//!
//! Interrupted before 4, the gateways go on as they were, and sweep what was staged.
//! Interrupted behind it, no gateway starts (the layouts differ), until the same is run
//! again: it goes on with 5.

mod adopting;
mod looking;
mod staging;

use std::sync::Arc;
use std::time::Duration;

use psg_engine::partition::Partitions;
use psg_engine::regroup::RegroupSettings;
use redis::{Cmd, FromRedisValue};

use super::holder;
use super::keys::Keys;
use super::link::{Link, ScriptReply};
use super::part::{Duty, Part};
use super::record::{Layout, Record, StreamPosition, fields_of_part, new_nonce};
use super::scripts::{self, Fence};
use super::stored::{Expected, FIELDS, Stored};
use crate::cluster_key::{home_key, key_beside, partition_key};
use crate::error_kind::ErrorKind;
use crate::fatal::FatalSignal;
use crate::settings::QueueSettings;
use crate::source::SourceError;
use crate::source::redis::command_connection::CommandConnection;
use crate::source::redis::error::{crate_failed, error};
use crate::source::redis::shared_queue::SharedQueue;

/// For how long records are held. Where this is interrupted, gateways on the same
/// machine see that it has ended; others wait for so long.
const LEASE: Duration = Duration::from_secs(600);
/// The field of partition 0's record that says how many partitions there were, while
/// not all records are of the new layout.
const FROM: &str = "from";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repartitioned {
    /// There is nothing in Redis yet: gateways make what they need.
    Nothing,
    /// The queue has as many partitions already.
    Already,
    /// It has as many now.
    Done {
        /// How many it had.
        from: usize,
        /// Series that were moved or kept; nothing where an earlier run moved them.
        series: Option<usize>,
        /// Metrics that could not come along, and why.
        left_out: Vec<(String, String)>,
        /// Homes whose totals of expired series could not come along.
        without_tombstones: usize,
    },
}

/// Why it was not done. Nothing has changed then, unless it says so.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RepartitionError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Redis(#[from] SourceError),
}

/// Gives a queue `to` partitions.
///
/// # Errors
/// A gateway owns a part of it, something is on its way, what is stored is damaged, or
/// Redis fails.
pub async fn repartition(
    settings: &QueueSettings,
    regroup: &RegroupSettings,
    to: Partitions,
) -> Result<Repartitioned, RepartitionError> {
    let first = Slot::connect(settings, 0).await?;
    let Some(plan) = Plan::find(first, to).await? else { return Ok(Repartitioned::Nothing) };
    if plan.from == to && !plan.is_decided {
        return Ok(Repartitioned::Already);
    }
    let mut work = Work::begin(settings, plan).await?;
    let outcome = work.run(regroup).await;
    // Whether or not it is done: what is held is in the way of gateways.
    work.release().await;
    outcome
}

/// One partition's corner of Redis: all of it in one slot, by way of one connection.
struct Slot {
    number: usize,
    link: Link,
    /// To the same node.
    commands: CommandConnection,
    /// Of what producers push to; all there is where there is one partition.
    intake: Keys,
    home: Keys,
}

/// From what to what.
#[derive(Debug, Clone, Copy)]
struct Plan {
    from: Partitions,
    to: Partitions,
    generation: u64,
    is_decided: bool,
}

/// A record that is held.
struct Held {
    slot: usize,
    part: Part,
    epoch: u64,
    /// Where its stream stands, if it is a router's.
    stream: Option<StreamPosition>,
    /// As it was before, and its head; nothing where that is changed already.
    record: Option<(Record, Vec<u8>)>,
}

/// All that is held while it is done.
struct Work {
    plan: Plan,
    token: String,
    slots: Vec<Slot>,
    held: Vec<Held>,
}

impl Slot {
    async fn connect(settings: &QueueSettings, number: usize) -> Result<Self, SourceError> {
        let key = partition_key(&settings.key, number);
        let home = home_key(&settings.key, number);
        let settings = QueueSettings { key: key.clone(), ..settings.clone() };
        let unused = (Arc::default(), FatalSignal::default());
        let queue = Arc::new(SharedQueue::new(&settings, usize::MAX, unused.0, unused.1));
        let link = Link::connect(&queue).await?;
        let commands = CommandConnection::open(&queue.connector).await?;
        let (intake, home) = (Keys::beside(&key), Keys::beside(&home));
        Ok(Self { number, link, commands, intake, home })
    }

    fn keys(&self, duty: Duty) -> &Keys {
        match duty {
            Duty::Whole | Duty::Router => &self.intake,
            Duty::Home => &self.home,
        }
    }

    async fn look(&mut self, duty: Duty, fields: &[&str]) -> Result<Vec<Vec<u8>>, SourceError> {
        let call = scripts::LOOK.call(&[&self.keys(duty).owner]).args(fields);
        match self.link.run(call).await? {
            ScriptReply::Ok(words) if words.len() == fields.len() => {
                Ok(self.link.held_values().split_off(1))
            }
            ScriptReply::Ok(_) | ScriptReply::Lost { .. } | ScriptReply::Other(..) => {
                Err(odd("look"))
            }
        }
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, SourceError> {
        let reply = self.commands.ask(command).await;
        reply.map_err(|cause| crate_failed("a command", &cause))
    }
}

impl Plan {
    /// What partition 0's record says of the queue; `None` where there is none.
    async fn find(mut first: Slot, to: Partitions) -> Result<Option<Self>, RepartitionError> {
        let words = first.look(Duty::Router, &["layout", FROM, "format"]).await?;
        let text = |at: usize| {
            let word = words.get(at).and_then(|word| word.strip_prefix(b"="));
            word.map(|word| String::from_utf8_lossy(word).into_owned())
        };
        if text(2).is_none() {
            return Ok(None);
        }
        let layout = match text(0) {
            Some(text) => {
                Some(text.parse::<Layout>().map_err(|_| damaged(&first.intake, "layout"))?)
            }
            None => None,
        };
        let now = layout.map_or(Partitions::ONE, |it| it.partitions);
        let generation = layout.map_or(0, |it| it.generation);
        let from = match text(1) {
            None => return Ok(Some(Self { from: now, to, generation, is_decided: false })),
            Some(text) => text.parse().ok().and_then(Partitions::new),
        };
        let from = from.ok_or_else(|| damaged(&first.intake, FROM))?;
        if now != to {
            return Err(refused(format!(
                "an earlier run has begun to give the queue {now} partitions and did not finish: \
                 run it once more with --to {now}",
                now = now.get()
            )));
        }
        Ok(Some(Self { from, to, generation, is_decided: true }))
    }

    /// The layout of what is made.
    fn layout(self) -> Option<Layout> {
        let generation = if self.is_decided { self.generation } else { self.generation + 1 };
        (self.to.get() > 1).then_some(Layout { generation, partitions: self.to })
    }

    /// What a queue of so many partitions consists of.
    fn parts(partitions: Partitions) -> Vec<Part> {
        if partitions.get() == 1 {
            return vec![Part::WHOLE];
        }
        let of =
            |duty| (0..partitions.get()).map(move |partition| Part { duty, partition, partitions });
        of(Duty::Router).chain(of(Duty::Home)).collect()
    }
}

impl Work {
    /// Reaches all partitions that there are, and that there will be.
    async fn begin(settings: &QueueSettings, plan: Plan) -> Result<Self, RepartitionError> {
        let mut work = Self { plan, token: holder::token(), slots: Vec::new(), held: Vec::new() };
        for number in 0..plan.from.get().max(plan.to.get()) {
            work.slots.push(Slot::connect(settings, number).await?);
        }
        Ok(work)
    }

    async fn run(&mut self, regroup: &RegroupSettings) -> Result<Repartitioned, RepartitionError> {
        for part in Plan::parts(self.plan.from) {
            self.hold(part, false).await?;
        }
        if !self.plan.is_decided {
            self.look().await?;
        }
        let new = Plan::parts(self.plan.to).into_iter();
        for part in new.filter(|part| part.duty == Duty::Home) {
            if self.position(part.partition, true).is_none() {
                self.hold(part, true).await?;
            }
        }
        let mut done = Repartitioned::Done {
            from: self.plan.from.get(),
            series: None,
            left_out: Vec::new(),
            without_tombstones: 0,
        };
        if !self.plan.is_decided {
            let made = self.stage(regroup).await?;
            done = Repartitioned::Done {
                from: self.plan.from.get(),
                series: Some(made.series),
                left_out: made.left_out,
                without_tombstones: made.without_tombstones,
            };
            self.decide().await?;
        }
        self.adopt().await?;
        self.finish().await?;
        Ok(done)
    }

    /// Which of the records that are held is that of a partition's home, or else of what
    /// producers push to.
    fn position(&self, partition: usize, is_home: bool) -> Option<usize> {
        let is_it =
            |held: &Held| held.slot == partition && (held.part.duty == Duty::Home) == is_home;
        self.held.iter().position(is_it)
    }

    /// Gives back what is held and still there.
    async fn release(&mut self) {
        for held in &self.held {
            let slot = &mut self.slots[held.slot];
            let owner = &slot.keys(held.part.duty).owner;
            let call = held.fence(&self.token).call(scripts::RELEASE, &[owner]);
            if let Err(cause) = slot.link.run(call).await {
                tracing::debug!(%cause, "a record was not given back");
            }
        }
    }

    /// Acquires a record, unless somebody owns it; one that is not there is made where
    /// that is wanted.
    async fn hold(&mut self, part: Part, is_new: bool) -> Result<(), RepartitionError> {
        let slot = &mut self.slots[part.partition];
        let owner = slot.keys(part.duty).owner.clone();
        let fields = match is_new {
            true => fields_of_part(self.plan.layout(), None),
            false => Vec::new(),
        };
        let seen = slot.look(part.duty, &["token"]).await?;
        let token = seen.first().and_then(|word| word.strip_prefix(b"=")).unwrap_or_default();
        let token = String::from_utf8_lossy(token).into_owned();
        let gone = if holder::is_gone(&token) { token } else { String::new() };
        let call = scripts::HOLD.call(&[&owner]).arg(&self.token).arg(gone).arg(LEASE.as_millis());
        let call = call.arg(format!("{:x}", new_nonce())).fields(&fields).args(FIELDS);
        let words = match slot.link.run(call).await? {
            ScriptReply::Ok(_) => slot.link.held_values().split_off(1),
            ScriptReply::Other(word, _) if word == "absent" => return Ok(()),
            ScriptReply::Other(word, _) if word == "owned" => {
                return Err(refused(format!("a gateway owns {owner}: stop all gateways first")));
            }
            ScriptReply::Other(..) | ScriptReply::Lost { .. } => return Err(odd("hold").into()),
        };
        let epoch = words.first().map(|word| String::from_utf8_lossy(word).into_owned());
        let epoch = epoch.and_then(|epoch| epoch.parse().ok()).ok_or_else(|| odd("hold"))?;
        let stored = Stored::read(&words[1..]);
        let is_as_planned = !is_new && !self.plan.is_decided;
        let record = match is_as_planned {
            true => Some(
                stored
                    .record(Expected { part, check_head: |_| Ok(()) })
                    .map_err(|cause| refused(format!("{owner} is left as it is: {cause}")))?,
            ),
            false => None,
        };
        let stream = stored.stream_of(epoch);
        self.held.push(Held { slot: part.partition, part, epoch, stream, record });
        Ok(())
    }
}

impl Held {
    fn fence<'a>(&self, token: &'a str) -> Fence<'a> {
        Fence { epoch: self.epoch, token }
    }
}

/// Notes, beside a queue, what its record is to become.
fn next_key(keys: &Keys) -> String {
    key_beside(&keys.queue, "next")
}

/// The places of routers' streams, beside a home's queue.
fn sources_key(home: &Keys) -> String {
    key_beside(&home.queue, "sources")
}

fn refused(message: String) -> RepartitionError {
    RepartitionError::Refused(message)
}

fn damaged(keys: &Keys, field: &str) -> RepartitionError {
    refused(format!("{} is left as it is: its {field} can't be read", keys.owner))
}

fn odd(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
