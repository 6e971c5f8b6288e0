//! The profile of a client: what it has said about itself.

use std::collections::BTreeSet;

use super::reply::Protocol;

/// What a client has said about itself.
#[derive(Debug, Default)]
pub struct Profile {
    /// Its number.
    pub id: u64,
    /// The version that it speaks.
    pub protocol: Protocol,
    /// Whether it has logged in, or need not.
    pub is_known: bool,
    /// Its name, which may be empty.
    pub name: Vec<u8>,
    /// The database that it has selected.
    pub database: i64,
    /// Channels that it has subscribed to.
    pub channels: BTreeSet<Vec<u8>>,
    /// Patterns that it has subscribed to.
    pub patterns: BTreeSet<Vec<u8>>,
    /// Whether it wants replies.
    pub replies: Replies,
}

/// Which replies a client wants (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replies {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// All but that to the command in hand and to the one that follows.
    SkipNext,
    /// All but that to the command in hand.
    Skip,
}

impl Profile {
    /// Whether it may only say what subscribers may: in RESP2, replies and what
    /// is published could not be told apart.
    pub fn is_subscriber_only(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions() > 0
    }

    /// Channels and patterns that it has subscribed to.
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}

impl Replies {
    /// What holds for the next command.
    pub(super) fn next(self) -> Self {
        match self {
            Replies::On | Replies::Skip => Replies::On,
            Replies::Off => Replies::Off,
            Replies::SkipNext => Replies::Skip,
        }
    }
}
