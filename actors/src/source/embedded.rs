//! The embedded queue: the gateway itself listens for the Redis protocol, so
//! that every Redis client is a producer without a Redis. In flow order:
//!
//! ```text
//! listener ─► connection ─► session ─► push queue ─► push source
//! ```
//!
//! `listener` accepts clients on a thread of its own; `connection` moves the
//! bytes of one; `request` finds commands in them, with their `arguments`;
//! `session` answers them by the table in its `command` and the `client_state`,
//! with `staged` elements on their way to the `push_queue`
//! and a `reply` to each in the `outbox`. A `transaction` is what waits for
//! its EXEC. `clients` has the connections and bytes that there are for all of
//! them, `complaints` their lines in the log.
//!
//! *All or nothing.* Elements are copied once, into what the client has staged.
//! At the end of the push, room is reserved in the queue (a semaphore that
//! counts bytes and serves in order), and only then are they committed; what
//! one read has committed leaves as one chunk, before anything is answered. A
//! transaction is committed as a whole.
//!
//! *Bounds.* Whatever is kept for a client between two turns is charged to it
//! and given back when it leaves. What would grow by more than a turn's worth
//! asks first. From seven eighths of the budget on, a client that grows has the
//! one leave that weighs most (bytes times the time for which it has held
//! them), which may be itself. A push that waits is looked at again when it
//! gets its room: if its client has left, it takes nothing.
//!
//! *Replies.* Reading goes on while replies can't be sent, or a deep pipeline
//! would stand still; beyond 64 KiB equal replies in a row are kept once and
//! counted.
//!
//! *Turns.* A connection works for 16 KiB of requests or replies, or 256
//! commands, then all others have their turn: a flood of one costs the others
//! some 0.1 ms.
//!
//! *Waking.* The first chunk in an empty queue wakes a reader; a reader that
//! leaves some wakes another. Small pushes in quick succession are gathered for
//! a millisecond, since each batch wakes a reader and every shard; after a
//! silence a push is handed out at once.
//!
//! *Stopping.* The queue is closed when the last session is gone. Everything
//! acknowledged is in it by then, and the sources end only when it is closed
//! and empty.

mod clients;
mod complaints;
mod listener;
pub mod offline;
mod stream;
mod connection;
pub mod request;
mod arguments;
mod session;
mod client_state;
mod transaction;
mod staged;
mod reply;
mod outbox;
mod service;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use self::listener::{Listener, ListenerOptions};
use self::service::{ServedQueue, Service};
use super::push_queue::{Chunk, PushReceiver, Reservation, cost, push_queue};
use super::push_source::PushSource;
use super::{PushError, Slice};
use crate::listen;
use crate::self_metrics::{QueueMetrics, WorkerMetrics};
use crate::settings::{EmbeddedSettings, QueueSettings};
use crate::stop::StopSignal;

/// How long a push of the gateway itself waits for room at most, whatever clients may.
const PATIENCE: Duration = Duration::from_secs(5);

/// The queue, once for the process; cheap to clone. Makes a source for each
/// worker.
#[derive(Debug, Clone)]
pub struct EmbeddedQueue {
    receiver: PushReceiver,
    address: Option<SocketAddr>,
    /// Gone once the last session is: who holds it keeps the queue open.
    service: Weak<Service>,
    stop: StopSignal,
}

/// Room that a push has in the queue; it is open meanwhile.
#[derive(Debug)]
pub struct PushRoom {
    room: Reservation,
    service: Arc<Service>,
}

/// What keeps the queue open.
#[derive(Debug)]
pub struct HeldOpen {
    _service: Option<Arc<Service>>,
}

impl PushRoom {
    /// Pushes the elements, which are those parts of `bytes`.
    pub fn push(self, bytes: Vec<u8>, elements: Vec<Range<usize>>) {
        let elements: Vec<Slice> = elements.into_iter().map(Slice::Whole).collect();
        self.service.queue.announce(elements.len());
        let mut chunk = Chunk { bytes, elements, room: self.room };
        chunk.trim();
        self.service.queue.push(chunk);
    }
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
        let tls = tls.map_err(io::Error::other)?.map(|config| TlsAcceptor::from(Arc::new(config)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let bound = {
            let _entered = runtime.enter();
            Listener::bind(&settings.listen)
        };
        let listener = match bound {
            Ok(listener) => listener,
            Err(cause) => {
                // The caller may be within another runtime, which may not wait for
                // this one.
                runtime.shutdown_background();
                return Err(cause);
            }
        };
        let address = listener.tcp_address();
        let max_connections =
            listen::make_room_for(settings.max_connections, "Embedded.MaxConnections");
        let settings = EmbeddedSettings { max_connections, ..settings.clone() };
        let (sender, receiver) = push_queue(settings.max_queue_bytes, Arc::clone(&metrics));
        let served = ServedQueue {
            key: queue.key.clone(),
            database: queue.redis.database,
            port: address.map_or(0, |address| address.port()),
        };
        let service =
            Service::new(&settings, served, max_payload_bytes, sender, Arc::clone(&metrics));
        let options = ListenerOptions { tls, idle_timeout: settings.idle_timeout };
        let service = Arc::new(service);
        let queue =
            Self { receiver, address, service: Arc::downgrade(&service), stop: stop.clone() };
        tracing::info!(address = %listener, "the embedded queue listens");
        thread::Builder::new().name("embedded-queue".into()).spawn(move || {
            runtime.block_on(listener.run(options, service, stop));
        })?;
        metrics.up.store(true, Ordering::Relaxed);
        Ok(queue)
    }

    /// Room for a push of the gateway itself, which is waited for as a client would.
    pub async fn reserve(&self, elements: usize, bytes: usize) -> Result<PushRoom, PushError> {
        let ending = || PushError::Away("the gateway is shutting down".to_owned());
        let service = self.service.upgrade().ok_or_else(ending)?;
        let cost = cost(elements, bytes);
        if service.queue.never_fits(cost) {
            return Err(PushError::NeverFits);
        }
        let mut stop = self.stop.clone();
        let room = tokio::select! {
            biased;
            room = service.queue.reserve(cost) => room,
            () = stop.stopped() => return Err(ending()),
            () = sleep(service.push_timeout.min(PATIENCE)) => return Err(PushError::Full),
        };
        Ok(PushRoom { room, service })
    }

    /// Keeps the queue open, after the stop signal too, until it is dropped.
    pub fn hold_open(&self) -> HeldOpen {
        HeldOpen { _service: self.service.upgrade() }
    }

    /// The source of a worker.
    pub fn source(&self, metrics: Arc<WorkerMetrics>) -> PushSource {
        PushSource::new(self.receiver.clone(), metrics)
    }

    /// Where it listens, if not on a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}
