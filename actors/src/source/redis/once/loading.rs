//! Loading: how the last checkpoint gets into the memory.

use std::time::Instant;

use psg_engine::sharding::Segment;
use psg_engine::state::{Head, StoredSegment};
use redis::cmd;

use super::super::super::SourceError;
use super::super::decoder::Reply;
use super::super::error::refused;
use super::super::schedule::Schedule;
use super::checkpoint::Pace;
use super::entering::{Raised, odd_answer};
use super::ledger::Ledger;
use super::link::Answer;
use super::owned::Owned;
use super::record::{Index, Record, Stamp, field};
use super::scripts;
use super::source::{OnceSource, Stage, Step};

/// Fields that one request loads.
const LOAD_FIELDS: usize = 32;
/// Lists whose lengths one request reads.
const LENGTHS: u64 = 1000;

impl OnceSource {
    /// Loads the last checkpoint into the memory.
    pub(super) async fn load(&mut self) -> Result<Step, SourceError> {
        if self.link.is_none()
            && let Some(end) = self.connect_and_check().await?
        {
            return Ok(end);
        }
        // Raised once more, so that what is loaded was read under one epoch.
        let (record, head) = match self.raise_own().await? {
            Raised::Record(record, head) => (record, head),
            Raised::Gone => return self.recover(None).await,
            Raised::Damaged(damage) => return self.recover(Some(damage)).await,
            Raised::Lost => return Ok(self.displaced()),
        };
        let fields = self.segments(&record.index).await?;
        let lengths = self.claimed_lengths(&record).await?;
        let lists_are_whole = lengths.iter().all(|length| *length > 0);
        let Some(segments) = fields.filter(|_| lists_are_whole) else {
            return Ok(self.something_is_missing(&record, &lengths));
        };
        self.missed = None;
        let leftover = self.leftover_fields(&record.index).await?;
        if leftover.iter().any(|field| record.version.has_written(field)) {
            let damage = format!("its index lacks segments of its version, {}", record.version);
            return self.recover(Some(damage)).await;
        }
        match self.restore(&head, segments).await {
            Ok(()) => self.own_from(&record, head, lengths, leftover),
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
        let loaded = checkpoints.load(head, &segments, true).await;
        let loaded = loaded.map_err(|cause| cause.to_string())?;
        for name in &loaded.left_out {
            tracing::warn!("left out of the state that was loaded: {name}");
        }
        Ok(())
    }

    fn own_from(
        &mut self,
        record: &Record,
        head: Vec<u8>,
        lengths: Vec<u64>,
        leftover: Vec<String>,
    ) {
        let ledger = Ledger::new(record.base, lengths);
        let elements = ledger.unrouted();
        tracing::info!(version = %record.version, elements, "the last checkpoint is loaded");
        let pace = Pace::new(self.settings.checkpoint_interval, Instant::now());
        let mut owned = Owned::new(record, head, ledger, pace);
        owned.sweep_later(leftover);
        if owned.replay.is_none() {
            self.caught_up();
        }
        let (count, bytes) = (self.shared.pop_count, self.shared.max_bytes_in_flight);
        self.schedule = match owned.replay {
            Some(_) => Schedule::cautious(count, bytes),
            None => Schedule::of_pages(count, bytes),
        };
        self.stage = Stage::Owning(Box::new(owned));
        self.begin_to_own();
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
        let reply = link.load(packed).await?;
        values_of(link.values(), name, reply)
    }

    /// How long the lists that a record speaks of are; 0 for one that is missing.
    pub(super) async fn claimed_lengths(
        &mut self,
        record: &Record,
    ) -> Result<Vec<u64>, SourceError> {
        match record.base.list <= record.tip.number {
            true => self.lengths(record.base.list, record.tip.number).await,
            false => Ok(Vec::new()),
        }
    }

    /// How long the lists of these numbers are; 0 for one that is missing, and
    /// perhaps nothing behind that.
    pub(super) async fn lengths(&mut self, first: u64, last: u64) -> Result<Vec<u64>, SourceError> {
        let mut lengths = Vec::new();
        let mut from = first;
        while from <= last {
            let to = last.min(from + LENGTHS - 1);
            let call = scripts::LENGTHS.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
            let call = call.arg(&self.keys.work).arg(from).arg(to - from + 1);
            let Some(link) = &mut self.link else { return Err(odd_answer("lengths")) };
            let Answer::Ok(words) = link.run(call).await? else {
                return Err(odd_answer("lengths"));
            };
            let numbers =
                words.iter().skip(2).map(|word| word.parse().map_err(|_| odd_answer("lengths")));
            lengths.append(&mut numbers.collect::<Result<Vec<u64>, _>>()?);
            // One that is missing decides, however many there are said to be.
            from = if lengths.contains(&0) { last + 1 } else { to + 1 };
        }
        Ok(lengths)
    }
}

pub(super) fn values_of(
    values: Vec<Vec<u8>>,
    name: &str,
    reply: Reply,
) -> Result<Vec<Vec<u8>>, SourceError> {
    match reply {
        Reply::Error(words) => Err(refused(name, &words)),
        Reply::Elements(_) => Ok(values),
        Reply::Nil => Ok(Vec::new()),
    }
}
