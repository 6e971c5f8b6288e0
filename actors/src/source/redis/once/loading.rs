//! Loading: how the last checkpoint gets into the memory.

use std::collections::HashSet;
use std::time::Instant;

use psg_engine::printable::{SHORT, printable};
use psg_engine::sharding::Segment;
use psg_engine::state::StoredSegment;
use redis::cmd;

use super::access::odd_answer;
use super::checkpoint_plan::CheckpointPace;
use super::context::{Context, NextLine};
use super::interruption::Interruption;
use super::ledger::{ClaimedList, Ledger};
use super::link::{Link, ScriptReply};
use super::memory::{LoadFailure, StoredState};
use super::owned::Owned;
use super::record::{Record, Revision, SegmentIndex, TIME_FIELDS, claim_time, field, time_field};
use super::scripts;
use super::transition::{Outcome, Transition};
use crate::source::SourceError;
use crate::source::redis::schedule::Schedule;

/// Fields that one request loads.
const LOAD_FIELDS: usize = 32;
/// Lists whose lengths one request reads.
const LENGTHS: u64 = 1000;

/// The owner of a queue whose memory is not what Redis says.
#[derive(Default)]
pub(super) struct LoadingStage {
    /// What was known of the memory, in case that Redis has lost everything.
    pub known: Option<Box<Owned>>,
    /// The version and tip of a load that did not find all of it.
    missed: Option<(Revision, Revision)>,
}

impl LoadingStage {
    /// After the memory was found not to be what Redis says.
    pub fn again(known: Box<Owned>) -> Self {
        Self { known: Some(known), missed: None }
    }

    /// Loads the last checkpoint into the memory, by the record as it is after the
    /// epoch was raised.
    pub async fn load(
        &mut self,
        context: &mut Context,
        link: &mut Link,
        record: &Record,
        head: &[u8],
    ) -> Outcome {
        if record.line() < context.line {
            // Redis went back behind it.
            context.next_line = Some(NextLine::AsItWas(context.line));
            return Ok(Transition::Stay);
        }
        context.line = record.line();
        let state = &context.access.keys.state;
        let fields = load_segments(state, link, &record.index).await?;
        let lists = claimed_lists(context, link, record).await?;
        let lists_are_whole = lists.iter().all(|list| list.length > 0);
        let segments = match fields {
            Some(segments) if lists_are_whole => segments,
            Some(_) | None => return self.something_is_missing(context, record, &lists),
        };
        self.missed = None;
        let leftover = leftover_fields(context, link, &record.index).await?;
        if leftover.iter().any(|field| record.version.has_written(field)) {
            let damage = format!("its index lacks segments of its version, {}", record.version);
            return Err(Interruption::RecordLost(Some(damage)));
        }
        let ledger = Ledger::new(record.base, record.at(), lists);
        let stored = StoredState { head: head.to_vec(), segments };
        match context.load(&ledger, stored).await {
            Ok(()) => {}
            Err(LoadFailure::Unreadable(cause)) => return Err(context.access.unreadable(cause)),
            Err(LoadFailure::RaiseAbove(epoch)) => {
                context.history_was_lost(epoch, ledger.end());
                return Ok(Transition::Stay);
            }
            Err(LoadFailure::NewLine(place)) => {
                context.next_line = Some(NextLine::Here(place));
                return Ok(Transition::Stay);
            }
            Err(LoadFailure::Stopped) => return give_back(context, link).await,
        }
        let elements = ledger.unrouted();
        tracing::info!(version = %record.version, elements, "the last checkpoint is loaded");
        let pace = CheckpointPace::new(context.settings.checkpoint_interval, Instant::now());
        let mut owned = Owned::new(record, head.to_vec(), ledger, pace);
        owned.sweep_later(leftover);
        let (count, bytes) =
            (context.access.queue.pop_count, context.access.queue.max_bytes_in_flight);
        if owned.replay.is_none() {
            context.caught_up();
            context.schedule = Schedule::of_pages(count, bytes);
        } else {
            context.schedule = Schedule::cautious(count, bytes);
        }
        begin_to_own(context, link);
        Ok(Transition::Own(Box::new(owned)))
    }

    /// A segment or a list that the record speaks of is not there: only where a
    /// fresh load misses it again is that corruption.
    fn something_is_missing(
        &mut self,
        context: &Context,
        record: &Record,
        lists: &[ClaimedList],
    ) -> Outcome {
        let state = (record.version, record.tip);
        if self.missed.replace(state) != Some(state) {
            return Ok(Transition::Reconnect);
        }
        let keys = &context.access.keys;
        Err(context.access.unreadable(match lists.iter().position(|list| list.length == 0) {
            Some(at) => {
                format!("the claimed list {} is missing", keys.list(record.base.list + at as u64))
            }
            None => {
                format!("segments of version {} are missing in {}", record.version, keys.state)
            }
        }))
    }
}

