//! The pace: what an element costs a worker, and so whether one worker is enough.
//!
//! One Redis hands out an element in some 150 to 200 ns. A worker that needs
//! less of its processor for one keeps up with it alone, and a second worker
//! would only take processor time from Redis, from the shards, and from the
//! fleet. A worker that needs more (every payload has to be parsed, every series
//! is new) is the bottleneck itself, and is given help.
//!
//! A slow or crowded machine takes twice the time for the same. Where there is
//! a CPU to spare, the second worker can then still bring Redis' own rate; on two
//! CPUs, of which Redis may have one, it would only learn all series once more
//! on the other. So there the bounds lie between what elements cost that are
//! recognised and those that are parsed, of which the second cost four times as
//! much on a quiet machine and on a busy one.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What an element may cost, in ns of processor time.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Below it a worker is enough alone.
    is_enough: f64,
    /// Above it a worker wants help. In between all stays as it is.
    wants_help: f64,
}

/// Where the gateway and Redis can have a CPU each, and there are more.
const WITH_CPUS_TO_SPARE: Bounds = Bounds { is_enough: 200.0, wants_help: 250.0 };
/// Where there are no more.
const WITHOUT_CPUS_TO_SPARE: Bounds = Bounds { is_enough: 340.0, wants_help: 420.0 };
/// CPUs of which none is to spare.
const FEW_CPUS: usize = 2;

/// Elements over which the cost is averaged: so many that the first moments, in
/// which every series is new, do not call for help. It would have to learn the
/// same series once more.
const AVERAGED_OVER: f64 = 300_000.0;

/// What an element costs one worker.
#[derive(Debug)]
pub struct Pace {
    bounds: Bounds,
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
    /// The pace of a worker that has had no elements yet, in a process that may
    /// run on so many CPUs.
    pub fn new(cpus: usize) -> Self {
        let bounds = if cpus > FEW_CPUS { WITH_CPUS_TO_SPARE } else { WITHOUT_CPUS_TO_SPARE };
        Self { bounds, last: Duration::ZERO, in_hand: 0, cost: 0.0 }
    }

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
        if self.cost > self.bounds.wants_help {
            return Crew::WantsHelp;
        }
        if self.cost < self.bounds.is_enough { Crew::IsEnough } else { Crew::AsItIs }
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

    const FEW: usize = 2;
    const MANY: usize = 4;

    /// Pages, as how many of them, their elements, and what one of these costs.
    fn after(cpus: usize, pages: &[(u64, usize, u64)]) -> Crew {
        let mut pace = Pace::new(cpus);
        for (times, elements, nanoseconds) in pages {
            for _ in 0..*times {
                pace.note(Duration::from_nanos(nanoseconds * *elements as u64), *elements);
            }
        }
        pace.crew()
    }

    #[test]
    fn a_worker_wants_help_when_elements_cost_much() {
        for cpus in [FEW, MANY] {
            assert_eq!(after(cpus, &[]), Crew::IsEnough);
            assert_eq!(after(cpus, &[(1000, 1000, 130)]), Crew::IsEnough);
            assert_eq!(after(cpus, &[(1000, 1000, 800)]), Crew::WantsHelp);
        }
        assert_eq!(after(MANY, &[(1000, 1000, 225)]), Crew::AsItIs);
        assert_eq!(after(FEW, &[(1000, 1000, 380)]), Crew::AsItIs);
    }

    #[test]
    fn a_slow_machine_is_no_reason_for_help_that_has_no_cpu() {
        assert_eq!(after(MANY, &[(1000, 1000, 290)]), Crew::WantsHelp);
        assert_eq!(after(FEW, &[(1000, 1000, 290)]), Crew::IsEnough);
    }

    #[test]
    fn a_short_time_at_the_start_says_little() {
        for (cpus, soon) in [(MANY, 200), (FEW, 300)] {
            assert_eq!(after(cpus, &[(70, 1000, 800)]), Crew::IsEnough);
            assert_eq!(after(cpus, &[(soon, 1000, 800)]), Crew::WantsHelp);
            assert_eq!(after(cpus, &[(soon, 1000, 800), (1000, 1000, 130)]), Crew::IsEnough);
        }
    }

    #[test]
    fn pages_without_elements_say_nothing() {
        assert_eq!(after(MANY, &[(1000, 1000, 800), (1000, 0, 0)]), Crew::WantsHelp);
    }

    #[test]
    fn a_thread_has_used_some_time() {
        let mut pace = Pace::new(MANY);
        pace.came();
        pace.went_with(1);
        assert!(!pace.last.is_zero());
        let before = pace.last;
        while thread_time() < before + Duration::from_millis(1) {}
        pace.came();
        assert!(pace.cost > 0.0);
    }
}
