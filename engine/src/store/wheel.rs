//! The wheel: which series to look at, and when.
//!
//! A touched series stays where it is in the wheel: only when its turn comes
//! is its deadline worked out from its last value, and it is put back where it
//! has time left. So a sample costs nothing here, and each look either ends in
//! an expiry, or follows a sample, or brings a far deadline eight times nearer.

use std::collections::BTreeMap;

use crate::series::Slot;
use crate::timestamp::Moment;

/// Milliseconds of a tick, the unit in which idle times are told.
const TICK_MS: u64 = 100;
/// The tick of the process' first moment: series that were stored may have
/// been idle since before it.
const FIRST_TICK: u32 = 1 << 31;
/// Into how many buckets the time up to twice a distance is cut.
const BUCKETS_BITS: u32 = 3;

/// A point on the monotonic clock, coarser than a [`Moment`] and half its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u32);

/// Which of a slot's entries counts: that of the bucket with this mark. Marks
/// of different buckets may be equal. Then an entry that should have been
/// passed over is taken for the one that counts, and takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(u8);

/// Slots in buckets, by when to look at them.
#[derive(Debug, Default)]
pub struct Wheel {
    buckets: BTreeMap<Tick, Vec<Slot>>,
    entries: usize,
}

impl Tick {
    /// Later than any other.
    pub const MAX: Tick = Tick(u32::MAX);

    /// The tick that `now` is in.
    #[inline]
    pub fn at(now: Moment) -> Self {
        Self((now.0 / TICK_MS) as u32).after(FIRST_TICK)
    }

    /// The first moment of this tick.
    pub fn moment(self) -> Moment {
        Moment(u64::from(self.0.saturating_sub(FIRST_TICK)) * TICK_MS)
    }

    /// The tick of a time in milliseconds, which may be before the process'
    /// first moment.
    pub fn of_milliseconds(milliseconds: i128) -> Self {
        let tick = i128::from(FIRST_TICK) + milliseconds.div_euclid(i128::from(TICK_MS));
        Self(u32::try_from(tick.max(0)).unwrap_or(u32::MAX))
    }

    /// For how many milliseconds it has passed at `now`.
    pub fn age_ms(self, now: Moment) -> u64 {
        u64::from(Self::at(now).0.saturating_sub(self.0)) * TICK_MS
    }

    /// So many ticks later.
    #[must_use]
    #[inline]
    pub fn after(self, ticks: u32) -> Self {
        Self(self.0.saturating_add(ticks))
    }
}

/// Ticks after which so many milliseconds have passed for certain; 0 stays 0.
pub fn ticks_of(milliseconds: u64) -> u32 {
    match milliseconds {
        0 => 0,
        _ => u32::try_from(milliseconds.div_ceil(TICK_MS)).unwrap_or(u32::MAX).saturating_add(1),
    }
}

/// Milliseconds of which [`ticks_of`] makes so many ticks.
pub fn milliseconds_of(ticks: u32) -> u64 {
    u64::from(ticks.saturating_sub(1)) * TICK_MS
}

impl Wheel {
    /// Puts a slot into the bucket of its deadline, or one before if that is
    /// far, and returns which.
    pub fn insert(&mut self, slot: Slot, deadline: Tick, now: Tick) -> Tick {
        let distance = deadline.0.saturating_sub(now.0).max(1);
        let width = 1 << distance.ilog2().saturating_sub(BUCKETS_BITS);
        let bucket = Tick(now.0.max(deadline.0 & !(width - 1)));
        self.buckets.entry(bucket).or_default().push(slot);
        self.entries += 1;
        bucket
    }

    /// The next slot whose turn has come, and the mark of its entry.
    pub fn pop(&mut self, now: Tick) -> Option<(Slot, Mark)> {
        loop {
            let mut bucket = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now)?;
            let mark = Mark::of(*bucket.key());
            match bucket.get_mut().pop() {
                Some(slot) => {
                    self.entries -= 1;
                    return Some((slot, mark));
                }
                None => drop(bucket.remove()),
            }
        }
    }

    /// How many entries there are, also those that count no more.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// When there is something to look at.
    pub fn next(&self) -> Option<Tick> {
        self.buckets.first_key_value().map(|(bucket, _)| *bucket)
    }
}

impl Mark {
    /// The mark of a bucket's entries.
    pub fn of(bucket: Tick) -> Self {
        Self((bucket.0.wrapping_mul(0x9e37_79b1) >> 24) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_missed_and_seldom_looked_for() {
        for distance in [1, 2, 7, 8, 9, 100, 12_345, 864_000, 315_360_000] {
            for start in [FIRST_TICK, FIRST_TICK + 3, FIRST_TICK + 99_999] {
                let deadline = Tick(start + distance);
                let mut wheel = Wheel::default();
                wheel.insert(Slot(1), deadline, Tick(start));
                let mut looks = 0;
                while let Some(turn) = wheel.next() {
                    assert!(turn <= deadline && turn.0 > start);
                    assert_eq!(wheel.pop(Tick(turn.0 - 1)), None);
                    assert_eq!(wheel.pop(turn), Some((Slot(1), Mark::of(turn))));
                    looks += 1;
                    if turn < deadline {
                        wheel.insert(Slot(1), deadline, turn);
                    }
                    assert_eq!(wheel.pop(turn), None);
                }
                assert!(looks <= 12, "{looks} for {distance}");
            }
        }
    }

    #[test]
    fn far_deadlines_share_few_buckets() {
        let mut wheel = Wheel::default();
        for number in 0..100_000 {
            wheel.insert(Slot(number), Tick(FIRST_TICK + 1 + number * 8), Tick(FIRST_TICK));
        }
        assert!(wheel.buckets.len() < 200, "{}", wheel.buckets.len());
    }

    #[test]
    fn no_time_to_live_ends_early() {
        for (milliseconds, touched) in [(1000, 99), (1, 99), (100, 0), (250, 150)] {
            let deadline = Tick::at(Moment(touched)).after(ticks_of(milliseconds));
            let late = deadline.moment().0 - touched - milliseconds;
            assert!(late <= 2 * TICK_MS, "{late}");
        }
        assert_eq!(ticks_of(0), 0);
        assert_eq!(ticks_of(u64::MAX), u32::MAX);
        for ticks in [0, 2, 3, 12_345, u32::MAX] {
            assert_eq!(ticks_of(milliseconds_of(ticks)), ticks);
        }
    }
}
