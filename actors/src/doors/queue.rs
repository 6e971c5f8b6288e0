//! The queue as doors see it: whichever it is, elements are on it when the answer comes.

use std::sync::Arc;

use super::sample::Elements;
use crate::source::PushError;
use crate::source::embedded::{EmbeddedQueue, HeldOpen};
use crate::source::redis::ListPusher;

/// Puts elements onto the queue; cheap to clone. Each push has a bound in time.
#[derive(Debug, Clone)]
pub enum QueuePusher {
    /// By LPUSH onto the list.
    Redis(Arc<ListPusher>),
    /// Into the queue that the gateway itself is.
    Embedded(EmbeddedQueue),
}

impl QueuePusher {
    /// Pushes all of them or none, in their order. They may be gone once that is done.
    pub async fn push(&self, elements: &mut Elements) -> Result<(), PushError> {
        match self {
            QueuePusher::Redis(list) => {
                let elements: Vec<&[u8]> = elements.iter().collect();
                list.push(&elements).await
            }
            QueuePusher::Embedded(queue) => {
                let room = queue.reserve(elements.len(), elements.bytes()).await?;
                let (bytes, ranges) = elements.take_parts();
                room.push(bytes, ranges);
                Ok(())
            }
        }
    }

    /// Keeps the queue open while the guard lives, where it would close with the stop
    /// signal.
    pub fn hold_open(&self) -> Option<HeldOpen> {
        match self {
            QueuePusher::Redis(_) => None,
            QueuePusher::Embedded(queue) => Some(queue.hold_open()),
        }
    }
}
