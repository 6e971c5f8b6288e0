//! Ticks: the time of expiry. A tick is a tenth of a second, so that the moment
//! of a series' last value takes four bytes.

use crate::timestamp::Moment;

/// Milliseconds of a tick.
const TICK_MS: u64 = 100;
/// The tick of the process' first moment: series that were stored may have
/// been idle since before it.
pub(super) const FIRST_TICK: u32 = 1 << 31;

/// A point on the monotonic clock, coarser than a [`Moment`] and half its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(pub u32);

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

    /// This number of ticks later.
    #[must_use]
    #[inline]
    pub fn after(self, ticks: u32) -> Self {
        Self(self.0.saturating_add(ticks))
    }
}

/// Ticks after which that time has passed for certain; 0 stays 0.
pub fn ticks_of(milliseconds: u64) -> u32 {
    match milliseconds {
        0 => 0,
        _ => u32::try_from(milliseconds.div_ceil(TICK_MS)).unwrap_or(u32::MAX).saturating_add(1),
    }
}

/// The milliseconds that [`ticks_of`] makes these ticks of.
pub fn milliseconds_of(ticks: u32) -> u64 {
    u64::from(ticks.saturating_sub(1)) * TICK_MS
}

#[cfg(test)]
mod tests {
    use super::*;

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
