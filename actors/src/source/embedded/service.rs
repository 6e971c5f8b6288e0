//! The service: what all clients of the embedded queue share.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::push_queue::PushSender;
use super::client_state::ClientAddress;
use super::clients::Clients;
use super::complaints::Complaints;
use crate::clock::Clock;
use crate::error_kind::ErrorKind;
use crate::likeness::{advice, likeness};
use crate::other_keys::PushesElsewhere;
use crate::self_metrics::QueueMetrics;
use crate::settings::{EmbeddedSettings, Login};

/// The version of Redis whose commands are answered as it does.
pub const REDIS_VERSION: &str = "7.0.15";

/// Databases that a client may select; the queue is in one of them.
const DATABASES: i64 = 16;

#[derive(Debug)]
pub struct Service {
    /// Where pushes go; closed with the service.
    pub queue: PushSender,
    pub served: ServedQueue,
    /// Larger elements are cut to their head.
    pub max_element_bytes: usize,
    /// What clients have to say first.
    pub login: Option<Login>,
    pub push_timeout: Duration,
    pub max_queue_bytes: usize,
    pub clients: Arc<Clients>,
    pub complaints: Complaints,
    clock: Clock,
    pub(super) metrics: Arc<QueueMetrics>,
}

#[derive(Debug, Clone)]
pub struct ServedQueue {
    pub key: String,
    pub database: i64,
    /// The port listened on; 0 on a Unix socket.
    pub port: u16,
}

impl Service {
    pub fn new(
        settings: &EmbeddedSettings,
        served: ServedQueue,
        max_element_bytes: usize,
        queue: PushSender,
        metrics: Arc<QueueMetrics>,
    ) -> Self {
        let clock = Clock::start();
        Self {
            queue,
            served,
            max_element_bytes,
            login: settings.login.clone(),
            push_timeout: settings.push_timeout,
            max_queue_bytes: settings.max_queue_bytes,
            clients: Clients::new(settings.max_connections, settings.max_client_bytes),
            complaints: Complaints::new(clock),
            clock,
            metrics,
        }
    }

    pub fn databases(&self) -> i64 {
        DATABASES.max(self.served.database + 1)
    }

    pub fn uptime(&self) -> Duration {
        Duration::from_millis(self.clock.now().0)
    }

    pub fn count(&self, kind: ErrorKind) {
        self.metrics.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a push to another key or database: its client may not look at the
    /// answer.
    pub fn pushed_elsewhere(&self, key: &[u8], database: i64, address: ClientAddress) {
        self.count(ErrorKind::WrongKey);
        let ServedQueue { key: queue, database: its_database, .. } = &self.served;
        let advise = |other: &str| {
            if other == queue {
                return format!(
                    "set Redis.MetricQueueDatabase={database}, or have producers SELECT {its_database}"
                );
            }
            advice(other, queue, likeness(other, queue))
        };
        if let Some(first) = self.metrics.other_keys.note(key, database, advise) {
            let PushesElsewhere { key, advice, .. } = first;
            tracing::warn!(key, database, peer = %address, %queue, advice,
                "a push to another key than the queue's was refused; this key is not logged again");
        }
    }

    /// Whether that is the queue's key, for a client of that database.
    pub fn is_queue(&self, key: &[u8], database: i64) -> bool {
        key == self.served.key.as_bytes() && database == self.served.database
    }
}
