//! Dead letters: what was refused, on its way to a list in Redis.
//!
//! Readers put letters into a bounded queue and never wait for it: while it is
//! full the oldest letters make room, counted. One writer takes them out, in
//! batches (`actors/src/source/redis/dead_letter_writer.rs`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Letters, and bytes of them, that wait for the writer at most.
const MOST_WAITING: usize = 10_000;
const MOST_WAITING_BYTES: usize = 16 << 20;
/// Letters, and bytes of them, that are written at once: other clients of
/// Redis wait for no longer than these take.
const MOST_AT_ONCE: usize = 256;
const MOST_BYTES_AT_ONCE: usize = 256 << 10;
/// A payload of more bytes is not kept whole.
const LARGEST_WHOLE: usize = 1 << 20;
/// Bytes that are kept of a payload that is not kept whole.
const HEAD_BYTES: usize = 512;

/// The letters that wait, for readers and for the writer; clones are the same.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    shared: Arc<Letters>,
}

#[derive(Debug)]
struct Letters {
    waiting: Mutex<WaitingLetters>,
    arrived: Notify,
    /// How many of the letters ever offered are written or dropped, with all
    /// that were offered before them.
    settled: watch::Sender<u64>,
    largest_whole: usize,
    metrics: Arc<DeadLetterMetrics>,
}

#[derive(Debug, Default)]
struct WaitingLetters {
    letters: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Letters ever offered.
    offered: u64,
    /// Letters that the writer has taken, older than all that wait.
    taken: u64,
}

/// What became of letters.
#[derive(Debug, Default)]
pub struct DeadLetterMetrics {
    /// Letters that Redis has taken.
    pub written: AtomicU64,
    /// Letters that found no room, or that Redis refused.
    pub dropped: AtomicU64,
}

