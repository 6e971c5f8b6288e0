//! The log of refused samples: for each reason at most one line in ten
//! seconds, whatever is refused, so that bad producers never slow good ones.

use std::sync::atomic::{AtomicU64, Ordering};

use psg_engine::printable::{LONG, printable};
use psg_engine::reject::{Reason, Reject};
use psg_engine::timestamp::Moment;

const PAUSE_MS: u64 = 10_000;
const LONGEST_PAYLOAD: usize = 200;

/// When each reason was last logged, and how many refusals were not since.
#[derive(Debug, Default)]
pub struct RejectLog {
    reasons: [Entry; Reason::COUNT],
}

#[derive(Debug, Default)]
struct Entry {
    /// In milliseconds since the start; 0 is never.
    next: AtomicU64,
    unlogged: AtomicU64,
}

impl RejectLog {
    /// Logs the refusal of `payload`, if it is time for its reason.
    pub fn note(&self, reject: &Reject, payload: &[u8], now: Moment) {
        if let Some(unlogged) = self.is_due(reject.reason, now) {
            let (detail, payload) =
                (printable(&reject.detail, LONG), printable(&cut(payload), LONG));
            tracing::warn!(reason = reject.reason.as_str(), %detail, %payload, unlogged,
                "sample rejected; further ones for this reason are not logged for 10 s");
        }
    }

    /// How many were not logged since the last time, if it is time again.
    fn is_due(&self, reason: Reason, now: Moment) -> Option<u64> {
        let entry = &self.reasons[reason as usize];
        let next = entry.next.load(Ordering::Relaxed);
        let later = now.0 + PAUSE_MS;
        let claim = |entry: &AtomicU64| {
            entry.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if now.0 < next || !claim(&entry.next) {
            entry.unlogged.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(entry.unlogged.swap(0, Ordering::Relaxed))
    }
}

fn cut(payload: &[u8]) -> String {
    String::from_utf8_lossy(&payload[..payload.len().min(LONGEST_PAYLOAD)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_for_each_reason() {
        let log = RejectLog::default();
        assert_eq!(log.is_due(Reason::InvalidJson, Moment(0)), Some(0));
        assert_eq!(log.is_due(Reason::InvalidJson, Moment(1)), None);
        assert_eq!(log.is_due(Reason::InvalidJson, Moment(9_999)), None);
        assert_eq!(log.is_due(Reason::NonFinite, Moment(9_999)), Some(0));
        assert_eq!(log.is_due(Reason::InvalidJson, Moment(10_000)), Some(2));
    }

    #[test]
    fn payloads_are_cut() {
        assert_eq!(cut(&[b'x'; 300]).len(), 200);
        assert_eq!(cut(b"{}"), "{}");
    }
}
