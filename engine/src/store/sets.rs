//! Sets of segments, and of numbers such as those of slots, as bits.

use crate::sharding::{SEGMENTS, Segment};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSet(Box<[u64; (SEGMENTS / 64) as usize]>);

/// A set of numbers below a bound, such as those of slots.
#[derive(Debug, Default)]
pub(super) struct NumberSet(Vec<u64>);

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
