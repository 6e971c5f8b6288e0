//! The expiry queue: which series to look at, and when.
//!
//! A sample does not move its series in the queue: only when the turn of the
//! series comes is its deadline worked out from its last value, and it is put
//! back where it has time left. So a sample costs nothing here, and each look
//! either ends in an expiry, or follows a sample, or brings a far deadline eight
//! times nearer.

use std::collections::BTreeMap;

use super::tick::Tick;
use crate::series::Slot;

/// Into how many buckets, as bits, the time up to twice a distance is cut.
const BUCKETS_BITS: u32 = 3;

/// Slots in buckets, by when to look at them.
#[derive(Debug, Default)]
pub struct ExpiryQueue {
    buckets: BTreeMap<Tick, Vec<Slot>>,
    entries: usize,
}

/// The number of a bucket, truncated: a slot may have several entries, of which
/// the one in the bucket with the series' tag counts. Two buckets with the same
/// tag are harmless: a stale entry then acts as the live one, and either expires
/// a series whose time is over or puts it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BucketTag(u8);

impl ExpiryQueue {
    /// Puts a slot into the bucket of its deadline, or into an earlier one where
    /// the deadline is far, and returns which.
    pub fn insert(&mut self, slot: Slot, deadline: Tick, now: Tick) -> Tick {
        let distance = deadline.0.saturating_sub(now.0).max(1);
        let width = 1 << distance.ilog2().saturating_sub(BUCKETS_BITS);
        let bucket = Tick(now.0.max(deadline.0 & !(width - 1)));
        self.buckets.entry(bucket).or_default().push(slot);
        self.entries += 1;
        bucket
    }

    /// The next slot whose turn has come, and the tag of its bucket.
    pub fn pop(&mut self, now: Tick) -> Option<(Slot, BucketTag)> {
        loop {
            let mut bucket = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now)?;
            let tag = BucketTag::of(*bucket.key());
            match bucket.get_mut().pop() {
                Some(slot) => {
                    self.entries -= 1;
                    return Some((slot, tag));
                }
                None => drop(bucket.remove()),
            }
        }
    }

    /// How many entries there are, stale ones included.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// When there is something to look at.
    pub fn next(&self) -> Option<Tick> {
        self.buckets.first_key_value().map(|(bucket, _)| *bucket)
    }
}

impl BucketTag {
    /// The tag of a bucket's entries.
    pub fn of(bucket: Tick) -> Self {
        // By the top bits of the product, which depend on all bits of the number.
        Self((bucket.0.wrapping_mul(0x9e37_79b1) >> 24) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tick::FIRST_TICK;

    #[test]
    fn a_deadline_is_never_missed_and_seldom_looked_for() {
        for distance in [1, 2, 7, 8, 9, 100, 12_345, 864_000, 315_360_000] {
            for start in [FIRST_TICK, FIRST_TICK + 3, FIRST_TICK + 99_999] {
                let deadline = Tick(start + distance);
                let mut queue = ExpiryQueue::default();
                queue.insert(Slot(1), deadline, Tick(start));
                let mut looks = 0;
                while let Some(turn) = queue.next() {
                    assert!(turn <= deadline && turn.0 > start);
                    assert_eq!(queue.pop(Tick(turn.0 - 1)), None);
                    assert_eq!(queue.pop(turn), Some((Slot(1), BucketTag::of(turn))));
                    looks += 1;
                    if turn < deadline {
                        queue.insert(Slot(1), deadline, turn);
                    }
                    assert_eq!(queue.pop(turn), None);
                }
                assert!(looks <= 12, "{looks} for {distance}");
            }
        }
    }

    #[test]
    fn far_deadlines_share_few_buckets() {
        let mut queue = ExpiryQueue::default();
        for number in 0..100_000 {
            queue.insert(Slot(number), Tick(FIRST_TICK + 1 + number * 8), Tick(FIRST_TICK));
        }
        assert!(queue.buckets.len() < 200, "{}", queue.buckets.len());
    }
}
