//! The state of a client: what it has said about itself.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use super::reply::Protocol;

/// What a subscription costs besides its name.
const SUBSCRIPTION_BYTES: usize = 96;

/// What a client has said about itself.
#[derive(Debug, Default)]
pub struct ClientState {
    pub id: u64,
    pub address: ClientAddress,
    pub protocol: Protocol,
    /// Whether it has logged in, or need not.
    pub is_known: bool,
    /// May be empty.
    pub name: Vec<u8>,
    pub database: i64,
    pub channels: Subscriptions,
    pub patterns: Subscriptions,
    pub replies: ReplyMode,
    pub refused_logins: u32,
}

/// Where a client comes from; nothing on a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientAddress(pub Option<SocketAddr>);

#[derive(Debug, Default)]
pub struct Subscriptions {
    names: BTreeSet<Vec<u8>>,
    bytes: usize,
}

/// Which replies a client wants (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// All but that to the present command and to the one that follows.
    SkipNext,
    /// All but that to the present command.
    Skip,
}

impl ClientState {
    /// Whether it may only say what subscribers may: in RESP2, replies and what
    /// is published could not be told apart.
    pub fn is_subscriber_only(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions() > 0
    }

    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Memory that it takes up.
    pub fn held(&self) -> usize {
        self.name.capacity() + self.channels.bytes + self.patterns.bytes
    }
}

impl Subscriptions {
    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    pub fn insert(&mut self, name: &[u8]) {
        if self.names.insert(name.to_vec()) {
            self.bytes += name.len() + SUBSCRIPTION_BYTES;
        }
    }

    pub fn remove(&mut self, name: &[u8]) {
        if self.names.remove(name) {
            self.bytes -= name.len() + SUBSCRIPTION_BYTES;
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("the Unix socket"),
        }
    }
}

impl ReplyMode {
    /// What holds for the next command.
    pub(super) fn next(self) -> Self {
        match self {
            ReplyMode::On | ReplyMode::Skip => ReplyMode::On,
            ReplyMode::Off => ReplyMode::Off,
            ReplyMode::SkipNext => ReplyMode::Skip,
        }
    }
}
