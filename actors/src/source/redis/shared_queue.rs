//! What the sources and the monitor of a queue have in common.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::connect::Connector;
use super::health::{Health, HealthReporter};
use super::pulse::Pulse;
use super::wake::Waker;
use crate::fatal::FatalSignal;
use crate::self_metrics::QueueMetrics;
use crate::settings::{Endpoint, QueueSettings};
use crate::source::SourceError;

#[derive(Debug)]
pub struct SharedQueue {
    pub key: String,
    pub pop_count: Option<usize>,
    pub max_bytes_in_flight: usize,
    pub max_element_bytes: usize,
    pub connector: Connector,
    pub waker: Waker,
    pub health: Health,
    pub pulse: Pulse,
    /// Where elements were taken from last.
    taken_from: Mutex<Option<Endpoint>>,
    pub metrics: Arc<QueueMetrics>,
    pub fatal: FatalSignal,
    pub is_once: bool,
    pub delivery: &'static str,
}

impl SharedQueue {
    /// Opens nothing yet.
    pub fn new(
        settings: &QueueSettings,
        max_payload_bytes: usize,
        metrics: Arc<QueueMetrics>,
        fatal: FatalSignal,
    ) -> Self {
        Self {
            key: settings.key.clone(),
            pop_count: settings.pop_count,
            max_bytes_in_flight: settings.max_bytes_in_flight,
            max_element_bytes: max_payload_bytes,
            connector: Connector::new(settings.redis.clone(), &settings.key)
                .following_ask(settings.once.is_none()),
            waker: Waker::new(&settings.key),
            health: Health::default(),
            pulse: Pulse::default(),
            taken_from: Mutex::default(),
            metrics,
            fatal,
            is_once: settings.once.is_some(),
            delivery: settings.delivery(),
        }
    }

    /// Counts an error, and logs it where it is new.
    pub fn failed(&self, reporter: HealthReporter, cause: &SourceError) {
        self.metrics.errors[cause.kind as usize].fetch_add(1, Ordering::Relaxed);
        self.health.failed(reporter, cause);
        self.publish_health();
    }

    /// Logs where elements are taken from, where that is new.
    pub fn taking_from(&self, endpoint: &Endpoint) {
        let mut taken_from = self.taken_from.lock();
        if taken_from.as_ref() != Some(endpoint) {
            tracing::info!(%endpoint, "taking from redis");
            *taken_from = Some(endpoint.clone());
        }
    }

    /// Takes note that it works for that reporter; the queue is up once it works
    /// for all.
    pub fn works(&self, reporter: HealthReporter) {
        self.health.works(reporter);
        self.publish_health();
    }

    fn publish_health(&self) {
        let headline = self.health.headline();
        self.metrics.up.store(headline.is_none(), Ordering::Relaxed);
        *self.metrics.trouble.lock() = headline;
    }
}
