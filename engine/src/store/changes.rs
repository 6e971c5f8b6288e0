//! What a checkpoint has to know of what happens to the series: which segments
//! have changed since the last one, and which series the one under way has yet
//! to write as they were when it began.
//!
//! Nothing is noted where nobody asks: then a sample costs one comparison more.

use super::snapshot::SnapshotJob;
use crate::series::Slot;
use crate::sharding::{SEGMENTS, Segment};

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

/// A set of segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSet(Box<[u64; (SEGMENTS / 64) as usize]>);

/// A set of numbers below a bound, such as those of slots.
#[derive(Debug, Default)]
pub(super) struct NumberSet(Vec<u64>);

impl Changes {
    /// Notes that a segment changes.
    #[inline]
    pub fn mark(&mut self, segment: Segment) {
        if let Some(marks) = &mut self.marks {
            marks.mark(segment);
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
    #[inline]
    pub fn mark(&mut self, segment: Segment) {
        self.changed.insert(segment);
    }

    /// Marks all of a set.
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

impl SegmentSet {
    #[inline]
    pub fn insert(&mut self, segment: Segment) {
        self.0[segment.get() / 64] |= 1 << (segment.get() % 64);
    }

    #[inline]
    pub fn contains(&self, segment: Segment) -> bool {
        self.0[segment.get() / 64] & (1 << (segment.get() % 64)) != 0
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, more)| *word |= more);
    }
}

impl Default for SegmentSet {
    fn default() -> Self {
        Self(Box::new([0; (SEGMENTS / 64) as usize]))
    }
}

impl FromIterator<Segment> for SegmentSet {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        let mut set = Self::default();
        segments.into_iter().for_each(|segment| set.insert(segment));
        set
    }
}

impl NumberSet {
    /// An empty set of numbers below `bound`.
    pub fn below(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(64)])
    }

    #[inline]
    pub fn insert(&mut self, number: u32) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        self.0[number as usize / 64] & (1 << (number % 64)) != 0
    }
}
