//! What a checkpoint has to know of what happens to the series: which segments
//! have changed since the last one, and which series the one under way has yet
//! to write as they were when it began.
//!
//! Nothing is noted where nobody asks: then a sample costs one comparison more.

use super::sets::SegmentSet;
use super::snapshot::SnapshotJob;
use crate::series::Slot;
use crate::sharding::Segment;

/// Changed segments, and the snapshot under way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// `None` where nobody asks for changed segments alone.
    pub marks: Option<Marks>,
    pub snapshot: Option<Box<SnapshotJob>>,
}

/// The segments that have changed since a snapshot was committed.
#[derive(Debug, Default)]
pub(super) struct Marks {
    changed: SegmentSet,
    /// Those that are in a snapshot, with its number, until it is committed: if
    /// it never is, the next one has to have them too.
    uncommitted: Option<(u64, SegmentSet)>,
}

impl Changes {
    /// Notes that a segment changes.
    #[inline]
    pub fn mark(&mut self, segment: Segment) {
        if let Some(marks) = &mut self.marks {
            marks.changed.insert(segment);
        }
    }

    /// Notes that there is something in a slot that was free: it is not part of
    /// what the snapshot under way has to write.
    #[inline]
    pub fn slot_filled(&mut self, slot: Slot) {
        if let Some(job) = &mut self.snapshot {
            job.skip(slot);
        }
    }
}

impl Marks {
    pub fn mark_all(&mut self, segments: &SegmentSet) {
        self.changed.add(segments);
    }

    /// The segments that a snapshot with this number has to have.
    pub fn take(&mut self, number: u64) -> SegmentSet {
        let mut taken = std::mem::take(&mut self.changed);
        if let Some((_, abandoned)) = self.uncommitted.take() {
            taken.add(&abandoned);
        }
        self.uncommitted = Some((number, taken.clone()));
        taken
    }

    /// The snapshot with this number is stored.
    pub fn committed(&mut self, number: u64) {
        self.uncommitted.take_if(|(uncommitted, _)| *uncommitted == number);
    }
}
