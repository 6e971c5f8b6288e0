//! The pulse: since when the server has answered the monitor without a break. A pop
//! that stays without an answer while others get theirs will never get one:
//! something on its way has lost it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error_kind::ErrorKind;

/// One for each queue; the monitor keeps it.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Option<Beats>>);

/// The first and the last answer of a row.
#[derive(Debug, Clone, Copy)]
struct Beats {
    first: Instant,
    last: Instant,
}

impl Pulse {
    pub fn answered(&self) {
        self.answered_at(Instant::now());
    }

    /// The server has answered with that error, or not at all.
    pub fn failed(&self, kind: ErrorKind) {
        match kind {
            // One that is busy may be so with the pops, too.
            ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Tls
            | ErrorKind::Protocol
            | ErrorKind::Busy => *self.0.lock() = None,
            ErrorKind::Auth
            | ErrorKind::Permission
            | ErrorKind::WrongType
            | ErrorKind::WrongKey
            | ErrorKind::NotPrimary
            | ErrorKind::Other => self.answered(),
        }
    }

    /// Whether others were answered for that `time` after `heard`.
    pub fn went_on_after(&self, heard: Instant, time: Duration) -> bool {
        self.0.lock().is_some_and(|beats| beats.last >= heard.max(beats.first) + time)
    }

    fn answered_at(&self, now: Instant) {
        let mut beats = self.0.lock();
        let first = beats.map_or(now, |beats| beats.first);
        *beats = Some(Beats { first, last: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn only_answers_in_a_row_after_the_silence_began_count() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let pulse = Pulse::default();
        assert!(!pulse.went_on_after(at(0), TEN), "nobody has asked");
        (0..=9).for_each(|second| pulse.answered_at(at(second)));
        assert!(!pulse.went_on_after(at(0), TEN));
        pulse.answered_at(at(10));
        assert!(pulse.went_on_after(at(0), TEN));
        assert!(!pulse.went_on_after(at(1), TEN), "a byte came after a second");
        // A server that hung as a whole answers what it has not lost.
        pulse.failed(ErrorKind::Timeout);
        pulse.answered_at(at(30));
        assert!(!pulse.went_on_after(at(1), TEN));
        pulse.failed(ErrorKind::Busy);
        pulse.answered_at(at(39));
        pulse.answered_at(at(48));
        assert!(!pulse.went_on_after(at(1), TEN), "it was busy meanwhile");
        pulse.answered_at(at(49));
        assert!(pulse.went_on_after(at(1), TEN));
    }
}
