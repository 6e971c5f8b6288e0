//! The router's memory, as the owner protocol keeps it safe: deltas that are not
//! delivered, and chunks on their way. A checkpoint never waits for a home.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use psg_engine::partition::{Chunk, Lane, LaneSet};
use psg_engine::sharding::Segment;
use psg_engine::state::{StateError, StoredSegment};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lanes::{Kept, Need, Tenure};
use super::shared::{Shared, State};
use super::stored_lanes::{StoredLanes, chunk_segment, deltas_segment};
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::source::redis::once::{
    Demand, HeadCheck, LoadFailure, Memory, MemoryGone, NOTHING, Ownership, Snapshot, StoredState,
    Taking,
};
use crate::stop::StopSignal;

/// How long a stop waits for homes to take what there is; the rest is in the last
/// checkpoint.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Deltas and chunks as an owner's memory.
pub struct RouterMemory {
    shared: Shared,
    metrics: Arc<CheckpointMetrics>,
    stop: StopSignal,
    /// When the end was first asked for.
    ending_since: Cell<Option<Instant>>,
    last_number: u64,
    /// Lanes whose deltas may not be what is stored.
    changed: LaneSet,
    stored: Stored,
    /// The snapshot under way.
    taken: Option<Stored>,
}

/// What a checkpoint has.
#[derive(Debug, Clone)]
struct Stored {
    lanes: StoredLanes,
    /// Those whose deltas are some.
    with_deltas: LaneSet,
}

impl RouterMemory {
    pub fn new(shared: Shared, metrics: Arc<CheckpointMetrics>, stop: StopSignal) -> Self {
        let lanes = StoredLanes::none(shared.state().partitions);
        Self {
            shared,
            metrics,
            stop,
            ending_since: Cell::new(None),
            last_number: 0,
            changed: LaneSet::default(),
            stored: Stored { lanes, with_deltas: LaneSet::default() },
            taken: None,
        }
    }

    /// Enters all homes, each again until it answers.
    async fn enter_homes(&mut self) -> Result<(), LoadFailure> {
        self.shared.wake_homes();
        while !self.are_all_entered()? {
            tokio::select! {
                () = self.shared.changes().notified() => {}
                () = self.stop.stopped() => return Err(LoadFailure::Stopped),
            }
        }
        Ok(())
    }

    fn are_all_entered(&self) -> Result<bool, LoadFailure> {
        let state = self.shared.state();
        match state.lanes.need() {
            None => Ok(state.lanes.are_all_entered()),
            Some(Need::EpochAbove(epoch)) => Err(LoadFailure::RaiseAbove(*epoch)),
            Some(Need::NewLine(place)) => Err(LoadFailure::NewLine(*place)),
            // Only beside a memory that goes on.
            Some(Need::Reload(why)) => Err(LoadFailure::Unreadable(why.clone())),
        }
    }

    async fn enter_and_restore(
        &mut self,
        ownership: Ownership<'_>,
        stored: StoredState,
    ) -> Result<(), LoadFailure> {
        let at = ownership.at;
        {
            let mut state = self.shared.state();
            let lanes = StoredLanes::load(&stored.head, state.partitions, ownership.end);
            let lanes = lanes.map_err(LoadFailure::Unreadable)?;
            state.clear();
            state.lanes.begin_to_load(tenure(&ownership), lanes.clone(), at);
            let is_some = |lane: &Lane| stored_deltas(&stored, *lane).is_some();
            let with_deltas = state.partitions.lanes().filter(is_some).collect();
            (self.stored, self.taken) = (Stored { lanes, with_deltas }, None);
        }
        self.enter_homes().await?;
        let mut state = self.shared.state();
        restore(&mut state, &stored).map_err(LoadFailure::Unreadable)?;
        // A lane may have been given less than what is stored.
        self.changed = LaneSet::all(state.partitions);
        drop(state);
        self.shared.wake_homes();
        Ok(())
    }

    /// The segments of the lanes that have changed, or of all that have something.
    fn segments(&self, state: &State, taken: &Stored, all: bool) -> Vec<StoredSegment> {
        let mut segments = Vec::new();
        let mut put = |segment: Segment, bytes: Vec<u8>| {
            let bytes = if bytes.is_empty() { NOTHING.to_vec() } else { bytes };
            segments.push(StoredSegment { segment, bytes: Bytes::from(bytes) });
        };
        for lane in state.partitions.lanes() {
            let (has, had) =
                (taken.with_deltas.contains(lane), self.stored.with_deltas.contains(lane));
            if if all { has } else { self.changed.contains(lane) && (has || had) } {
                put(deltas_segment(lane), state.forwarder.segment(lane));
            }
            let (chunk, had) = (state.lanes.chunk(lane), self.stored.lanes.of(lane).chunk_end);
            if if all { chunk.is_some() } else { taken.lanes.of(lane).chunk_end != had } {
                put(chunk_segment(lane), chunk.map_or(Vec::new(), |chunk| chunk.encode()));
            }
        }
        segments
    }
}

