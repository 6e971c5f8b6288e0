//! The push queue: what was pushed to the gateway and not yet taken, bounded in
//! bytes. Each door that producers push through is a front-end of it; the RESP
//! one is [`embedded`](super::embedded).
//!
//! Producers have its [`PushSender`], readers its [`PushReceiver`]. Pushes travel
//! in *chunks*: what one read from a client's socket brought, one allocation for
//! the bytes and one for the ranges. Before a push comes its [`Reservation`] of
//! room, which is given back when a reader is done with the chunk: so the bound
//! holds for all that the queue and its readers keep, and a producer that finds
//! no room can wait for it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicIsize, Ordering};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::Slice;
use crate::self_metrics::QueueMetrics;

/// What an element costs besides its bytes: its range.
const ELEMENT_BYTES: usize = size_of::<Slice>();

/// What a push costs besides its elements: at worst it is a chunk of its own.
const PUSH_BYTES: usize = 128;

/// Spare room of a chunk that is not worth giving back.
const LITTLE_SPARE_BYTES: usize = 256;

/// Room is counted in units of this many bytes, so that a count fits 32 bits.
const UNIT_BYTES: usize = 16;

/// Elements that travel together, in the order in which they were pushed.
#[derive(Debug, Default)]
pub struct Chunk {
    /// What the ranges of the elements point into.
    pub bytes: Vec<u8>,
    pub elements: Vec<Slice>,
    pub room: Reservation,
}

/// Reserved room, given back when dropped.
#[derive(Debug, Default)]
pub struct Reservation(Option<OwnedSemaphorePermit>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReserveError {
    Full,
    /// The queue is smaller than that.
    Never,
}

/// The producers' side; the queue is closed when it is dropped.
#[derive(Debug)]
pub struct PushSender {
    /// Taken only when this is dropped.
    sender: Option<Sender<Chunk>>,
    receiver: PushReceiver,
}

/// The readers' side; cheap to clone.
#[derive(Debug, Clone)]
pub struct PushReceiver {
    receiver: Receiver<Chunk>,
    bounds: Arc<QueueBounds>,
}

#[derive(Debug)]
struct QueueBounds {
    room: Arc<Semaphore>,
    capacity: u32,
    /// Chunks sent and not received: who raises it from 0 wakes a reader, and
    /// a reader that is awake looks again before it sleeps.
    chunks: AtomicIsize,
    awake: Notify,
    metrics: Arc<QueueMetrics>,
}

/// A queue of `max_bytes`, whose length is published in the metrics.
pub fn push_queue(max_bytes: usize, metrics: Arc<QueueMetrics>) -> (PushSender, PushReceiver) {
    #[expect(clippy::disallowed_methods, reason = "room is reserved first, which bounds it")]
    let (sender, receiver) = crossbeam_channel::unbounded();
    let capacity = u32::try_from(max_bytes / UNIT_BYTES).unwrap_or(u32::MAX);
    let bounds = QueueBounds {
        room: Arc::new(Semaphore::new(capacity as usize)),
        capacity,
        chunks: AtomicIsize::new(0),
        awake: Notify::new(),
        metrics,
    };
    let receiver = PushReceiver { receiver, bounds: Arc::new(bounds) };
    (PushSender { sender: Some(sender), receiver: receiver.clone() }, receiver)
}

/// The room that a push takes up.
pub fn cost(elements: usize, bytes: usize) -> usize {
    PUSH_BYTES + elements * ELEMENT_BYTES + bytes
}

impl Chunk {
    /// Gives spare room back where it is much beside what is in use: the queue
    /// is bounded by the latter.
    pub fn trim(&mut self) {
        if self.bytes.capacity() - self.bytes.len() > LITTLE_SPARE_BYTES + self.bytes.len() / 8 {
            self.bytes.shrink_to_fit();
        }
        let spare = (self.elements.capacity() - self.elements.len()) * ELEMENT_BYTES;
        if spare > LITTLE_SPARE_BYTES + self.elements.len() * ELEMENT_BYTES / 8 {
            self.elements.shrink_to_fit();
        }
    }
}

impl Reservation {
    pub fn merge(&mut self, other: Reservation) {
        match (&mut self.0, other.0) {
            (Some(mine), Some(others)) => mine.merge(others),
            (mine @ None, others) => *mine = others,
            (Some(_), None) => {}
        }
    }
}

impl PushSender {
    /// Room for that cost, if there is some now.
    pub fn try_reserve(&self, cost: usize) -> Result<Reservation, ReserveError> {
        let units = self.units(cost).ok_or(ReserveError::Never)?;
        let permit = Arc::clone(&self.receiver.bounds.room).try_acquire_many_owned(units);
        permit.map(|permit| Reservation(Some(permit))).map_err(|_| ReserveError::Full)
    }

    /// Waits for room, after those that wait already; for ever where the queue is
    /// smaller than that.
    pub async fn reserve(&self, cost: usize) -> Reservation {
        let units = self.units(cost).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.receiver.bounds.room).acquire_many_owned(units).await;
        Reservation(Some(permit.expect("the semaphore is never closed")))
    }

    /// Whether that cost is more than the whole queue has room for.
    pub fn never_fits(&self, cost: usize) -> bool {
        self.units(cost).is_none()
    }

    /// Counts elements that are about to be pushed; the length of the queue
    /// with them.
    pub fn announce(&self, elements: usize) -> i64 {
        let elements = elements as i64;
        self.receiver.pending().fetch_add(elements, Ordering::Relaxed) + elements
    }

    /// Hands announced elements to the readers.
    pub fn push(&self, chunk: Chunk) {
        let Some(sender) = &self.sender else { return };
        sender.send(chunk).expect("this side holds a receiver too");
        if self.receiver.bounds.chunks.fetch_add(1, Ordering::SeqCst) == 0 {
            self.receiver.bounds.awake.notify_one();
        }
    }

    /// Elements that no reader has taken yet.
    pub fn length(&self) -> i64 {
        self.receiver.length()
    }

    /// Drops what no reader has taken yet; how many elements that was.
    pub fn clear(&self) -> usize {
        let mut dropped = 0;
        while let Ok(chunk) = self.receiver.try_take() {
            dropped += chunk.elements.len();
        }
        dropped
    }

    fn units(&self, cost: usize) -> Option<u32> {
        let units = u32::try_from(cost.div_ceil(UNIT_BYTES)).ok()?;
        (units <= self.receiver.bounds.capacity).then_some(units)
    }
}

