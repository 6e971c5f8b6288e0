//! The plan of a checkpoint: from a snapshot of the memory to a commit, step by
//! step, and when the next one is due. It says what to send and takes note of what
//! was answered; it sends nothing itself. One that has begun is finished, or the
//! memory is reloaded.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use psg_engine::state::StoredSegment;

use super::keys::Keys;
use super::ledger::Release;
use super::memory::Taking;
use super::record::{ListPosition, Revision, SegmentIndex, SegmentNumber, field};
use super::scripts::{self, Call, Fence};

/// Bytes that one staging script writes, but for a segment that is larger:
/// while it runs, Redis serves nobody else.
const STAGE_BYTES: usize = 128 * 1024;
/// Staging scripts under way at the same time.
const STAGES_IN_FLIGHT: usize = 2;
/// Fields that one script deletes.
const SWEEP_FIELDS: usize = 32;

/// What a checkpoint will be when it is done.
#[derive(Debug)]
pub struct Plan {
    pub old: Revision,
    pub new: Revision,
    pub covered: ListPosition,
    /// Of that, where places count.
    pub place: Option<u64>,
    pub release: Release,
    pub head: Vec<u8>,
    pub segments: Vec<StoredSegment>,
    /// The index with them in it.
    pub index: SegmentIndex,
    pub snapshot: u64,
    pub is_whole: bool,
}

/// How far a checkpoint is.
#[derive(Default)]
pub enum CheckpointPhase {
    #[default]
    Idle,
    /// The memory writes what it has; with what it will cover.
    Snapshot(ListPosition, Taking),
    /// Its segments are written ahead.
    Staging(Staging),
    /// Its commit was sent, or has to be.
    Committing(Plan),
    /// The fields that it has replaced are deleted.
    Sweeping(VecDeque<String>),
}

/// Segments that are written ahead.
#[derive(Debug)]
pub struct Staging {
    plan: Plan,
    /// Segments that were sent.
    sent: usize,
    /// Scripts that were not answered.
    in_flight: usize,
}

impl Plan {
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|stored| stored.bytes.len()).sum::<usize>() + self.head.len()
    }

    /// The fields that it makes useless.
    pub fn replaced(&self, before: &SegmentIndex) -> VecDeque<String> {
        let replaced = |stored: &StoredSegment| {
            let number = number_of(stored);
            Some(field(number, before.get(number)?))
        };
        self.segments.iter().filter_map(replaced).collect()
    }

    pub fn commit(&self, fence: Fence<'_>, keys: &Keys) -> Call {
        let Release { first, keep, trim } = self.release;
        let (list, last) = trim.unwrap_or((0, 0));
        let call = fence.call(scripts::COMMIT, &[&keys.owner, &keys.state]).arg(self.old);
        let call = call
            .arg(self.new)
            .arg(&self.index)
            .arg(self.covered)
            .arg(&keys.work)
            .arg(first)
            .arg(keep - first);
        let call = call.arg(list).arg(last).bytes(&self.head);
        let call = call.arg(self.place.map(|place| place.to_string()).unwrap_or_default());
        call.args(self.segments.iter().map(|stored| field(number_of(stored), self.new)))
    }
}

impl Staging {
    /// Writes a plan's segments from the first one on.
    pub fn new(plan: Plan) -> Self {
        Self { plan, sent: 0, in_flight: 0 }
    }

    /// The next script, where one may be sent.
    pub fn next(&mut self, fence: Fence<'_>, keys: &Keys) -> Option<Call> {
        if self.in_flight == STAGES_IN_FLIGHT || self.sent == self.plan.segments.len() {
            return None;
        }
        let mut call = fence.call(scripts::STAGE, &[&keys.owner, &keys.state]).arg(self.plan.old);
        let mut bytes = 0;
        for stored in &self.plan.segments[self.sent..] {
            if bytes > 0 && bytes + stored.bytes.len() > STAGE_BYTES {
                break;
            }
            bytes += stored.bytes.len();
            call = call.arg(field(number_of(stored), self.plan.new)).bytes(&stored.bytes);
            self.sent += 1;
        }
        self.in_flight += 1;
        Some(call)
    }

    pub fn answered(&mut self) {
        self.in_flight -= 1;
    }

    pub fn is_done(&self) -> bool {
        self.in_flight == 0 && self.sent == self.plan.segments.len()
    }

    /// The plan, to be committed or staged again.
    pub fn into_plan(self) -> Plan {
        self.plan
    }
}

