//! The log of refused samples: for each reason at most one line in ten
//! seconds, whatever is refused, so that bad producers never slow good ones.

use psg_engine::printable::{LONG, printable};
use psg_engine::reject::{Reason, Reject};
use psg_engine::timestamp::Moment;

use crate::log_throttle::LogThrottle;

const LONGEST_PAYLOAD: usize = 200;

/// When each reason was last logged, and how many refusals were not since.
#[derive(Debug, Default)]
pub struct RejectLog {
    reasons: [LogThrottle; Reason::COUNT],
}

impl RejectLog {
    /// Logs the refusal of `payload`, if it is time for its reason.
    pub fn note(&self, reject: &Reject, payload: &[u8], now: Moment) {
        if let Some(unlogged) = self.reasons[reject.reason as usize].is_due(now) {
            let (detail, payload) =
                (printable(&reject.detail, LONG), printable(&cut(payload), LONG));
            tracing::warn!(reason = reject.reason.as_str(), %detail, %payload, unlogged,
                "sample rejected; further ones for this reason are not logged for 10 s");
        }
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
        let is_due = |reason: Reason, now| log.reasons[reason as usize].is_due(Moment(now));
        assert_eq!(is_due(Reason::InvalidJson, 0), Some(0));
        assert_eq!(is_due(Reason::InvalidJson, 9_999), None);
        assert_eq!(is_due(Reason::NonFinite, 9_999), Some(0));
        assert_eq!(is_due(Reason::InvalidJson, 10_000), Some(1));
    }

    #[test]
    fn payloads_are_cut() {
        assert_eq!(cut(&[b'x'; 300]).len(), 200);
        assert_eq!(cut(b"{}"), "{}");
    }
}
