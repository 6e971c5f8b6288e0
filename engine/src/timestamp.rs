//! What a sample may say of time: when it was measured, and how long its
//! series may stay idle.

use std::fmt;

/// A point on the monotonic clock: milliseconds since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

/// Timestamps above this are in milliseconds; as seconds it is the year 5138.
const LARGEST_IN_SECONDS: f64 = 1e11;
const MICROS_PER_SECOND: f64 = 1e6;
/// Timestamps further ahead of the clock than this are refused: as in Prometheus,
/// more than two clocks differ by, and less than a time zone.
const MOST_AHEAD: i64 = 600 * 1_000_000;
/// Clocks that are kept in time do not differ by more.
const AHEAD: i64 = 300 * 1_000_000;

/// A point in Unix time, in microseconds; before and after some 1,100 years
/// from 1970 it stands still, so that seven bytes hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(i64);

/// A [`UnixTime`] in seven bytes: beside a number it takes no more room than an
/// enum's tag takes anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackedTime([u8; 7]);

/// When a sample was taken from the queue, and when it says it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleTime {
    /// By the gateway's clock.
    pub taken_at: UnixTime,
    /// By the producer's, where it says so.
    pub timestamp: Option<UnixTime>,
}

/// How long a series may stay idle, as its sample says: whole seconds, where 0
/// is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ttl(u32);

impl UnixTime {
    /// The earliest.
    pub const MIN: UnixTime = UnixTime(-(1 << 55));
    const MAX: UnixTime = UnixTime((1 << 55) - 1);

    /// This many microseconds after the beginning of 1970.
    #[inline]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// The time that a sample means by `number`: seconds, or milliseconds where
    /// that many seconds could not be meant.
    pub fn from_sample(number: f64) -> Self {
        let seconds = if number > LARGEST_IN_SECONDS { number / 1000.0 } else { number };
        // Beyond what an i64 holds the conversion saturates.
        Self::from_micros((seconds * MICROS_PER_SECOND).round() as i64)
    }

    /// Microseconds since the beginning of 1970.
    #[inline]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since the beginning of 1970.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / MICROS_PER_SECOND
    }

    /// Whether it is so far ahead of `now` that one of two clocks is wrong.
    #[inline]
    pub fn is_ahead_of(self, now: UnixTime) -> bool {
        self.0 > now.0 + AHEAD
    }

    /// Whether it is further ahead of `now` than two clocks may differ.
    #[inline]
    pub fn is_too_far_ahead_of(self, now: UnixTime) -> bool {
        self.0 > now.0 + MOST_AHEAD
    }
}

impl fmt::Display for UnixTime {
    /// As Unix seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds())
    }
}

impl From<UnixTime> for PackedTime {
    #[inline]
    fn from(time: UnixTime) -> Self {
        let [low @ .., _sign] = time.0.to_le_bytes();
        Self(low)
    }
}

impl From<PackedTime> for UnixTime {
    #[inline]
    fn from(PackedTime([a, b, c, d, e, f, g]): PackedTime) -> Self {
        // Shifted down from the top, so that the sign comes along.
        Self(i64::from_le_bytes([0, a, b, c, d, e, f, g]) >> 8)
    }
}

impl SampleTime {
    /// That of a sample that was taken then, and does not say when it was measured.
    pub const fn taken(taken_at: UnixTime) -> Self {
        Self { taken_at, timestamp: None }
    }
}

impl Ttl {
    /// The series never expires for being idle.
    pub const NEVER: Ttl = Ttl(0);

    /// The ttl that a sample means by a number of seconds of at least 0: what
    /// is not whole is rounded up, so that only 0 is for ever.
    pub fn from_sample(seconds: f64) -> Self {
        Self(seconds.ceil() as u32)
    }

    /// In seconds; `None` where it is for ever.
    pub fn seconds(self) -> Option<u32> {
        (self != Self::NEVER).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_numbers_mean() {
        for (number, micros) in [
            (0.0, 0),
            (1_700_000_000.0, 1_700_000_000_000_000),
            (1_700_000_000.123456, 1_700_000_000_123_456),
            (1_700_000_000_123.0, 1_700_000_000_123_000),
            (1e11, UnixTime::MAX.0),
            (1e11 + 1.0, 100_000_000_001_000),
            (-1.5, -1_500_000),
            (f64::INFINITY, UnixTime::MAX.0),
            (-1e300, UnixTime::MIN.0),
        ] {
            assert_eq!(UnixTime::from_sample(number).micros(), micros, "{number}");
        }
        for (number, seconds) in
            [(0.0, None), (0.001, Some(1)), (1.0, Some(1)), (1.5, Some(2)), (1e99, Some(u32::MAX))]
        {
            assert_eq!(Ttl::from_sample(number).seconds(), seconds, "{number}");
        }
    }

    #[test]
    fn seven_bytes_hold_every_time() {
        let times = [0, 1, -1, 1_700_000_000_123_456, -98_765_432_100, i64::MIN, i64::MAX];
        for time in times.map(UnixTime::from_micros) {
            assert_eq!(UnixTime::from(PackedTime::from(time)), time);
        }
    }

    #[test]
    fn ten_minutes_ahead_is_the_bound() {
        let now = UnixTime::from_micros(5);
        assert!(!UnixTime::from_micros(300_000_005).is_ahead_of(now));
        assert!(UnixTime::from_micros(300_000_006).is_ahead_of(now));
        assert!(!UnixTime::from_micros(600_000_005).is_too_far_ahead_of(now));
        assert!(UnixTime::from_micros(600_000_006).is_too_far_ahead_of(now));
    }
}