impl CheckpointPhase {
    /// What was under way on a connection that broke is sent again.
    pub fn send_again(self) -> Self {
        match self {
            CheckpointPhase::Staging(Staging { plan, .. }) | CheckpointPhase::Committing(plan) => {
                // An earlier copy of the data may have come back under the same
                // version, without what was staged.
                CheckpointPhase::Staging(Staging::new(plan))
            }
            CheckpointPhase::Idle
            | CheckpointPhase::Snapshot(..)
            | CheckpointPhase::Sweeping(_) => self,
        }
    }

    /// What was being staged when the connection broke begins again; whether
    /// there was something.
    pub fn stage_again(&mut self) -> bool {
        match self {
            CheckpointPhase::Staging(staging) if staging.sent > 0 => {
                (staging.sent, staging.in_flight) = (0, 0);
                true
            }
            CheckpointPhase::Idle
            | CheckpointPhase::Snapshot(..)
            | CheckpointPhase::Staging(_)
            | CheckpointPhase::Committing(_)
            | CheckpointPhase::Sweeping(_) => false,
        }
    }

    /// Whether there is one that is not safe yet.
    pub fn is_unsafe(&self) -> bool {
        match self {
            CheckpointPhase::Snapshot(..)
            | CheckpointPhase::Staging(_)
            | CheckpointPhase::Committing(_) => true,
            CheckpointPhase::Idle | CheckpointPhase::Sweeping(_) => false,
        }
    }

    /// The new version of a commit that may be done.
    pub fn in_doubt(&self) -> Option<Revision> {
        match self {
            CheckpointPhase::Committing(plan) => Some(plan.new),
            CheckpointPhase::Idle
            | CheckpointPhase::Snapshot(..)
            | CheckpointPhase::Staging(_)
            | CheckpointPhase::Sweeping(_) => None,
        }
    }
}

/// A slice of the fields to delete.
pub fn sweep(fields: &VecDeque<String>, version: Revision, fence: Fence<'_>, keys: &Keys) -> Call {
    let call = fence.call(scripts::SWEEP, &[&keys.owner, &keys.state]).arg(version);
    call.args(fields.iter().take(SWEEP_FIELDS))
}

pub fn swept(fields: &mut VecDeque<String>) {
    fields.drain(..SWEEP_FIELDS.min(fields.len()));
}

pub fn number_of(stored: &StoredSegment) -> SegmentNumber {
    stored.segment.get() as SegmentNumber
}

/// Elements since the last checkpoint that call for the next one.
const ELEMENTS: u64 = 1_000_000;
/// Claimed lists that call for one: its commit unlinks them all.
const LISTS: usize = 1000;
/// Checkpoints take at most one part in this many of the time, and of the bytes
/// written.
const SHARE: u32 = 10;
/// A checkpoint that writes no more than this may come each interval.
const FEW_BYTES: u64 = 64 * 1024;
/// The interval is stretched at most this many times for their bytes.
const MOST_STRETCH: u32 = 12;

/// When the next checkpoint is due.
#[derive(Debug)]
pub struct CheckpointPace {
    interval: Duration,
    last: Instant,
    /// How long the last one took, and what it wrote.
    took: Duration,
    wrote: u64,
}

impl CheckpointPace {
    /// The first one is due after the interval.
    pub fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, last: now, took: Duration::ZERO, wrote: 0 }
    }

    /// One was begun at that time and is done.
    pub fn done(&mut self, begun: Instant, now: Instant, wrote: u64) {
        self.last = begun;
        self.took = now - begun;
        self.wrote = wrote;
    }

    /// When one is due for its interval alone, where `read` bytes of elements
    /// came in since the last.
    pub fn due_at(&self, read: u64) -> Instant {
        let by_time = self.interval.max(self.took * SHARE);
        let share = self.wrote.saturating_mul(SHARE.into());
        let too_many_bytes = self.wrote > FEW_BYTES && share > read;
        let stretch = if too_many_bytes { self.interval * MOST_STRETCH } else { Duration::ZERO };
        self.last + by_time.max(stretch)
    }

    /// Whether the backlog since the last checkpoint calls for one at once.
    pub fn is_due_for_size(&self, uncovered: u64, open_lists: usize, now: Instant) -> bool {
        let rested = now >= self.last + self.took * 2;
        rested && (uncovered >= ELEMENTS || open_lists >= LISTS)
    }
}
