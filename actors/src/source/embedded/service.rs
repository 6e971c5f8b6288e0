//! The service: what all clients of the embedded queue share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::queue::Entry;
use crate::error_kind::ErrorKind;
use crate::self_metrics::RedisMetrics;
use crate::settings::{EmbeddedSettings, Login};

/// The version of Redis whose commands are answered as it does.
pub const REDIS_VERSION: &str = "7.0.15";

/// Databases that a client may select; the queue is in one of them.
const DATABASES: i64 = 16;

/// What all clients share.
#[derive(Debug)]
pub struct Service {
    /// Where pushes go; closed with the service.
    pub entry: Entry,
    /// The only key there is.
    pub key: Vec<u8>,
    /// The database that it is in.
    pub database: i64,
    /// Larger elements are cut to their head.
    pub max_element_bytes: usize,
    /// What clients have to say first.
    pub login: Option<Login>,
    /// How long a push waits for room.
    pub push_timeout: Duration,
    /// The bound of the queue.
    pub max_queue_bytes: usize,
    /// The most clients at a time.
    pub max_connections: usize,
    /// Memory of requests that are not complete.
    pub unfinished: Budget,
    /// Clients that are connected.
    pub clients: Arc<AtomicUsize>,
    /// The port listened on; 0 on a Unix socket.
    pub port: u16,
    next_client: AtomicU64,
    started: Instant,
    pub(super) metrics: Arc<RedisMetrics>,
}

/// Bytes that may be in use at a time.
#[derive(Debug)]
pub struct Budget {
    left: AtomicUsize,
}

/// A part of a budget, which is not given back by itself: see
/// [`Budget::adjust`].
#[derive(Debug, Default)]
pub struct Charge(usize);

/// The queue and its database, by which a service is made.
#[derive(Debug, Clone)]
pub struct Place {
    /// The key.
    pub key: String,
    /// The database.
    pub database: i64,
    /// The port listened on; 0 on a Unix socket.
    pub port: u16,
}

impl Service {
    /// A service without clients.
    pub fn new(
        settings: &EmbeddedSettings,
        place: Place,
        max_element_bytes: usize,
        entry: Entry,
        metrics: Arc<RedisMetrics>,
    ) -> Self {
        Self {
            entry,
            key: place.key.into_bytes(),
            database: place.database,
            max_element_bytes,
            login: settings.login.clone(),
            push_timeout: settings.push_timeout,
            max_queue_bytes: settings.max_queue_bytes,
            max_connections: settings.max_connections,
            unfinished: Budget { left: AtomicUsize::new(settings.max_queue_bytes) },
            clients: Arc::default(),
            port: place.port,
            next_client: AtomicU64::new(1),
            started: Instant::now(),
            metrics,
        }
    }

    /// A number that no client had before.
    pub fn next_client(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }

    /// Databases that may be selected.
    pub fn databases(&self) -> i64 {
        DATABASES.max(self.database + 1)
    }

    /// How long it has been there.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts what went wrong with a client.
    pub fn count(&self, kind: ErrorKind) {
        self.metrics.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether that is the queue's key, for a client of that database.
    pub fn is_queue(&self, key: &[u8], database: i64) -> bool {
        key == self.key && database == self.database
    }
}

impl Charge {
    /// Whether it is of nothing.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Budget {
    /// Makes a charge be of that many bytes; false where the budget has not
    /// enough left, then nothing changes.
    #[must_use]
    pub fn adjust(&self, charge: &mut Charge, bytes: usize) -> bool {
        if bytes > charge.0 {
            let more = bytes - charge.0;
            let take = |left: usize| left.checked_sub(more);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                return false;
            }
        } else {
            self.left.fetch_add(charge.0 - bytes, Ordering::Relaxed);
        }
        charge.0 = bytes;
        true
    }
}
