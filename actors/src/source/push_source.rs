//! The source of one worker that reads from the push queue: hands chunks out in
//! batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::push_queue::{Chunk, PushReceiver};
use super::{Batch, QueueSource, SourceError, Taken};
use crate::self_metrics::WorkerMetrics;

/// The most elements of a batch: the size that RPOPs rise to.
const BATCH_ELEMENTS: usize = 1000;

/// Small chunks are put together up to this many bytes.
const BATCH_BYTES: usize = 256 * 1024;

/// How long small pushes are gathered while they come one upon the other: each
/// batch wakes the shards, which would cost more than twenty samples do. After a
/// silence a push is handed out at once.
const GATHER: Duration = Duration::from_millis(1);

/// Takes from the push queue.
#[derive(Debug)]
pub struct PushSource {
    receiver: PushReceiver,
    metrics: Arc<WorkerMetrics>,
    /// What is handed out, batch by batch; its room is given back after the last.
    chunk: Chunk,
    /// Elements of it that have been handed out.
    handed_out: usize,
    /// When the queue was last looked at with success.
    last_found: Option<Instant>,
}

impl QueueSource for PushSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        if self.handed_out == self.chunk.elements.len() && !self.refill().await {
            return Ok(Taken::Ended);
        }
        let first = self.handed_out;
        self.handed_out = self.chunk.elements.len().min(first + BATCH_ELEMENTS);
        let elements = &self.chunk.elements[first..self.handed_out];
        Ok(Taken::Batch(Batch { buffer: &self.chunk.bytes, elements, origin: None }))
    }
}

impl PushSource {
    pub(super) fn new(receiver: PushReceiver, metrics: Arc<WorkerMetrics>) -> Self {
        Self { receiver, metrics, chunk: Chunk::default(), handed_out: 0, last_found: None }
    }

    /// Waits for elements; false once the queue is closed and empty.
    async fn refill(&mut self) -> bool {
        self.handed_out = 0;
        self.chunk = Chunk::default();
        let found_nothing = || {
            self.metrics.empty_pops.fetch_add(1, Ordering::Relaxed);
        };
        let gather = async || {
            let was_just_now = self.last_found.is_some_and(|then| then.elapsed() < GATHER);
            if was_just_now && self.receiver.length() < BATCH_ELEMENTS as i64 {
                sleep(GATHER).await;
            }
        };
        let Some(chunk) = self.receiver.take(found_nothing, gather).await else { return false };
        self.last_found = Some(Instant::now());
        self.chunk = chunk;
        while self.chunk.elements.len() < BATCH_ELEMENTS && self.chunk.bytes.len() < BATCH_BYTES {
            let Ok(more) = self.receiver.try_take() else { break };
            self.chunk.append(more);
        }
        self.receiver.share();
        true
    }
}

impl Chunk {
    /// Puts the elements of another one after its own.
    fn append(&mut self, mut other: Chunk) {
        let offset = self.bytes.len();
        if self.bytes.capacity() - offset < other.bytes.len() {
            self.bytes.reserve(BATCH_BYTES);
        }
        self.bytes.append(&mut other.bytes);
        other.elements.iter_mut().for_each(|element| element.shift(0, offset));
        self.elements.append(&mut other.elements);
        self.room.merge(other.room);
    }
}
