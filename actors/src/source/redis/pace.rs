//! The pace: what an element costs a worker, and so whether one worker is enough.
//!
//! One Redis hands out an element in some 150 to 200 ns. A worker that needs
//! less of its processor for one keeps up with it alone, and a second worker
//! would only take processor time from Redis, from the shards, and from the
//! fleet. A worker that needs more (every payload has to be parsed, every series
//! is new) is the bottleneck itself, and is given help.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time for an element above which a worker wants help, in ns.
const WANTS_HELP: f64 = 250.0;
/// And below which it is enough alone. In between all stays as it is.
const IS_ENOUGH: f64 = 200.0;
/// Elements over which the cost is averaged: so many that the first moments, in
/// which every series is new, do not call for help. It would have to learn the
/// same series once more.
const AVERAGED_OVER: f64 = 300_000.0;

/// What an element costs one worker.
#[derive(Debug, Default)]
pub struct Pace {
    /// Processor time of the worker's thread when it last came for elements.
    last: Duration,
    /// Elements that it went away with then.
    in_hand: usize,
    /// ns per element; 0 before anything is known.
    cost: f64,
}

/// Whether a worker is enough for a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crew {
    /// There is work for another worker.
    WantsHelp,
    /// As many as there are.
    AsItIs,
    /// One worker is enough.
    IsEnough,
}

impl Pace {
    /// The worker comes back for more elements.
    pub fn came(&mut self) {
        let now = thread_time();
        let spent = now.saturating_sub(std::mem::replace(&mut self.last, now));
        let elements = std::mem::take(&mut self.in_hand);
        self.note(spent, elements);
    }

    /// The worker goes away with so many elements.
    pub fn went_with(&mut self, elements: usize) {
        self.in_hand = elements;
    }

    /// Whether it is enough for a backlog.
    pub fn crew(&self) -> Crew {
        if self.cost > WANTS_HELP {
            return Crew::WantsHelp;
        }
        if self.cost < IS_ENOUGH { Crew::IsEnough } else { Crew::AsItIs }
    }

    fn note(&mut self, spent: Duration, elements: usize) {
        if elements == 0 {
            return;
        }
        let elements = elements as f64;
        let cost = spent.as_nanos() as f64 / elements;
        let weight = (elements / AVERAGED_OVER).min(1.0);
        self.cost += (cost - self.cost) * weight;
    }
}

/// Processor time that the calling thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pages: &[(u64, usize, u64)]) -> Crew {
        let mut pace = Pace::default();
        for (times, elements, nanoseconds) in pages {
            for _ in 0..*times {
                pace.note(Duration::from_nanos(nanoseconds * *elements as u64), *elements);
            }
        }
        pace.crew()
    }

    #[test]
    fn a_worker_wants_help_when_elements_cost_much() {
        assert_eq!(after(&[]), Crew::IsEnough);
        assert_eq!(after(&[(1000, 1000, 130)]), Crew::IsEnough);
        assert_eq!(after(&[(1000, 1000, 225)]), Crew::AsItIs);
        assert_eq!(after(&[(1000, 1000, 800)]), Crew::WantsHelp);
    }

    #[test]
    fn a_short_time_at_the_start_says_little() {
        assert_eq!(after(&[(70, 1000, 800)]), Crew::IsEnough);
        assert_eq!(after(&[(200, 1000, 800)]), Crew::WantsHelp);
        assert_eq!(after(&[(200, 1000, 800), (1000, 1000, 130)]), Crew::IsEnough);
    }

    #[test]
    fn pages_without_elements_say_nothing() {
        assert_eq!(after(&[(1000, 1000, 800), (1000, 0, 0)]), Crew::WantsHelp);
    }

    #[test]
    fn a_thread_has_used_some_time() {
        let mut pace = Pace::default();
        pace.came();
        pace.went_with(1);
        assert!(!pace.last.is_zero());
        let before = pace.last;
        while thread_time() < before + Duration::from_millis(1) {}
        pace.came();
        assert!(pace.cost > 0.0);
    }
}
