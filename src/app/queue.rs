//! The queue of the settings: a list in Redis, or one that the gateway itself is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use psg_actors::fatal::FatalSignal;
use psg_actors::self_metrics::QueueMetrics;
use psg_actors::settings::GatewaySettings;
use psg_actors::source::embedded::EmbeddedQueue;
use psg_actors::source::redis::RedisQueue;
use psg_actors::stop::StopSignal;

/// Where samples come from.
#[derive(Clone)]
pub(super) enum Queue {
    Redis(RedisQueue, Arc<QueueMetrics>),
    Embedded(EmbeddedQueue),
}

impl Queue {
    /// The queue of the settings, watched or listening.
    pub(super) fn open(
        settings: &GatewaySettings,
        metrics: Arc<QueueMetrics>,
        fatal: &FatalSignal,
        stop: &StopSignal,
    ) -> io::Result<Self> {
        let max_payload_bytes = settings.metrics.payload.max_payload_bytes;
        if let Some(embedded) = &settings.embedded {
            let (queue, stop) = (&settings.queue, stop.clone());
            let queue = EmbeddedQueue::start(embedded, queue, max_payload_bytes, metrics, stop)?;
            return Ok(Queue::Embedded(queue));
        }
        let fatal = fatal.clone();
        let queue = RedisQueue::new(&settings.queue, max_payload_bytes, metrics.clone(), fatal);
        actix::spawn(queue.monitor(stop.clone()));
        Ok(Queue::Redis(queue, metrics))
    }

    /// Where producers connect to, where that is us and not a Unix socket.
    pub(super) fn listens_on(&self) -> Option<SocketAddr> {
        match self {
            Queue::Redis(..) => None,
            Queue::Embedded(queue) => queue.address(),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Queue::Redis(queue, metrics) => {
                let unanswered = !metrics.up.load(Ordering::Relaxed);
                let silence = || unanswered.then(|| "redis has not answered yet".to_owned());
                queue.trouble().or_else(silence)
            }
            Queue::Embedded(_) => None,
        }
    }
}
