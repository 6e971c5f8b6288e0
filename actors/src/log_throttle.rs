//! A throttle of log lines: at most one in ten seconds, however often a stranger
//! gives rise to one.

use std::sync::atomic::{AtomicU64, Ordering};

use psg_engine::timestamp::Moment;

const PAUSE_MS: u64 = 10_000;

/// When a line was last logged, and how many were not since.
#[derive(Debug, Default)]
pub struct LogThrottle {
    /// In milliseconds since the start; 0 is never.
    next: AtomicU64,
    unlogged: AtomicU64,
}

impl LogThrottle {
    /// How many lines were not logged since the last one, if it is time for one.
    pub fn is_due(&self, now: Moment) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let claim = || {
            let later = now.0 + PAUSE_MS;
            self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if now.0 < next || !claim() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unlogged.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_and_the_others_are_counted() {
        let log = LogThrottle::default();
        assert_eq!(log.is_due(Moment(0)), Some(0));
        assert_eq!(log.is_due(Moment(1)), None);
        assert_eq!(log.is_due(Moment(9_999)), None);
        assert_eq!(log.is_due(Moment(10_000)), Some(2));
        assert_eq!(log.is_due(Moment(20_000)), Some(0));
    }
}
