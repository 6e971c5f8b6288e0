//! Entering: how a process becomes the owner, how it comes back after its
//! connection broke, and how the last checkpoint gets into the memory.

use std::time::{Duration, Instant};

use psg_engine::sharding::Segment;
use psg_engine::state::{Head, StoredSegment};
use redis::cmd;

use super::super::super::{ErrorKind, SourceError};
use super::super::decoder::Reply;
use super::super::error::{error, refused};
use super::super::schedule::Schedule;
use super::checkpoint::Pace;
use super::ledger::Ledger;
use super::link::Answer;
use super::preflight::Server;
use super::record::{Index, Record, Stamp, field, new_nonce};
use super::scripts;
use super::source::{OnceSource, Owned, Stage, Step};
use super::verdict::Verdict;
use super::watch::{Owner, Watch};
use crate::boot_clock::BootInstant;
use crate::doom::End;

/// The latest format of the record that this version can read.
const FORMAT: u32 = 1;
/// How often a standby looks, at least.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// Fields that one request loads.
const LOAD_FIELDS: usize = 32;
/// Lists whose lengths one request reads.
const LENGTHS: u64 = 1000;

/// What became of an attempt to raise the epoch.
enum Raised {
    Record(Box<Record>, Vec<u8>),
    /// Epoch or token that are there are others; the epoch, empty where there is
    /// no record.
    Lost(String),
    Unreadable(String),
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
        let owner = match self.look().await? {
            Ok(owner) => owner,
            Err(newer) => return Ok(self.unreadable(newer)),
        };
        self.works();
        let lease = self.settings.lease;
        let Stage::Outside(watch) = &mut self.stage else { return Ok(Step::Again) };
        if watch.may_take(&owner, BootInstant::now(), lease) {
            return self.take_over(&owner).await;
        }
        self.settings.gate.stand_by();
        self.pause((lease / 4).min(LONGEST_LOOK)).await;
        Ok(Step::Again)
    }

    async fn take_over(&mut self, seen: &Owner) -> Result<Step, SourceError> {
        let (epoch, token) = match seen {
            Owner::Nobody => ("", ""),
            Owner::Released { epoch } => (epoch.as_str(), ""),
            Owner::Holder { epoch, token, .. } => (epoch.as_str(), token.as_str()),
        };
        match self.raise(epoch, token).await? {
            // Another standby was faster.
            Raised::Lost(_) => Ok(Step::Again),
            Raised::Unreadable(cause) => Ok(self.unreadable(cause)),
            Raised::Record(record, _) => {
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
            self.stage = Stage::Ended;
            return Ok(Step::Ended);
        }
        if let Some(end) = self.connect_and_check().await? {
            return Ok(end);
        }
        let record = match self.raise_own().await? {
            Ok(record) => record,
            Err(step) => return step,
        };
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if let Some(founded) = owned.founding.take_if(|founded| founded.version == record.version) {
            self.own_anew(&founded);
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
        if committed {
            owned.committed(&self.settings.checkpoints);
        }
        let phase = std::mem::take(&mut owned.phase);
        owned.phase = phase.send_again();
        owned.expected.commit = None;
        owned.expected.claim = None;
        if let Some(length) = length {
            owned.expected.tip = record.tip;
            owned.ledger.claimed(length);
        }
        owned.last_heard = Instant::now();
        self.begin_to_own();
        Ok(Step::Again)
    }

    /// Loads the last checkpoint into the memory.
    pub(super) async fn load(&mut self) -> Result<Step, SourceError> {
        if self.link.is_none()
            && let Some(end) = self.connect_and_check().await?
        {
            return Ok(end);
        }
        // Raised once more, so that what is loaded was read under one epoch.
        let (record, head) = match self.raise("*", &self.token.clone()).await? {
            Raised::Record(record, head) => (record, head),
            Raised::Lost(epoch) if epoch.is_empty() => return self.found().await,
            Raised::Lost(_) => return Ok(self.displaced()),
            Raised::Unreadable(cause) => return Ok(self.unreadable(cause)),
        };
        let fields = self.segments(&record.index).await?;
        let lengths = match record.base.list <= record.tip.number {
            true => self.lengths(record.base.list, record.tip.number).await?,
            false => Vec::new(),
        };
        let lists_are_whole = lengths.iter().all(|length| *length > 0);
        let Some(segments) = fields.filter(|_| lists_are_whole) else {
            return Ok(self.something_is_missing(&record, &lengths));
        };
        self.missed = None;
        let leftover = self.leftover_fields(&record.index).await?;
        match self.restore(&head, segments).await {
            Ok(()) => self.own_from(&record, lengths, leftover),
            Err(cause) => return Ok(self.unreadable(cause)),
        }
        Ok(Step::Again)
    }

    /// Puts a stored state in the place of the memory.
    async fn restore(&mut self, head: &[u8], segments: Vec<StoredSegment>) -> Result<(), String> {
        let checkpoints = &mut self.settings.checkpoints;
        checkpoints.clear().await.map_err(|gone| gone.to_string())?;
        if head.is_empty() {
            return Ok(());
        }
        let head = Head::decode(head).map_err(|cause| cause.to_string())?;
        let loaded = checkpoints.load(head, &segments).await.map_err(|cause| cause.to_string())?;
        for name in &loaded.left_out {
            tracing::warn!("left out of the state that was loaded: {name}");
        }
        Ok(())
    }

    fn own_from(&mut self, record: &Record, lengths: Vec<u64>, leftover: Vec<String>) {
        let ledger = Ledger::new(record.base, lengths);
        let elements = ledger.unrouted();
        tracing::info!(version = %record.version, elements, "the last checkpoint is loaded");
        let pace = Pace::new(self.settings.checkpoint_interval, Instant::now());
        let mut owned = Owned::new(record, ledger, pace);
        owned.sweep_later(leftover);
        if owned.replay.is_none() {
            self.caught_up();
        }
        let (count, bytes) = (self.shared.pop_count, self.shared.max_bytes_in_flight);
        self.schedule = match owned.replay {
            Some(_) => Schedule::cautious(count, bytes),
            None => Schedule::new(count, bytes),
        };
        self.stage = Stage::Owning(Box::new(owned));
        self.begin_to_own();
    }

    fn begin_to_own(&mut self) {
        if let Some(link) = &mut self.link {
            link.expect_elements();
        }
        self.works();
    }

    /// A segment or a list that the record speaks of is not there: only where a
    /// fresh load misses it again is that corruption.
    fn something_is_missing(&mut self, record: &Record, lengths: &[u64]) -> Step {
        let state = (record.version, record.tip);
        if self.missed.replace(state) != Some(state) {
            self.link = None;
            return Step::Again;
        }
        let missing = lengths.iter().position(|length| *length == 0);
        let what = match missing {
            Some(at) => {
                format!(
                    "the claimed list {} is missing",
                    self.keys.list(record.base.list + at as u64)
                )
            }
            None => {
                format!("segments of version {} are missing in {}", record.version, self.keys.state)
            }
        };
        self.unreadable(what)
    }

    /// Raises the epoch as its holder. Else tells the step that follows.
    async fn raise_own(
        &mut self,
    ) -> Result<Result<Box<Record>, Result<Step, SourceError>>, SourceError> {
        match self.raise("*", &self.token.clone()).await? {
            Raised::Record(record, _) => Ok(Ok(record)),
            Raised::Lost(epoch) if epoch.is_empty() => Ok(Err(self.found().await)),
            Raised::Lost(_) => Ok(Err(Ok(self.displaced()))),
            Raised::Unreadable(cause) => Ok(Err(Ok(self.unreadable(cause)))),
        }
    }

    /// The record has gone with the rest: Redis was restarted without its data.
    /// The memory is the better copy, and is written anew as a whole.
    async fn found(&mut self) -> Result<Step, SourceError> {
        let mut owned = match std::mem::replace(&mut self.stage, Stage::Loading(None)) {
            Stage::Owning(owned) | Stage::Loading(Some(owned)) => owned,
            Stage::Outside(_) | Stage::Loading(None) | Stage::Ended => {
                // Nothing was ever loaded: there is no memory to keep.
                self.stage = Stage::Outside(Watch::default());
                return Ok(Step::Again);
            }
        };
        tracing::warn!("redis has lost the state of the queue: it is written anew from memory");
        self.epoch += 1;
        let record = owned.founded(self.epoch);
        let Record { version, tip, base, .. } = record.clone();
        owned.founding = Some(record.clone());
        self.stage = Stage::Owning(owned);
        let call = scripts::FOUND.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
        let call = call.arg(version).arg(tip).arg(base).arg(self.settings.lease.as_millis());
        let sent = BootInstant::now();
        let Some(link) = &mut self.link else { return Ok(Step::Again) };
        match link.run(call).await? {
            Answer::Ok(_) => {
                self.settings.gate.lease_until(sent.after(self.settings.lease));
                self.own_anew(&record);
                Ok(Step::Again)
            }
            Answer::Lost { .. } | Answer::Other(..) => Ok(self.displaced()),
        }
    }

    fn own_anew(&mut self, record: &Record) {
        let pace = Pace::new(Duration::ZERO, Instant::now());
        let mut owned = Owned::new(record, Ledger::new(record.base, []), pace);
        owned.write_all = true;
        self.caught_up();
        self.stage = Stage::Owning(Box::new(owned));
        self.begin_to_own();
    }

    async fn connect_and_check(&mut self) -> Result<Option<Step>, SourceError> {
        let stop = &mut self.stop.clone();
        let connected = tokio::select! {
            biased;
            () = stop.stopped() => return Ok(Some(Step::Again)),
            connected = self.connect() => connected,
        };
        let link = connected?;
        let info = cmd("INFO").get_packed_command();
        link.expect_values();
        let reply = link.exchange(&info).await?;
        let info = values_of(link.values(), "INFO", reply)?.pop().unwrap_or_default();
        match Server::from_info(&String::from_utf8_lossy(&info)).check(&self.keys) {
            Err(refusal) => Ok(Some(self.doom(End::BadConfiguration(refusal)))),
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

    /// Who owns the queue; or that the record is of a newer version.
    async fn look(&mut self) -> Result<Result<Owner, String>, SourceError> {
        let call = scripts::LOOK.call(&[&self.keys.owner]);
        let Some(link) = &mut self.link else { return Ok(Ok(Owner::Nobody)) };
        let Answer::Ok(words) = link.run(call).await? else { return Err(odd_answer("look")) };
        let [epoch, token, deadline, format] = &words[..] else { return Err(odd_answer("look")) };
        if !format.is_empty() && format.parse::<u32>().map_or(true, |format| format > FORMAT) {
            let message = format!("its format is {format:?}, this version reads {FORMAT}");
            return Ok(Err(message));
        }
        Ok(Ok(match (epoch.as_str(), token.as_str()) {
            ("", _) => Owner::Nobody,
            (epoch, "") => Owner::Released { epoch: epoch.to_owned() },
            (epoch, token) => Owner::Holder {
                epoch: epoch.to_owned(),
                token: token.to_owned(),
                deadline: deadline.clone(),
            },
        }))
    }

    /// Raises the epoch where that epoch and token are still there.
    async fn raise(&mut self, epoch: &str, token: &str) -> Result<Raised, SourceError> {
        let call = scripts::ACQUIRE.call(&[&self.keys.owner]).arg(epoch).arg(token);
        let call = call.arg(&self.token).arg(self.settings.lease.as_millis());
        let call = call.arg(self.epoch).arg(format!("{:x}", new_nonce()));
        let sent = BootInstant::now();
        let Some(link) = &mut self.link else { return Err(odd_answer("acquire")) };
        link.request(&call.pack());
        let reply = link.reply_in_time().await?;
        let bytes = link.values();
        match link.answer("acquire", reply)? {
            Answer::Lost { epoch, .. } => Ok(Raised::Lost(epoch)),
            Answer::Other(..) => Err(odd_answer("acquire")),
            Answer::Ok(words) => {
                self.settings.gate.lease_until(sent.after(self.settings.lease));
                let head = bytes.into_iter().nth(6).unwrap_or_default();
                Ok(match read_record(&words) {
                    Ok(record) => {
                        self.epoch = record.epoch;
                        Raised::Record(Box::new(record), head)
                    }
                    Err(cause) => Raised::Unreadable(cause),
                })
            }
        }
    }

    /// The stored segments that an index speaks of; `None` where one is missing.
    async fn segments(&mut self, index: &Index) -> Result<Option<Vec<StoredSegment>>, SourceError> {
        let entries: Vec<(u16, Stamp)> = index.iter().collect();
        let mut segments = Vec::new();
        for some in entries.chunks(LOAD_FIELDS) {
            let mut load = cmd("HMGET");
            load.arg(&self.keys.state);
            for (segment, version) in some {
                load.arg(field(*segment, *version));
            }
            let found = self.load_values("HMGET", &load.get_packed_command()).await?;
            if found.len() < some.len() {
                return Ok(None);
            }
            let stored = some.iter().zip(found).filter_map(|((segment, _), bytes)| {
                Some(StoredSegment {
                    segment: Segment::from_number(*segment)?,
                    bytes: bytes.into(),
                })
            });
            segments.extend(stored);
        }
        Ok(Some(segments))
    }

    /// The fields of the state that an index does not speak of.
    async fn leftover_fields(&mut self, index: &Index) -> Result<Vec<String>, SourceError> {
        let load = cmd("HKEYS").arg(&self.keys.state).get_packed_command();
        let found = self.load_values("HKEYS", &load).await?;
        let known: std::collections::HashSet<String> = index.fields().collect();
        let names = found.into_iter().filter_map(|name| String::from_utf8(name).ok());
        Ok(names.filter(|name| !known.contains(name)).collect())
    }

    async fn load_values(
        &mut self,
        name: &str,
        packed: &[u8],
    ) -> Result<Vec<Vec<u8>>, SourceError> {
        let Some(link) = &mut self.link else { return Err(odd_answer(name)) };
        let reply = link.exchange(packed).await?;
        values_of(link.values(), name, reply)
    }

    /// How long the lists of these numbers are; 0 for one that is missing.
    async fn lengths(&mut self, first: u64, last: u64) -> Result<Vec<u64>, SourceError> {
        let mut lengths = Vec::new();
        let mut from = first;
        while from <= last {
            let to = last.min(from + LENGTHS - 1);
            let call = scripts::LENGTHS.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
            let call = call.arg(&self.keys.work).arg(from).arg(to);
            let Some(link) = &mut self.link else { return Err(odd_answer("lengths")) };
            let Answer::Ok(words) = link.run(call).await? else {
                return Err(odd_answer("lengths"));
            };
            let numbers =
                words.iter().skip(2).map(|word| word.parse().map_err(|_| odd_answer("lengths")));
            lengths.append(&mut numbers.collect::<Result<Vec<u64>, _>>()?);
            from = to + 1;
        }
        Ok(lengths)
    }

    pub(super) async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.stopped() => {}
        }
    }
}

fn read_record(words: &[String]) -> Result<Record, String> {
    let [epoch, version, tip, base, index, ..] = words else {
        return Err("it is not whole".to_owned());
    };
    let text = |cause: super::record::Unreadable| cause.to_string();
    Ok(Record {
        epoch: epoch.parse().map_err(|_| format!("its epoch can't be read: {epoch:?}"))?,
        version: version.parse().map_err(text)?,
        tip: tip.parse().map_err(text)?,
        base: base.parse().map_err(text)?,
        index: index.parse().map_err(text)?,
    })
}

fn values_of(values: Vec<Vec<u8>>, name: &str, reply: Reply) -> Result<Vec<Vec<u8>>, SourceError> {
    match reply {
        Reply::Error(words) => Err(refused(name, &words)),
        Reply::Elements(_) => Ok(values),
        Reply::Nil => Ok(Vec::new()),
    }
}

fn odd_answer(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
