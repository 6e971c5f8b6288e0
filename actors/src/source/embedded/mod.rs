//! The embedded queue: the gateway itself listens for the Redis protocol, so
//! that every Redis client is a producer without a Redis. In flow order:
//!
//! ```text
//! listener ─► connection ─► session ─► queue ─► source
//! ```
//!
//! `listener` accepts clients on a thread of its own; `connection` moves the
//! bytes of one; `request` finds commands in them, as `words`; `session` answers
//! them by the table in `command` and the client's `profile`, with `staged` elements on their way to the `queue`
//! and `reply`s in the `outbox`; `source` is what readers take from. `clients`
//! has the places and bytes that there are for all of them, `complaints` their
//! lines in the log.

mod standing;
mod clients;
mod complaints;
mod listener;
pub mod offline;
mod stream;
mod connection;
pub mod request;
mod words;
mod session;
mod profile;
mod command;
mod transaction;
mod staged;
mod reply;
mod outbox;
mod service;
mod queue;
mod source;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use tokio_rustls::TlsAcceptor;

pub use self::source::EmbeddedSource;

use self::listener::{Listening, Treatment};
use self::queue::Exit;
use self::service::{Place, Service};
use crate::listen;
use crate::self_metrics::{QueueMetrics, WorkerMetrics};
use crate::settings::{EmbeddedSettings, QueueSettings};
use crate::stop::StopSignal;

/// The queue, once for the process; cheap to clone. Makes a source for each
/// worker.
#[derive(Debug, Clone)]
pub struct EmbeddedQueue {
    exit: Exit,
    address: Option<SocketAddr>,
}

impl EmbeddedQueue {
    /// Listens, and serves clients until the stop signal. Then no more is
    /// taken from them, and the sources end once the queue is empty.
    ///
    /// # Errors
    /// The address can't be listened on, or the certificate or key can't be
    /// used.
    pub fn start(
        settings: &EmbeddedSettings,
        queue: &QueueSettings,
        max_payload_bytes: usize,
        metrics: Arc<QueueMetrics>,
        stop: StopSignal,
    ) -> io::Result<Self> {
        let tls = settings.tls.as_ref().map(stream::server_config).transpose();
        let tls = tls.map_err(io::Error::other)?.map(Arc::new);
        let listening = Listening::bind(&settings.listen)?;
        let address = listening.tcp_address();
        let settings = EmbeddedSettings {
            max_connections: listen::make_room_for(
                settings.max_connections,
                "Embedded.MaxConnections",
            ),
            ..settings.clone()
        };
        let (entry, exit) = queue::queue(settings.max_queue_bytes, Arc::clone(&metrics));
        let place = Place {
            key: queue.key.clone(),
            database: queue.redis.database,
            port: address.map_or(0, |address| address.port()),
        };
        let service =
            Service::new(&settings, place, max_payload_bytes, entry, Arc::clone(&metrics));
        let treatment =
            Treatment { tls: tls.map(TlsAcceptor::from), idle_timeout: settings.idle_timeout };
        tracing::info!(address = %listening, "the embedded queue listens");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("embedded-queue".into()).spawn(move || {
            runtime.block_on(listener::run(listening, treatment, Arc::new(service), stop));
        })?;
        metrics.up.store(true, Ordering::Relaxed);
        Ok(Self { exit, address })
    }

    /// The source of a worker.
    pub fn source(&self, metrics: Arc<WorkerMetrics>) -> EmbeddedSource {
        EmbeddedSource::new(self.exit.clone(), metrics)
    }

    /// Where it listens, if not on a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}
