//! Bytes of `/metrics` that clients have asked for and not taken yet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How long it is waited for that there are fewer.
const MOMENT: Duration = Duration::from_millis(50);

/// The bytes of all renderings that somebody holds; each counts once, however
/// many hold it.
#[derive(Debug, Default)]
pub struct UnsentBytes {
    count: AtomicU64,
    freed: Notify,
}

impl UnsentBytes {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// So many more.
    pub fn add(&self, bytes: usize) {
        self.count.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many fewer.
    pub fn take_off(&self, bytes: usize) {
        self.count.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// Waits until there are fewer, but only for a moment.
    pub async fn fewer(&self) {
        let _ = timeout(MOMENT, self.freed.notified()).await;
    }
}
