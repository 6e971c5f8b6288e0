//! Tests of the conversation, without sockets.

mod backpressure;
mod commands;
mod fragments;
mod outbox;
mod requests;
mod transactions;

use std::sync::Arc;

use super::super::Slice;
use super::offline::Offline;
pub use super::offline::{KEY, MAX_ELEMENT};
use super::queue::Exit;
use super::request::Decoder;
use super::service::Service;
use super::session::{Next, Session};
use crate::self_metrics::RedisMetrics;
use crate::settings::{Login, Secret};

/// A service and what comes out of its queue.
pub struct Rig {
    pub service: Arc<Service>,
    pub exit: Exit,
    pub metrics: Arc<RedisMetrics>,
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
        let Offline { service, exit } = Offline::new(max_queue_bytes, login);
        let metrics = Arc::clone(&service.metrics);
        Self { service, exit, metrics }
    }

    pub fn client(&self) -> Client {
        Client { session: Session::new(Arc::clone(&self.service)) }
    }

    /// Takes all that is in the queue.
    pub fn taken(&self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Ok(chunk) = self.exit.try_take() {
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
}

impl Client {
    /// What is answered to these bytes.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let (used, next) = self.session.feed(bytes.as_ref());
        assert_eq!((used, next), (bytes.as_ref().len(), Next::Read));
        self.answers()
    }

    /// What is answered to a command.
    pub fn call(&mut self, words: &[&str]) -> String {
        self.say(packed(words))
    }

    /// The replies that have not been looked at.
    pub fn answers(&mut self) -> String {
        let mut bytes = Vec::new();
        let outbox = self.session.outbox();
        while !outbox.is_empty() {
            let some = outbox.bytes().to_vec();
            outbox.sent(some.len());
            bytes.extend(some);
        }
        String::from_utf8_lossy(&bytes).into_owned()
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
pub fn decoder() -> Decoder {
    Decoder::default()
}
