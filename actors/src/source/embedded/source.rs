//! The source of one worker: hands out chunks in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{Batch, QueueSource, SourceError, Taken};
use super::queue::{Chunk, Exit};
use crate::self_metrics::WorkerMetrics;

/// The most elements of a batch: the size that RPOPs rise to.
const PAGE_ELEMENTS: usize = 1000;

/// Small chunks are put together up to so many bytes.
const PAGE_BYTES: usize = 256 * 1024;

/// How long small pushes are gathered while they come one upon the other: each
/// batch wakes the shards, which would cost more than twenty samples do. After a
/// silence a push is handed out at once.
const GATHER: Duration = Duration::from_millis(1);

/// Takes from the embedded queue.
#[derive(Debug)]
pub struct EmbeddedSource {
    exit: Exit,
    metrics: Arc<WorkerMetrics>,
    /// What is handed out, batch by batch; its room is given back after the last.
    chunk: Chunk,
    /// Elements of it that have been handed out.
    handed_out: usize,
    /// When the queue was last looked at with success.
    last_found: Option<Instant>,
}

impl QueueSource for EmbeddedSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        if self.handed_out == self.chunk.elements.len() && !self.refill().await {
            return Ok(Taken::Ended);
        }
        let first = self.handed_out;
        self.handed_out = self.chunk.elements.len().min(first + PAGE_ELEMENTS);
        let elements = &self.chunk.elements[first..self.handed_out];
        Ok(Taken::Batch(Batch { buffer: &self.chunk.bytes, elements }))
    }
}

impl EmbeddedSource {
    pub(super) fn new(exit: Exit, metrics: Arc<WorkerMetrics>) -> Self {
        Self { exit, metrics, chunk: Chunk::default(), handed_out: 0, last_found: None }
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
            if was_just_now && self.exit.length() < PAGE_ELEMENTS as i64 {
                sleep(GATHER).await;
            }
        };
        let Some(chunk) = self.exit.take(found_nothing, gather).await else { return false };
        self.last_found = Some(Instant::now());
        self.chunk = chunk;
        while self.chunk.elements.len() < PAGE_ELEMENTS && self.chunk.bytes.len() < PAGE_BYTES {
            let Ok(more) = self.exit.try_take() else { break };
            self.chunk.append(more);
        }
        self.exit.share();
        true
    }
}

impl Chunk {
    /// Puts the elements of another one behind its own.
    fn append(&mut self, mut other: Chunk) {
        let offset = self.bytes.len();
        if self.bytes.capacity() - offset < other.bytes.len() {
            self.bytes.reserve(PAGE_BYTES);
        }
        self.bytes.append(&mut other.bytes);
        other.elements.iter_mut().for_each(|element| element.shift(0, offset));
        self.elements.append(&mut other.elements);
        self.room.merge(other.room);
    }
}
