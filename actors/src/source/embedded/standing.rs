//! How one client of the embedded queue stands: since when it is there, what it
//! holds, and whether it has to leave for others.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Who holds less than this is not worth being cut for bytes.
const LITTLE_BYTES: usize = 1024;

/// How long a client has held bytes counts up to so many milliseconds: a few
/// bytes that are held for a day are nothing beside many that are held for a
/// second.
const LONG_HELD_MS: u64 = 10_000;

/// What a client has to leave for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// It holds most of the bytes that there are for all.
    Bytes,
    /// Another client needs its place.
    Places,
}

/// How one client stands.
#[derive(Debug)]
pub struct Standing {
    came_at: u64,
    /// When it last said something.
    heard_at: AtomicU64,
    /// Whether it has logged in, where it has to, and has said something.
    has_spoken: AtomicBool,
    held: AtomicUsize,
    /// Since when it has held more than a little.
    holds_since: AtomicU64,
    has_to_leave: OnceLock<Shortage>,
    told: Notify,
}

/// Tells a client when it has to leave.
#[derive(Debug)]
pub struct Departure(Arc<Standing>);

impl Standing {
    /// Of one that has just come.
    pub fn new(now: u64) -> Self {
        Self {
            came_at: now,
            heard_at: AtomicU64::new(now),
            has_spoken: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            holds_since: AtomicU64::new(now),
            has_to_leave: OnceLock::new(),
            told: Notify::new(),
        }
    }

    /// Bytes that it makes us hold.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// When it came.
    pub fn came_at(&self) -> u64 {
        self.came_at
    }

    /// It has said something.
    pub fn heard(&self, has_spoken: bool, now: u64) {
        self.heard_at.store(now, Ordering::Relaxed);
        self.has_spoken.store(has_spoken, Ordering::Relaxed);
    }

    /// When it last said something.
    pub fn heard_at(&self) -> u64 {
        self.heard_at.load(Ordering::Relaxed)
    }

    /// Whether it has been let in and has said something.
    pub fn has_spoken(&self) -> bool {
        self.has_spoken.load(Ordering::Relaxed)
    }

    /// Whether it has to leave.
    pub fn leaves(&self) -> bool {
        self.has_to_leave.get().is_some()
    }

    /// It makes us hold so many bytes, fewer than before.
    pub fn shrink(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// It makes us hold so many bytes, more than before.
    pub fn grow(&self, bytes: usize, now: u64) {
        if self.held.swap(bytes, Ordering::Relaxed) < LITTLE_BYTES {
            self.holds_since.store(now, Ordering::Relaxed);
        }
    }

    /// How much it is in the way of others: what it holds, by how long it does.
    pub fn weight(&self, now: u64) -> u64 {
        let held = self.held();
        let since = now.saturating_sub(self.holds_since.load(Ordering::Relaxed));
        if held < LITTLE_BYTES { 0 } else { held as u64 * (1 + since.min(LONG_HELD_MS)) }
    }

    /// It has to leave.
    pub fn dismiss(&self, shortage: Shortage) {
        // It may have been told for the other reason already.
        let _ = self.has_to_leave.set(shortage);
        self.told.notify_one();
    }
}

impl Departure {
    /// Of that client.
    pub fn of(standing: &Arc<Standing>) -> Self {
        Self(Arc::clone(standing))
    }

    /// What the client has to leave for, if it has to.
    pub fn is_due(&self) -> Option<Shortage> {
        self.0.has_to_leave.get().copied()
    }

    /// Waits until the client has to leave.
    pub async fn told(&self) -> Shortage {
        loop {
            let told = self.0.told.notified();
            if let Some(shortage) = self.is_due() {
                return shortage;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_for_long_weigh_more_than_a_few_more_that_have_just_come() {
        let standing = |held: usize, since| {
            let standing = Standing::new(since);
            standing.grow(held, since);
            standing
        };
        let (long, short, tiny) = (standing(20_000, 0), standing(80_000, 9_990), standing(100, 0));
        assert!(long.weight(10_000) > short.weight(10_000));
        assert_eq!(tiny.weight(u64::MAX), 0);
        let (day, second) = (standing(5_000, 0), standing(80_000, 86_400_000));
        assert!(second.weight(86_401_000) > day.weight(86_401_000));
    }
}
