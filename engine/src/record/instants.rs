//! Instants: the clock of a state beside that of the process.

use crate::timestamp::Moment;

/// For how long gateways have run with this state, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RunTime(pub u64);

/// One instant on two clocks: that of the process and that of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Instants {
    /// On the process' monotonic clock.
    pub now: Moment,
    /// On the clock of the state.
    pub run_time: RunTime,
}

impl Instants {
    /// The same two clocks at another moment of the process.
    pub fn at(self, now: Moment) -> Self {
        let passed = now.0.saturating_sub(self.now.0);
        Self { now, run_time: RunTime(self.run_time.0.saturating_add(passed)) }
    }
}

/// Tells when something was that is stored as a time after its segment was
/// taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since {
    /// The moment of the process at which the state is restored.
    pub now: Moment,
    /// How long before that its segment was taken, on the state's clock.
    taken_ms_ago: u64,
}

impl Since {
    pub(crate) fn new(restored: Instants, taken: RunTime) -> Self {
        let taken_ms_ago = restored.run_time.0.saturating_sub(taken.0);
        Self { now: restored.now, taken_ms_ago }
    }

    /// What was `after_taken` milliseconds after the segment was taken, on the
    /// process' clock; below 0 where that is before it started.
    pub(crate) fn milliseconds(self, after_taken: i64) -> i128 {
        i128::from(self.now.0) - i128::from(self.taken_ms_ago) + i128::from(after_taken)
    }
}
