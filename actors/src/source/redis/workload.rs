//! The workload of a worker, and so whether one worker is enough for a backlog.
//!
//! A sample whose payload is recognised costs a worker less than Redis takes to hand
//! its element out: one worker keeps up with Redis alone, and a second one would only
//! take processor time from Redis, from the shards and from the fleet, and learn all
//! series once more. One that has to be parsed costs about four times as much: then the
//! worker is the bottleneck, and is given help. Samples of arrays count as any other:
//! Redis hands an array out for less than its samples cost, but one worker takes millions
//! of these a second, and keeps the order of what a producer sends.
//!
//! This is counted, not timed, so it does not depend on how fast a machine is and on
//! what else it does. Where Redis and the worker leave no CPU to spare, help is worth
//! it for more work only.

use std::sync::atomic::Ordering;

use crate::self_metrics::WorkerMetrics;

/// What parsing a payload costs, in recognised samples.
const PARSING: u64 = 4;

/// Work for one sample, in recognised ones.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Below it a worker is enough alone.
    down: f64,
    /// Above it a worker wants help. In between all stays as it is.
    up: f64,
}

const WITH_CPUS_TO_SPARE: Bounds = Bounds { down: 1.5, up: 2.0 };
const WITHOUT_CPUS_TO_SPARE: Bounds = Bounds { down: 2.0, up: 3.0 };
/// CPUs of which none is to spare.
const FEW_CPUS: usize = 2;

/// Samples over which the work is averaged: so many that the first moments, in
/// which every series is new, do not call for help.
const AVERAGED_OVER: f64 = 100_000.0;

/// What samples have cost one worker of late.
#[derive(Debug)]
pub struct Workload {
    bounds: Bounds,
    last: WorkCounts,
    /// For each sample; 0 before anything is known.
    work: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct WorkCounts {
    samples: u64,
    parsed: u64,
}

/// How many workers a backlog needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Up,
    Keep,
    Down,
}

impl Workload {
    /// Of a worker that has had no samples yet, in a process that may run on so
    /// many CPUs.
    pub fn new(cpus: usize) -> Self {
        let bounds = if cpus > FEW_CPUS { WITH_CPUS_TO_SPARE } else { WITHOUT_CPUS_TO_SPARE };
        Self { bounds, last: WorkCounts::default(), work: 0.0 }
    }

    /// Takes note that the elements which were handed out last have been routed.
    pub fn routed(&mut self, metrics: &WorkerMetrics) {
        self.observe(WorkCounts {
            samples: metrics.routed.load(Ordering::Relaxed),
            parsed: metrics.parsed.load(Ordering::Relaxed),
        });
    }

    /// How many workers a backlog needs.
    pub fn scale(&self) -> Scale {
        if self.work > self.bounds.up {
            Scale::Up
        } else if self.work < self.bounds.down {
            Scale::Down
        } else {
            Scale::Keep
        }
    }

    fn observe(&mut self, now: WorkCounts) {
        let last = std::mem::replace(&mut self.last, now);
        let (routed, parsed) = (now.samples - last.samples, now.parsed - last.parsed);
        // What was refused was parsed, and not routed.
        let samples = routed.max(parsed);
        if samples == 0 {
            return;
        }
        let recognised = samples - parsed;
        let work = (recognised + PARSING * parsed) as f64 / samples as f64;
        let weight = (samples as f64 / AVERAGED_OVER).min(1.0);
        self.work += (work - self.work) * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: usize = 2;
    const MANY: usize = 4;

    /// After batches: how many, the samples of each that are routed, and how many are
    /// parsed.
    fn after(cpus: usize, batches: &[(u64, u64, u64)]) -> Scale {
        let mut workload = Workload::new(cpus);
        let mut counts = WorkCounts::default();
        for (times, samples, parsed) in batches {
            for _ in 0..*times {
                counts.samples += samples;
                counts.parsed += parsed;
                workload.observe(counts);
            }
        }
        workload.scale()
    }

    #[test]
    fn recognised_samples_need_one_worker() {
        for cpus in [FEW, MANY] {
            assert_eq!(after(cpus, &[]), Scale::Down);
            assert_eq!(after(cpus, &[(1000, 1000, 0)]), Scale::Down);
            assert_eq!(after(cpus, &[(1000, 1000, 100)]), Scale::Down);
            // Arrays are no other.
            assert_eq!(after(cpus, &[(1000, 20_000, 0)]), Scale::Down);
        }
    }

    #[test]
    fn samples_that_are_parsed_need_more() {
        for cpus in [FEW, MANY] {
            assert_eq!(after(cpus, &[(1000, 1000, 1000)]), Scale::Up);
            assert_eq!(after(cpus, &[(1000, 0, 1000)]), Scale::Up, "all of them are refused");
        }
    }

    #[test]
    fn with_cpus_to_spare_help_is_worth_it_for_less() {
        assert_eq!(after(MANY, &[(1000, 1000, 500)]), Scale::Up);
        assert_eq!(after(FEW, &[(1000, 1000, 500)]), Scale::Keep);
        assert_eq!(after(MANY, &[(1000, 1000, 250)]), Scale::Keep);
        assert_eq!(after(FEW, &[(1000, 1000, 250)]), Scale::Down);
    }

    #[test]
    fn a_short_time_at_the_start_says_little() {
        for cpus in [FEW, MANY] {
            assert_eq!(after(cpus, &[(30, 1000, 1000)]), Scale::Down);
            assert_eq!(after(cpus, &[(1000, 1000, 1000), (1000, 1000, 0)]), Scale::Down);
        }
    }

    #[test]
    fn batches_without_samples_say_nothing() {
        let mut workload = Workload::new(MANY);
        workload.observe(WorkCounts::default());
        assert_eq!(workload.scale(), Scale::Down);
    }
}
