//! The embedded queue without sockets: what clients would be answered, and what
//! would be in the queue. The fuzzer of its sessions and its tests talk to it.

use std::sync::Arc;
use std::time::Duration;

use super::super::push_queue::{PushReceiver, push_queue};
use super::client_state::ClientAddress;
use super::service::{ServedQueue, Service};
use super::session::{Next, Session};
use crate::self_metrics::QueueMetrics;
use crate::settings::{EmbeddedSettings, ListenAddress, Login};

/// The key of the queue.
pub const KEY: &str = "q";
/// Bytes that an element may have.
pub const MAX_ELEMENT: usize = 1000;

/// Bytes that clients may make it hold, where nothing else is said.
const MAX_CLIENT_BYTES: usize = 32 * 1024 * 1024;

/// A queue whose clients are in the same process.
#[derive(Debug)]
pub struct Offline {
    pub(super) service: Arc<Service>,
    pub(super) receiver: PushReceiver,
}

/// One client of it.
#[derive(Debug)]
pub struct OfflineClient {
    session: Session,
    /// Bytes that were not used up.
    kept: Vec<u8>,
    is_closed: bool,
    answers: Vec<u8>,
}

impl Offline {
    /// An empty queue with that bound.
    pub fn new(max_queue_bytes: usize, login: Option<Login>) -> Self {
        Self::bounded(max_queue_bytes, MAX_CLIENT_BYTES, login)
    }

    /// The same, with a bound of what clients may make it hold.
    pub fn bounded(max_queue_bytes: usize, max_client_bytes: usize, login: Option<Login>) -> Self {
        let settings = EmbeddedSettings {
            listen: ListenAddress::Unix("/nowhere".into()),
            login,
            max_queue_bytes,
            max_client_bytes,
            push_timeout: Duration::from_secs(1),
            max_connections: 1000,
            idle_timeout: None,
            tls: None,
        };
        let metrics = Arc::new(QueueMetrics::default());
        let (sender, receiver) = push_queue(max_queue_bytes, Arc::clone(&metrics));
        let served = ServedQueue { key: KEY.into(), database: 0, port: 0 };
        let service = Service::new(&settings, served, MAX_ELEMENT, sender, metrics);
        Self { service: Arc::new(service), receiver }
    }

    /// A client that has said nothing yet.
    pub fn client(&self) -> OfflineClient {
        let slot = self.service.clients.admit().expect("fewer clients than there may be");
        OfflineClient {
            session: Session::new(Arc::clone(&self.service), slot, ClientAddress::default()),
            kept: Vec::new(),
            is_closed: false,
            answers: Vec::new(),
        }
    }

    /// Bytes that clients make it hold.
    pub fn held(&self) -> usize {
        self.service.clients.held()
    }

    /// Takes all that is in the queue: the bytes of each element, of one that is
    /// too large its first ones, and how many it has.
    pub fn taken(&self) -> Vec<(Vec<u8>, u64)> {
        let mut taken = Vec::new();
        while let Ok(chunk) = self.receiver.try_take() {
            for element in &chunk.elements {
                taken.push((chunk.bytes[element.range()].to_vec(), element.len() as u64));
            }
        }
        taken
    }
}

impl OfflineClient {
    /// Sends bytes. A push that would have to wait for room is given up.
    pub fn say(&mut self, bytes: &[u8]) {
        if self.is_closed {
            return;
        }
        self.kept.extend_from_slice(bytes);
        loop {
            let (used, next) = self.session.feed(&self.kept);
            self.kept.drain(..used);
            self.take_answers();
            match self.session.end_turn(next, self.kept.len()) {
                Next::Read => return,
                Next::Send | Next::Pause(_) => {}
                Next::Wait(_) => self.session.settle(Err("BUSY no room")),
                Next::Close => {
                    self.is_closed = true;
                    return;
                }
            }
        }
    }

    /// All that was answered so far.
    pub fn answers(&self) -> &[u8] {
        &self.answers
    }

    /// Whether the gateway has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Bytes that wait for more.
    pub fn unused(&self) -> usize {
        self.kept.len()
    }

    fn take_answers(&mut self) {
        let outbox = self.session.outbox();
        while !outbox.is_empty() {
            let some = outbox.bytes().to_vec();
            outbox.sent(some.len());
            self.answers.extend(some);
        }
    }
}
