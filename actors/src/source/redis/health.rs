//! Health: what is wrong with Redis, said once for the process and not once for
//! each worker and retry.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::super::SourceError;
use crate::error_kind::ErrorKind;

/// What helps who has not been there yet.
const WHERE_TO: &str =
    " (Redis.ConnectionString says where it is; with embedded the gateway needs none)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthReporter {
    Reader(usize),
    /// The task that asks for the length of the queue.
    Monitor,
}

/// The errors that are not over yet.
#[derive(Debug, Default)]
pub struct Health {
    open: Mutex<BTreeMap<HealthReporter, Trouble>>,
    worked: AtomicBool,
}

#[derive(Debug)]
struct Trouble {
    headline: &'static str,
    message: String,
}

impl Health {
    /// Takes note of an error, and logs it unless one like it is open.
    pub fn failed(&self, reporter: HealthReporter, cause: &SourceError) {
        let mut open = self.open.lock();
        let headline = headline(cause.kind);
        if !open.values().any(|trouble| trouble.headline == headline) {
            let where_to = if self.worked.load(Ordering::Relaxed) { "" } else { WHERE_TO };
            tracing::warn!("{headline}: {}{where_to}", cause.message);
        }
        open.insert(reporter, Trouble { headline, message: cause.message.clone() });
    }

    /// Takes note that it works again for that reporter; logs when it does for all.
    pub fn works(&self, reporter: HealthReporter) {
        self.worked.store(true, Ordering::Relaxed);
        let mut open = self.open.lock();
        if open.remove(&reporter).is_some() && open.is_empty() {
            tracing::info!("reconnected to Redis");
        }
    }

    /// An error that is not over, in a few words.
    pub fn headline(&self) -> Option<&'static str> {
        let open = self.open.lock();
        open.values().next_back().map(|trouble| trouble.headline)
    }

    /// The words of an error that is not over, what it is about before them.
    pub fn trouble(&self) -> Option<String> {
        let open = self.open.lock();
        let words = |trouble: &Trouble| format!("{}: {}", trouble.headline, trouble.message);
        open.values().next_back().map(words)
    }
}

fn headline(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Tls => "redis is not reachable",
        ErrorKind::Auth => "redis refuses the login",
        ErrorKind::Permission => "redis denies what is needed",
        ErrorKind::WrongType | ErrorKind::WrongKey => "the queue's key holds no list",
        ErrorKind::NotPrimary => "this redis is not the primary",
        ErrorKind::Busy => "redis is busy",
        ErrorKind::Protocol | ErrorKind::Other => "redis failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_over_when_it_is_for_all() {
        let health = Health::default();
        let cause = SourceError { kind: ErrorKind::Connection, message: "refused".into() };
        health.failed(HealthReporter::Reader(0), &cause);
        health.failed(HealthReporter::Monitor, &cause);
        health.works(HealthReporter::Reader(0));
        assert_eq!(health.trouble().as_deref(), Some("redis is not reachable: refused"));
        health.works(HealthReporter::Monitor);
        assert_eq!(health.trouble(), None);
    }
}
