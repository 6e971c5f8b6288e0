//! The pacer: when the next samples are due. It holds no clock; times are since
//! the start of the run.

use std::time::Duration;

/// How far a run may fall behind and still catch up. What is missed beyond is
/// not made up, so that a stall is not followed by a burst.
const MAX_LAG: Duration = Duration::from_millis(100);

/// The fewest pushes per second into which a rate is divided, as far as whole
/// samples allow: a low rate comes in small batches, not in rare large ones.
const MIN_PUSHES_PER_SECOND: u64 = 20;

/// The most batches that are sent in one round trip.
const MAX_BATCHES: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacerTurn {
    /// Push this many batches.
    Push(u32),
    WaitUntil(Duration),
    Over,
}

/// Spreads batches evenly over time.
#[derive(Debug)]
pub struct Pacer {
    /// Samples per second; 0 where there is no rate to keep.
    rate: u64,
    batch: u32,
    /// When the schedule began, or began again after a stall.
    origin: Duration,
    /// Batches since then.
    batches: u64,
    end: Option<Duration>,
}

impl Pacer {
    /// A pacer of `rate` samples per second (0 = as fast as possible) in
    /// batches of at most `batch` samples, until `end`.
    pub fn new(rate: u64, batch: u32, end: Option<Duration>) -> Self {
        let even = match rate {
            0 => u32::MAX,
            _ => u32::try_from((rate / MIN_PUSHES_PER_SECOND).max(1)).unwrap_or(u32::MAX),
        };
        Pacer { rate, batch: batch.min(even), origin: Duration::ZERO, batches: 0, end }
    }

    /// Samples per batch.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// What is due at `now`. What it says to push counts as pushed.
    pub fn turn(&mut self, now: Duration) -> PacerTurn {
        let earliest = if self.rate == 0 { now } else { now.saturating_sub(MAX_LAG) };
        if self.next_due() < earliest {
            (self.origin, self.batches) = (earliest, 0);
        }
        if !self.is_before_end(self.next_due()) {
            return PacerTurn::Over;
        }
        if self.next_due() > now {
            return PacerTurn::WaitUntil(self.next_due());
        }
        PacerTurn::Push(self.take_due(now))
    }

    fn take_due(&mut self, now: Duration) -> u32 {
        if self.rate == 0 {
            return MAX_BATCHES;
        }
        let mut taken = 0;
        while taken < MAX_BATCHES && self.next_due() <= now && self.is_before_end(self.next_due()) {
            self.batches += 1;
            taken += 1;
        }
        taken
    }

    fn next_due(&self) -> Duration {
        let samples = u128::from(self.batches) * u128::from(self.batch);
        let nanos = (samples * 1_000_000_000).checked_div(self.rate.into()).unwrap_or(0);
        self.origin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn is_before_end(&self, due: Duration) -> bool {
        self.end.is_none_or(|end| due < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Samples pushed by a run whose every push takes `push`, with their times.
    fn run(rate: u64, batch: u32, length: Duration, push: Duration) -> Vec<(Duration, u64)> {
        let mut pacer = Pacer::new(rate, batch, Some(length));
        let (mut now, mut pushed) = (Duration::ZERO, Vec::new());
        loop {
            match pacer.turn(now) {
                PacerTurn::Push(batches) => {
                    pushed.push((now, u64::from(batches) * u64::from(pacer.batch())));
                    now += push;
                }
                PacerTurn::WaitUntil(then) => {
                    assert!(then > now);
                    now = then;
                }
                PacerTurn::Over => return pushed,
            }
        }
    }

    fn total(pushed: &[(Duration, u64)]) -> u64 {
        pushed.iter().map(|(_, samples)| samples).sum()
    }

    #[test]
    fn batches_are_small_at_low_rates() {
        let check = |rate, batch, expected| {
            assert_eq!(Pacer::new(rate, batch, None).batch(), expected, "{rate}/s");
        };
        check(0, 20, 20);
        check(1, 20, 1);
        check(100, 20, 5);
        check(1000, 20, 20);
        check(1_000_000, 20, 20);
    }

    #[test]
    fn a_stall_is_caught_up_for_a_tenth_of_a_second_only() {
        let mut pacer = Pacer::new(1000, 20, None);
        assert_eq!(pacer.turn(Duration::ZERO), PacerTurn::Push(1));
        assert_eq!(pacer.turn(seconds(60.0)), PacerTurn::Push(6));
        assert_eq!(pacer.turn(seconds(60.0)), PacerTurn::WaitUntil(seconds(60.02)));
    }

    #[test]
    fn without_a_rate_every_turn_is_full_until_the_end() {
        let mut pacer = Pacer::new(0, 20, Some(seconds(1.0)));
        assert_eq!(pacer.turn(Duration::ZERO), PacerTurn::Push(MAX_BATCHES));
        assert_eq!(pacer.turn(seconds(0.9)), PacerTurn::Push(MAX_BATCHES));
        assert_eq!(pacer.turn(seconds(1.0)), PacerTurn::Over);
    }

    #[test]
    fn a_run_that_stalls_past_its_end_is_over() {
        let mut pacer = Pacer::new(1000, 20, Some(seconds(1.0)));
        assert_eq!(pacer.turn(seconds(1.2)), PacerTurn::Over);
    }

    proptest! {
        #[test]
        fn the_rate_is_met_without_bursts(rate in 1u64..50_000, batch in 1u32..200) {
            let pushed = run(rate, batch, seconds(2.0), Duration::from_micros(10));
            // The last batch may begin within the time and reach beyond it.
            let pushed_in_all = total(&pushed);
            prop_assert!((rate * 2..=rate * 2 + u64::from(batch)).contains(&pushed_in_all));
            for start in (0..15).map(|tenth| seconds(f64::from(tenth) / 10.0)) {
                let within: u64 = pushed
                    .iter()
                    .filter(|(at, _)| (start..start + seconds(0.5)).contains(at))
                    .map(|(_, samples)| samples)
                    .sum();
                prop_assert!(within <= rate / 2 + u64::from(batch) + 1, "{within} from {start:?}");
            }
        }

        #[test]
        fn a_slow_redis_lowers_the_rate(rate in 100_000u64..1_000_000) {
            let pushed = run(rate, 20, seconds(2.0), Duration::from_millis(10));
            let most = 100 * u64::from(MAX_BATCHES) * 20;
            prop_assert!(total(&pushed) <= 2 * most + most / 5);
        }
    }
}
