//! The clock that runs on while the machine is suspended: what a lease is
//! measured by, since for the others that time has passed too.

use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::time::ClockId::Boottime as CLOCK;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use rustix::time::ClockId::Monotonic as CLOCK;

/// A moment of that clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(CLOCK);
        Self(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// A moment so long after the clock's zero.
    pub fn at(since_zero: Duration) -> Self {
        Self(since_zero)
    }

    /// How long `earlier` is ago; nothing where it is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment so much later.
    pub fn after(self, more: Duration) -> Self {
        Self(self.0 + more)
    }
}