impl Memory for RouterMemory {
    fn metrics(&self) -> &CheckpointMetrics {
        &self.metrics
    }

    fn head_check(&self) -> HeadCheck {
        |head| StoredLanes::decode(head).map(drop)
    }

    fn begin(&mut self, all: bool) -> Result<Taking, MemoryGone> {
        let mut state = self.shared.state();
        for lane in state.forwarder.take_changed().iter() {
            self.changed.insert(lane);
        }
        let has_deltas = |lane: &Lane| state.forwarder.bytes(*lane) > 0;
        let with_deltas = state.partitions.lanes().filter(has_deltas).collect();
        let taken = Stored { lanes: state.lanes.snapshot(), with_deltas };
        let segments = self.segments(&state, &taken, all);
        drop(state);
        self.last_number += 1;
        let head = taken.lanes.encode();
        self.taken = Some(taken);
        let snapshot = Snapshot { number: self.last_number, head, segments };
        Ok(Box::pin(std::future::ready(Ok(snapshot))))
    }

    fn committed(&mut self, number: u64) {
        // Another one that was never committed leaves its lanes among those that have
        // changed.
        if number == self.last_number
            && let Some(taken) = self.taken.take()
        {
            self.changed = LaneSet::default();
            self.shared.state().lanes.committed(taken.lanes.clone());
            self.stored = taken;
        }
    }

    fn load<'a>(
        &'a mut self,
        ownership: Ownership<'a>,
        stored: StoredState,
    ) -> LocalBoxFuture<'a, Result<(), LoadFailure>> {
        Box::pin(self.enter_and_restore(ownership, stored))
    }

    fn resumed(&mut self, ownership: Ownership<'_>) {
        self.shared.state().lanes.resume(tenure(&ownership), ownership.is_new);
        self.shared.wake_homes();
    }

    fn caught_up(&self) {}

    fn may_claim(&self) -> bool {
        self.shared.state().lanes.may_claim()
    }

    fn may_read(&self) -> bool {
        !self.shared.state().is_full()
    }

    fn may_end(&self) -> bool {
        let since = self.ending_since.get().unwrap_or_else(Instant::now);
        self.ending_since.set(Some(since));
        self.shared.end() || since.elapsed() >= PATIENCE
    }

    fn demand(&mut self) -> Option<Demand> {
        let state = self.shared.state();
        Some(match state.lanes.need()? {
            Need::EpochAbove(epoch) => Demand::RaiseAbove(*epoch),
            Need::Reload(why) => Demand::Reload(why.clone()),
            // Only a load asks for one.
            Need::NewLine(place) => Demand::Reload(format!("a lane is beyond {place}")),
        })
    }

    fn changes(&self) -> Option<&Notify> {
        Some(self.shared.changes())
    }
}

fn tenure(ownership: &Ownership<'_>) -> Tenure {
    Tenure {
        partition: ownership.partition,
        epoch: ownership.epoch,
        token: ownership.token.to_owned(),
        line: ownership.line,
        end: ownership.end,
    }
}

/// Gives the lanes what of the checkpoint their homes do not have.
fn restore(state: &mut State, stored: &StoredState) -> Result<(), String> {
    for lane in state.partitions.lanes() {
        let Kept { chunk, deltas } = state.lanes.kept(lane);
        let odd = |what: &str, cause: StateError| {
            format!("the {what} of lane {}: {cause}", lane.number())
        };
        if chunk {
            let missing = || format!("the chunk of lane {} is missing", lane.number());
            let bytes = content(stored, chunk_segment(lane)).ok_or_else(missing)?;
            let chunk = Chunk::decode(bytes).map_err(|cause| odd("chunk", cause))?;
            state.lanes.restore_chunk(lane, chunk);
        }
        if deltas && let Some(bytes) = stored_deltas(stored, lane) {
            let restored = state.forwarder.restore(lane, bytes);
            restored.map_err(|cause| odd("deltas", cause))?;
        }
        state.begin_to_wait(lane);
    }
    state.lanes.loaded();
    Ok(())
}

fn stored_deltas(stored: &StoredState, lane: Lane) -> Option<&Bytes> {
    content(stored, deltas_segment(lane))
}

/// What stands in a segment; they are in order of their numbers.
fn content(stored: &StoredState, segment: Segment) -> Option<&Bytes> {
    let found = stored.segments.binary_search_by_key(&segment, |stored| stored.segment).ok()?;
    Some(&stored.segments[found].bytes).filter(|bytes| **bytes != NOTHING)
}