/// Gives the queue back as it was found: nothing was read under this owner.
async fn give_back(context: &mut Context, link: &mut Link) -> Outcome {
    context.settings.holding.let_go();
    link.run(context.fence().call(scripts::RELEASE, &[&context.access.keys.owner])).await?;
    Ok(Transition::End)
}

/// The stored segments that an index speaks of; `None` where one is missing.
pub(super) async fn load_segments(
    state: &str,
    link: &mut Link,
    index: &SegmentIndex,
) -> Result<Option<Vec<StoredSegment>>, SourceError> {
    let entries: Vec<(u16, Revision)> = index.iter().collect();
    let mut segments = Vec::new();
    for some in entries.chunks(LOAD_FIELDS) {
        let mut load = cmd("HMGET");
        load.arg(state);
        for (segment, version) in some {
            load.arg(field(*segment, *version));
        }
        let found = link.load_values("HMGET", &load.get_packed_command()).await?;
        if found.len() < some.len() {
            return Ok(None);
        }
        for ((segment, _), bytes) in some.iter().zip(found) {
            if let Some(segment) = Segment::from_number(*segment) {
                segments.push(StoredSegment { segment, bytes: bytes.into() });
            }
        }
    }
    Ok(Some(segments))
}

/// The fields of the state that an index does not speak of.
async fn leftover_fields(
    context: &Context,
    link: &mut Link,
    index: &SegmentIndex,
) -> Result<Vec<String>, SourceError> {
    let load = cmd("HKEYS").arg(&context.access.keys.state).get_packed_command();
    let found = link.load_values("HKEYS", &load).await?;
    let known: HashSet<String> = index.fields().collect();
    let names = found.into_iter().filter_map(|name| String::from_utf8(name).ok());
    Ok(names.filter(|name| !known.contains(name)).collect())
}

/// The lists that a record speaks of; of no length where one is missing.
pub(super) async fn claimed_lists(
    context: &Context,
    link: &mut Link,
    record: &Record,
) -> Result<Vec<ClaimedList>, Interruption> {
    lists(context, link, record.base.list, record.tip.number).await
}

/// The lists of these numbers; of no length where one is missing, and perhaps
/// nothing after that.
pub(super) async fn lists(
    context: &Context,
    link: &mut Link,
    first: u64,
    last: u64,
) -> Result<Vec<ClaimedList>, Interruption> {
    let mut lists = Vec::new();
    let mut from = first;
    while from <= last {
        let to = last.min(from + LENGTHS - 1);
        let call = context.fence().call(scripts::LENGTHS, &[&context.access.keys.owner]);
        let mut call = call.arg(&context.access.keys.work).arg(from).arg(to - from + 1);
        if context.access.part.has_places() {
            call = call.arg(TIME_FIELDS);
        }
        let ScriptReply::Ok(words) = link.run(call).await? else {
            return Err(odd_answer("lengths").into());
        };
        let words = words.get(2..).ok_or_else(|| odd_answer("lengths"))?;
        for (number, words) in
            (from..).zip(words.chunks(if context.access.part.has_places() { 2 } else { 1 }))
        {
            lists.push(list_of(context, number, words)?);
        }
        // One that is missing decides, however many there are said to be.
        if lists.iter().any(|list| list.length == 0) {
            break;
        }
        from = to + 1;
    }
    Ok(lists)
}

/// A list by its length, and where that matters the time of its claim.
fn list_of(context: &Context, number: u64, words: &[String]) -> Result<ClaimedList, Interruption> {
    let length = words.first().and_then(|length| length.parse().ok());
    let length = length.ok_or_else(|| odd_answer("lengths"))?;
    if length == 0 || !context.access.part.has_places() {
        return Ok(ClaimedList { length, claimed_at: None });
    }
    let time = words.get(1).map(String::as_str).unwrap_or_default();
    let claimed_at = claim_time(time).map_err(|_| {
        let time = printable(time, SHORT);
        Interruption::RecordLost(Some(format!(
            "its {} can't be read: \"{time}\"",
            time_field(number)
        )))
    })?;
    Ok(ClaimedList { length, claimed_at: Some(claimed_at) })
}

/// From here on the replies hold elements of the queue.
pub(super) fn begin_to_own(context: &mut Context, link: &mut Link) {
    link.expect_elements();
    context.access.works();
}
