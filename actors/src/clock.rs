//! The monotonic clock of the process.

use std::time::Instant;

use psg_engine::metric::Moment;

/// Tells moments since the process started. Copies tell the same.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(self.0.elapsed().as_millis() as u64)
    }
}