impl DeadLetterQueue {
    /// No letters yet. What is larger than a whole list may be is cut.
    pub fn new(max_list_bytes: u64, metrics: Arc<DeadLetterMetrics>) -> Self {
        let largest_whole =
            usize::try_from(max_list_bytes).map_or(LARGEST_WHOLE, |most| most.min(LARGEST_WHOLE));
        let shared = Letters {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            settled: watch::Sender::new(0),
            largest_whole,
            metrics,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Puts in a refused sample of `length` bytes, all of them or the first
    /// ones.
    pub fn offer(&self, sample: &[u8], length: u64) {
        let letter = letter(sample, length, self.shared.largest_whole);
        let mut waiting = self.shared.waiting.lock();
        waiting.offered += 1;
        waiting.bytes += letter.len();
        waiting.letters.push_back(letter);
        let mut dropped = 0;
        while waiting.letters.len() > MOST_WAITING || waiting.bytes > MOST_WAITING_BYTES {
            let Some(oldest) = waiting.letters.pop_front() else { break };
            waiting.bytes -= oldest.len();
            dropped += 1;
        }
        if dropped > 0 {
            self.shared.metrics.dropped.fetch_add(dropped, Ordering::Relaxed);
            self.shared.publish(&waiting);
        }
        drop(waiting);
        self.shared.arrived.notify_one();
    }

    /// Counts refused samples that nobody has kept, so that they can't be offered.
    pub fn count_dropped(&self, letters: u64) {
        self.shared.metrics.dropped.fetch_add(letters, Ordering::Relaxed);
    }

    /// Waits until all that was offered before is written or dropped. While
    /// Redis can't be reached that takes as long as it can't.
    pub fn flush(&self) -> impl Future<Output = ()> + Send + use<> {
        let offered = self.shared.waiting.lock().offered;
        let shared = Arc::clone(&self.shared);
        async move {
            // The sender is not dropped meanwhile.
            let _ = shared.settled.subscribe().wait_for(|settled| *settled >= offered).await;
        }
    }

    /// Waits for letters and takes some for the writer, oldest first.
    pub async fn take(&self) -> Vec<Vec<u8>> {
        loop {
            let taken = self.shared.waiting.lock().take();
            if !taken.is_empty() {
                return taken;
            }
            self.shared.arrived.notified().await;
        }
    }

    /// All that the writer has taken is in the list.
    pub fn taken_were_written(&self) {
        self.settle(&self.shared.metrics.written);
    }

    /// All that the writer has taken is lost.
    pub fn taken_were_dropped(&self) {
        self.settle(&self.shared.metrics.dropped);
    }

    fn settle(&self, count: &AtomicU64) {
        let mut waiting = self.shared.waiting.lock();
        count.fetch_add(std::mem::take(&mut waiting.taken), Ordering::Relaxed);
        self.shared.publish(&waiting);
    }
}

impl Letters {
    fn publish(&self, waiting: &WaitingLetters) {
        let open = waiting.letters.len() as u64;
        // Those taken are older than all that wait: while there are some, what was
        // dropped after them is not settled yet.
        if waiting.taken == 0 {
            self.settled.send_replace(waiting.offered - open);
        }
    }
}

impl WaitingLetters {
    fn take(&mut self) -> Vec<Vec<u8>> {
        let mut taken: Vec<Vec<u8>> = Vec::new();
        let mut bytes = 0;
        while let Some(letter) = self.letters.front() {
            bytes += letter.len();
            let is_full = taken.len() == MOST_AT_ONCE || bytes > MOST_BYTES_AT_ONCE;
            if is_full && !taken.is_empty() {
                break;
            }
            taken.extend(self.letters.pop_front());
        }
        self.bytes -= taken.iter().map(Vec::len).sum::<usize>();
        self.taken = taken.len() as u64;
        taken
    }
}

/// The sample as it came; or its beginning and its length.
fn letter(sample: &[u8], length: u64, largest_whole: usize) -> Vec<u8> {
    if sample.len() as u64 == length && sample.len() <= largest_whole {
        return sample.to_vec();
    }
    let head = &sample[..sample.len().min(HEAD_BYTES)];
    [head, format!("... ({length} bytes)").as_bytes()].concat()
}

/// What the account of the list is called beside it.
pub const ACCOUNT: &str = "size";

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn letters() -> DeadLetterQueue {
        DeadLetterQueue::new(1 << 30, Arc::default())
    }

    fn offer(letters: &DeadLetterQueue, text: &str) {
        letters.offer(text.as_bytes(), text.len() as u64);
    }

    fn is_flushed(letters: &DeadLetterQueue) -> bool {
        letters.flush().now_or_never().is_some()
    }

    #[test]
    fn a_flush_waits_for_what_was_offered_before() {
        let letters = letters();
        assert!(is_flushed(&letters));
        offer(&letters, "a");
        let flush = letters.flush();
        let mut flush = std::pin::pin!(flush);
        assert!(flush.as_mut().now_or_never().is_none());
        assert_eq!(letters.take().now_or_never(), Some(vec![b"a".to_vec()]));
        offer(&letters, "b");
        assert!(flush.as_mut().now_or_never().is_none());
        letters.taken_were_written();
        assert!(flush.as_mut().now_or_never().is_some());
        assert!(!is_flushed(&letters), "the other one waits");
        assert_eq!(letters.take().now_or_never().map(|taken| taken.len()), Some(1));
        letters.taken_were_dropped();
        assert!(is_flushed(&letters));
        let metrics = &letters.shared.metrics;
        assert_eq!(metrics.written.load(Ordering::Relaxed), 1);
        assert_eq!(metrics.dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_oldest_make_room_and_what_is_taken_is_still_waited_for() {
        let letters = letters();
        offer(&letters, "taken");
        assert!(letters.take().now_or_never().is_some());
        let flush = letters.flush();
        let mut flush = std::pin::pin!(flush);
        (0..3 * MOST_WAITING).for_each(|number| offer(&letters, &number.to_string()));
        assert!(flush.as_mut().now_or_never().is_none());
        letters.taken_were_written();
        assert!(flush.as_mut().now_or_never().is_some());
        let dropped = letters.shared.metrics.dropped.load(Ordering::Relaxed);
        assert_eq!(dropped, 2 * MOST_WAITING as u64);
        let first = letters.take().now_or_never().map(|taken| taken[0].clone());
        assert_eq!(first, Some((2 * MOST_WAITING).to_string().into_bytes()));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let letters = letters();
        let large = "x".repeat(LARGEST_WHOLE);
        (0..40).for_each(|_| offer(&letters, &large));
        let waiting = letters.shared.waiting.lock().bytes;
        assert!(waiting <= MOST_WAITING_BYTES, "{waiting}");
        assert_eq!(letters.take().now_or_never().map(|taken| taken.len()), Some(1));
    }

    #[test]
    fn what_is_too_large_is_cut() {
        let check = |sample: &str, length: u64, expected: &str| {
            let letter = letter(sample.as_bytes(), length, 1024);
            assert_eq!(String::from_utf8_lossy(&letter), expected);
        };
        let (head, whole) = ("x".repeat(HEAD_BYTES), "x".repeat(1024));
        check("{}", 2, "{}");
        check(&whole, 1024, &whole);
        check(&format!("{whole}x"), 1025, &format!("{head}... (1025 bytes)"));
        check(&head, 5_000_000, &format!("{head}... (5000000 bytes)"));
    }
}
