//! The queue as doors see it: whichever it is, elements are on it when the answer comes.

use std::sync::Arc;

use super::sample::Elements;
use crate::source::PushError;
use crate::source::embedded::EmbeddedQueue;
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
    /// Pushes all of them or none, in their order.
    pub async fn push(&self, elements: Elements) -> Result<(), PushError> {
        match self {
            QueuePusher::Redis(list) => {
                let elements: Vec<&[u8]> = elements.iter().collect();
                list.push(&elements).await
            }
            QueuePusher::Embedded(queue) => {
                let (bytes, ranges) = elements.into_parts();
                queue.push(bytes, ranges).await
            }
        }
    }
}
