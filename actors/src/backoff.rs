//! Backoff: how long to wait before the next try.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubling delays with full jitter in their upper half, at most two seconds.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The delay before the next try: between half and all of a bound that
    /// doubles from 100 ms to 2 s.
    pub fn delay(&mut self) -> Duration {
        let bound = (self.next * 2).min(LONGEST);
        self.next = bound;
        rand::rng().random_range(bound / 2..=bound)
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_rise_and_never_pass_two_seconds() {
        let mut backoff = Backoff::default();
        let delays: Vec<Duration> = (0..20).map(|_| backoff.delay()).collect();
        assert!(delays[0] <= Duration::from_millis(100));
        assert!(delays.iter().all(|delay| *delay <= LONGEST));
        assert!(delays[10..].iter().all(|delay| *delay >= LONGEST / 2));
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