impl Drop for PushSender {
    fn drop(&mut self) {
        self.sender = None;
        self.receiver.bounds.awake.notify_waiters();
    }
}

impl PushReceiver {
    /// The next chunk, if there is one now; an error tells whether more may
    /// come.
    pub fn try_take(&self) -> Result<Chunk, TryRecvError> {
        let chunk = self.receiver.try_recv()?;
        self.bounds.chunks.fetch_sub(1, Ordering::SeqCst);
        self.pending().fetch_sub(chunk.elements.len() as i64, Ordering::Relaxed);
        Ok(chunk)
    }

    /// Waits for the next chunk; `None` once the queue is closed and empty.
    /// Nothing is lost when the future is dropped. `found_nothing` is called
    /// before each wait. A chunk that is there may be left for a moment, so
    /// that more gather: `gather` is waited for before it is taken.
    pub async fn take<G: Future<Output = ()>>(
        &self,
        found_nothing: impl Fn(),
        gather: impl Fn() -> G,
    ) -> Option<Chunk> {
        loop {
            let mut woken = pin!(self.bounds.awake.notified());
            woken.as_mut().enable();
            if !self.receiver.is_empty() {
                gather().await;
            }
            match self.try_take() {
                Ok(chunk) => return Some(chunk),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => found_nothing(),
            }
            woken.await;
        }
    }

    /// Elements that no reader has taken yet.
    pub fn length(&self) -> i64 {
        self.pending().load(Ordering::Relaxed)
    }

    /// Wakes another reader where there is something left for it.
    pub fn share(&self) {
        if !self.receiver.is_empty() {
            self.bounds.awake.notify_one();
        }
    }

    fn pending(&self) -> &AtomicI64 {
        &self.bounds.metrics.pending
    }
}
