//! The clocks of a pipeline: a monotonic one for ages, and Unix time for what
//! producers say of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;

/// Counts from when the pipeline started. Copies show the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// When `moment` is by the system's clock.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.0 + Duration::from_millis(moment.0)
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(self.0.elapsed().as_millis() as u64)
    }
}

/// Unix time. Clones show the same.
///
/// While the system's clock has been set back by less than timestamps may be
/// ahead, this one stands still, so that a gauge is not kept at what was taken
/// before.
#[derive(Debug, Clone)]
pub struct UnixClock {
    /// The latest time that was shown, in microseconds.
    latest: Arc<AtomicI64>,
}

impl UnixClock {
    /// A clock that has shown nothing yet.
    pub fn start() -> Self {
        Self { latest: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// The present time.
    pub fn now(&self) -> UnixTime {
        self.advance(system_time())
    }

    /// Goes on from a time that a clock showed in an earlier process, or another one:
    /// where the system's clock was set back since, it stands still as it would
    /// have done there.
    pub fn go_on_from(&self, shown: UnixTime) {
        if !shown.is_too_far_ahead_of(system_time()) {
            self.latest.fetch_max(shown.micros(), Ordering::Relaxed);
        }
    }

    fn advance(&self, now: UnixTime) -> UnixTime {
        let latest = self.latest.fetch_max(now.micros(), Ordering::Relaxed);
        let latest = UnixTime::from_micros(latest);
        if latest.is_too_far_ahead_of(now) {
            self.latest.store(now.micros(), Ordering::Relaxed);
            return now;
        }
        latest.max(now)
    }
}

/// Unix time by the system's clock.
pub fn system_time() -> UnixTime {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    };
    UnixTime::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_before_the_start_stands_still_too() {
        let now = system_time().micros();
        let ahead = |seconds: i64| UnixTime::from_micros(now + seconds * 1_000_000);
        let clock = UnixClock::start();
        clock.go_on_from(ahead(300));
        assert_eq!(clock.now(), ahead(300));
        clock.go_on_from(ahead(-300));
        assert_eq!(clock.now(), ahead(300), "it never goes back by that");
        let far = UnixClock::start();
        far.go_on_from(ahead(10 * 365 * 86_400));
        assert!(far.now() < ahead(60), "what is too far ahead counts for nothing");
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_stands_still() {
        let clock = UnixClock::start();
        let show =
            |seconds: i64| clock.advance(UnixTime::from_micros(seconds * 1_000_000)).micros();
        let shown: Vec<i64> = [10_000, 10_001, 9_500, 10_002, 9_402, 9_401, 9_500]
            .into_iter()
            .map(|seconds| show(seconds) / 1_000_000)
            .collect();
        assert_eq!(shown, [10_000, 10_001, 10_001, 10_002, 10_002, 9_401, 9_500]);
    }
}
