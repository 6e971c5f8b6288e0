//! The queue of a pipeline: a list in Redis, or one that the gateway itself is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::doors::queue::QueuePusher;
use crate::doors::{Doors, statsd};
use crate::fatal::FatalSignal;
use crate::self_metrics::{QueueMetrics, SelfMetrics};
use crate::settings::PipelineSettings;
use crate::source::embedded::EmbeddedQueue;
use crate::source::redis::{ListPusher, RedisQueue};
use crate::stop::StopSignal;

#[derive(Debug, Clone)]
pub(super) enum Queue {
    Redis(RedisQueue),
    Embedded(EmbeddedQueue),
}

impl Queue {
    /// The queue of the settings, watched or listening.
    pub(super) fn open(
        settings: &PipelineSettings,
        metrics: Arc<QueueMetrics>,
        fatal: &FatalSignal,
        stop: &StopSignal,
    ) -> io::Result<Self> {
        let max_payload_bytes = settings.intake.payload.max_payload_bytes;
        if let Some(embedded) = &settings.embedded {
            let (queue, stop) = (&settings.queue, stop.clone());
            let queue = EmbeddedQueue::start(embedded, queue, max_payload_bytes, metrics, stop)?;
            return Ok(Queue::Embedded(queue));
        }
        let queue = RedisQueue::new(&settings.queue, max_payload_bytes, metrics, fatal.clone());
        actix::spawn(queue.monitor(stop.clone()));
        Ok(Queue::Redis(queue))
    }

    /// The doors that lead to it; StatsD is listened for, where it is wanted.
    pub(super) fn doors(
        &self,
        settings: &PipelineSettings,
        metrics: &SelfMetrics,
        stop: &StopSignal,
    ) -> io::Result<Arc<Doors>> {
        let pusher = match self {
            Queue::Redis(_) => {
                let list = ListPusher::new(&settings.queue, Arc::clone(&metrics.queue));
                QueuePusher::Redis(Arc::new(list))
            }
            Queue::Embedded(queue) => QueuePusher::Embedded(queue.clone()),
        };
        let intake = &settings.intake;
        let doors = Arc::new(Doors::new(pusher, Arc::clone(&metrics.doors), intake));
        if let Some(settings) = &settings.statsd {
            let max_values = intake.payload.max_values;
            statsd::start(settings, max_values, Arc::clone(&doors), stop.clone())?;
        }
        Ok(doors)
    }

    /// Where producers connect to, where that is us and not a Unix socket.
    pub(super) fn listens_on(&self) -> Option<SocketAddr> {
        match self {
            Queue::Redis(_) => None,
            Queue::Embedded(queue) => queue.address(),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn trouble(&self, metrics: &QueueMetrics) -> Option<String> {
        match self {
            Queue::Redis(queue) => queue.trouble().or_else(|| {
                let is_up = metrics.up.load(Ordering::Relaxed);
                (!is_up).then(|| "redis has not answered yet".to_owned())
            }),
            Queue::Embedded(_) => None,
        }
    }
}
