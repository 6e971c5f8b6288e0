//! Tests of the conversation, without sockets.

mod backpressure;
mod budget;
mod commands;
mod fragments;
mod log;
mod outbox;
mod replies;
mod requests;
mod transactions;

use std::sync::Arc;

use super::super::Slice;
use super::super::push_queue::PushReceiver;
use super::client_state::ClientAddress;
use super::offline::Offline;
pub use super::offline::{KEY, MAX_ELEMENT};
use super::request::RequestDecoder;
use super::service::Service;
use super::session::{Next, Session};
use crate::self_metrics::QueueMetrics;
use crate::settings::{Login, Secret};

/// A service and what comes out of its queue.
pub struct Rig {
    pub service: Arc<Service>,
    pub receiver: PushReceiver,
    pub metrics: Arc<QueueMetrics>,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(1 << 20, None)
    }

    pub fn with(max_queue_bytes: usize, login: Option<(Option<&str>, &str)>) -> Self {
        let login = login.map(|(user, password)| Login {
            user: user.map(str::to_owned),
            password: Secret::new(password),
        });
        Self::of(Offline::new(max_queue_bytes, login))
    }

    /// With a bound of what clients may make it hold.
    pub fn bounded(max_client_bytes: usize) -> Self {
        Self::of(Offline::bounded(64 << 20, max_client_bytes, None))
    }

    fn of(Offline { service, receiver }: Offline) -> Self {
        let metrics = Arc::clone(&service.metrics);
        Self { service, receiver, metrics }
    }

    pub fn client(&self) -> Client {
        let slot = self.service.clients.admit().unwrap();
        let session = Session::new(Arc::clone(&self.service), slot, ClientAddress::default());
        Client { session, read: Vec::new() }
    }

    /// Takes all that is in the queue.
    pub fn taken(&self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Ok(chunk) = self.receiver.try_take() {
            taken.extend(chunk.elements.iter().map(|element| match element {
                Slice::Whole(range) => {
                    String::from_utf8_lossy(&chunk.bytes[range.clone()]).into_owned()
                }
                Slice::TooLarge { head, length } => {
                    format!("{} of {length}", head.len())
                }
            }));
        }
        taken
    }
}

/// One client's side.
pub struct Client {
    pub session: Session,
    /// Replies that it has read and not looked at.
    read: Vec<u8>,
}

impl Client {
    /// Gives it bytes, in as many turns as it takes; how the last one ended. It
    /// reads replies where nothing more is taken from it.
    pub fn give(&mut self, bytes: &[u8]) -> Next {
        let mut used = 0;
        loop {
            let (more, next) = self.session.feed(&bytes[used..]);
            used += more;
            assert_eq!(self.session.eviction().get(), None, "it has to leave");
            match self.session.end_turn(next, 0) {
                Next::Send if self.session.outbox().is_full() => self.read(),
                Next::Send => {}
                next @ (Next::Read | Next::Pause(_) | Next::Wait(_) | Next::Close) => {
                    assert!(used == bytes.len() || next == Next::Close, "{next:?}");
                    return next;
                }
            }
        }
    }

    /// What is answered to these bytes.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> String {
        assert_eq!(self.give(bytes.as_ref()), Next::Read);
        self.answers()
    }

    /// What is answered to a command.
    pub fn call(&mut self, words: &[&str]) -> String {
        self.say(packed(words))
    }

    /// The replies that have not been looked at.
    pub fn answers(&mut self) -> String {
        self.read();
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    /// Whether all replies are kept for it.
    pub fn has_read_nothing(&self) -> bool {
        self.read.is_empty()
    }

    fn read(&mut self) {
        let outbox = self.session.outbox();
        while !outbox.is_empty() {
            let some = outbox.bytes().to_vec();
            outbox.sent(some.len());
            self.read.extend(some);
        }
    }
}

/// A command as clients send it.
pub fn packed<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut packed = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        packed.extend(format!("${}\r\n", word.as_ref().len()).into_bytes());
        packed.extend(word.as_ref());
        packed.extend(b"\r\n");
    }
    packed
}

/// A decoder that has seen nothing.
pub fn decoder() -> RequestDecoder {
    RequestDecoder::default()
}
