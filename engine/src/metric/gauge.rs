//! A gauge: the sample that was measured last, and when that was; and what else a
//! sample may do to one. Before its first sample it is no number, which no sample is.

use super::Unapplied;
use crate::timestamp::{PackedTime, SampleTime, UnixTime};

/// What a sample does to a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum GaugeOp {
    /// Replaces the value, unless a later one is there.
    #[default]
    Set,
    /// Adds to the value, or to 0 where there is none.
    Add,
    /// Replaces the value where there is none, or a lower one.
    Max,
    /// Replaces the value where there is none, or a higher one.
    Min,
}

impl GaugeOp {
    /// Every operation.
    pub const ALL: [GaugeOp; 4] = [GaugeOp::Set, GaugeOp::Add, GaugeOp::Max, GaugeOp::Min];

    /// Its word in payloads.
    pub const fn as_str(self) -> &'static str {
        match self {
            GaugeOp::Set => "set",
            GaugeOp::Add => "add",
            GaugeOp::Max => "max",
            GaugeOp::Min => "min",
        }
    }

    /// The operation with this word, in lower case.
    pub fn from_word(word: &str) -> Option<Self> {
        GaugeOp::ALL.into_iter().find(|op| op.as_str() == word)
    }
}

/// Puts `sample` in the place of `last`, measured at `at`, unless it was
/// measured before; of two at the same time the one taken later stays.
///
/// A time further ahead than a sample could have been accepted with says that
/// the clock was set back since, and counts for nothing.
#[inline]
pub fn set(
    last: &mut f64,
    at: &mut PackedTime,
    sample: f64,
    time: SampleTime,
) -> Result<(), Unapplied> {
    let (known, new) = (UnixTime::from(*at), time.timestamp.unwrap_or(time.taken_at));
    if new < known && !known.is_too_far_ahead_of(time.taken_at) {
        return Err(Unapplied::Stale);
    }
    (*last, *at) = (sample, new.into());
    Ok(())
}

/// What a value comes to with a sample that adds to it.
#[inline]
pub fn added(value: f64, sample: f64) -> Result<f64, Unapplied> {
    let total = if value.is_nan() { sample } else { value + sample };
    if total.is_finite() { Ok(total) } else { Err(Unapplied::NonFinite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn words_of_operations_lead_back() {
        for op in GaugeOp::ALL {
            assert_eq!(GaugeOp::from_word(op.as_str()), Some(op));
        }
        for other in ["", "Set", "ADD", "sub", "add "] {
            assert_eq!(GaugeOp::from_word(other), None, "{other:?}");
        }
    }

    /// The last value after samples `(value, taken at, timestamp)`.
    fn check(samples: &[(f64, i64, Option<i64>)], expected: f64) {
        let (mut last, mut at) = (0.0, UnixTime::MIN.into());
        for (sample, taken_at, timestamp) in samples {
            let time = SampleTime {
                taken_at: UnixTime::from_micros(*taken_at),
                timestamp: timestamp.map(UnixTime::from_micros),
            };
            let known = last;
            let taken = set(&mut last, &mut at, *sample, time);
            assert_eq!(last, if taken.is_ok() { *sample } else { known });
        }
        assert_eq!(last, expected, "{samples:?}");
    }

    #[test]
    fn the_greatest_timestamp_stays() {
        check(&[(1.0, 100, Some(50)), (2.0, 101, Some(40))], 1.0);
        check(&[(1.0, 100, Some(50)), (2.0, 101, Some(50))], 2.0);
        check(&[(1.0, 100, Some(50)), (2.0, 101, None)], 2.0);
        check(&[(1.0, 100, None), (2.0, 101, Some(99))], 1.0);
        check(&[(1.0, 100, Some(150)), (2.0, 120, None)], 1.0);
        check(&[(1.0, 100, Some(150)), (2.0, 151, None)], 2.0);
        check(&[(1.0, -7, Some(-1_000_000_000))], 1.0);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hold_a_gauge() {
        check(&[(1.0, 9 * HOUR, None), (2.0, HOUR, None)], 2.0);
        check(&[(1.0, 9 * HOUR, Some(9 * HOUR)), (2.0, HOUR, Some(5))], 2.0);
    }
}
