//! Doors: where samples come in that are not in the payload format yet. A door reads
//! what its clients speak, makes samples of it, and pushes them onto the queue as any
//! producer does; nothing behind the queue knows of doors. So they need no lease: those
//! of a standby work too.
//!
//! ```text
//! request ─► door ─► Elements ─► queue
//! ```

pub mod otlp;
pub mod pushgateway;
pub mod sample;
pub mod queue;
pub mod statsd;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use psg_engine::intake::IntakeSettings;

use self::queue::QueuePusher;
use self::sample::{ElementLimits, Elements};
use crate::self_metrics::doors::{Door, DoorMetrics, RequestReason};
use crate::source::PushError;
use crate::source::embedded::HeldOpen;

/// What all doors of a pipeline have in common: its queue, and what is counted.
#[derive(Debug)]
pub struct Doors {
    queue: QueuePusher,
    metrics: Arc<DoorMetrics>,
    max_payload_bytes: usize,
    keeps_exemplars: bool,
}

/// Why nothing of a request is taken, in words for its client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct RequestRefused {
    /// For `door_refused_requests_total`, and the status of the answer.
    pub reason: RequestReason,
    /// What was expected and what came: lower case, no full stop.
    pub words: String,
}

impl Doors {
    /// Doors to that queue, whose samples are taken by these settings.
    pub fn new(queue: QueuePusher, metrics: Arc<DoorMetrics>, intake: &IntakeSettings) -> Self {
        let max_payload_bytes = intake.payload.max_payload_bytes;
        Self { queue, metrics, max_payload_bytes, keeps_exemplars: intake.exemplars }
    }

    /// Whether exemplars are taken; where they are not, doors need not pass them on.
    pub fn keeps_exemplars(&self) -> bool {
        self.keeps_exemplars
    }

    /// Elements for one request, of at most `max_bytes` together.
    pub fn elements(&self, door: Door, max_bytes: usize) -> Elements {
        let max_payload_bytes = self.max_payload_bytes;
        Elements::new(door, ElementLimits { max_payload_bytes, max_bytes })
    }

    /// Holds the queue open, for who has to push once more when everything ends.
    pub fn hold_open(&self) -> Option<HeldOpen> {
        self.queue.hold_open()
    }

    /// What is counted of them.
    pub fn metrics(&self) -> &DoorMetrics {
        &self.metrics
    }

    /// Puts all that a request brought onto the queue, and counts it once it is there.
    ///
    /// # Errors
    /// Nothing of it is there, as far as can be known; then the elements are as they were.
    pub async fn push(&self, door: Door, elements: &mut Elements) -> Result<(), RequestRefused> {
        let (samples, left_out) = (elements.samples(), *elements.left_out());
        if !elements.is_empty() {
            self.queue.push(elements).await?;
        }
        let counts = self.metrics.of(door);
        counts.samples.fetch_add(samples, Ordering::Relaxed);
        counts.leave_out(&left_out);
        Ok(())
    }
}

impl RequestRefused {
    /// A refusal for that reason.
    pub fn new(reason: RequestReason, words: impl Into<String>) -> Self {
        Self { reason, words: words.into() }
    }
}

impl From<PushError> for RequestRefused {
    fn from(cause: PushError) -> Self {
        let reason = match &cause {
            PushError::Full => RequestReason::QueueFull,
            PushError::NeverFits => RequestReason::TooLarge,
            PushError::Away(_) => RequestReason::QueueAway,
            PushError::Silent(_) => RequestReason::QueueSilent,
        };
        Self::new(reason, cause.to_string())
    }
}
