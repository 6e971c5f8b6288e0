//! The popping connection of a worker: what was asked for, and what is owed.

use std::collections::VecDeque;

use redis::cmd;

use super::replies::ReplyStream;
use crate::settings::Endpoint;

/// The popping connection.
#[derive(Debug)]
pub(super) struct Popping {
    pub(super) replies: ReplyStream,
    pub(super) endpoint: Endpoint,
    pub(super) in_flight: VecDeque<Pop>,
    /// The packed request, and the count it was packed for.
    request: Vec<u8>,
    pub(super) request_count: usize,
    /// Set for servers whose RPOP takes no count: a pop is then that many
    /// commands.
    pub(super) one_by_one: bool,
}

/// A pop that was asked for.
#[derive(Debug)]
pub(super) struct Pop {
    pub(super) asked: usize,
    pub(super) found: usize,
    /// Replies that are still to come.
    pub(super) owed: usize,
    pub(super) one_by_one: bool,
}

impl Popping {
    pub(super) fn new(replies: ReplyStream, endpoint: Endpoint) -> Self {
        Self {
            replies,
            endpoint,
            in_flight: VecDeque::new(),
            request: Vec::new(),
            request_count: 0,
            one_by_one: false,
        }
    }

    /// Asks for so many elements, once requests are sent.
    pub(super) fn pop(&mut self, key: &str, count: usize) {
        if self.request_count != count {
            self.request = pack(key, count, self.one_by_one);
            self.request_count = count;
        }
        self.replies.request(&self.request);
        let owed = if self.one_by_one { count } else { 1 };
        self.in_flight.push_back(Pop { asked: count, found: 0, owed, one_by_one: self.one_by_one });
    }
}

fn pack(key: &str, count: usize, one_by_one: bool) -> Vec<u8> {
    if one_by_one {
        cmd("RPOP").arg(key).get_packed_command().repeat(count)
    } else {
        cmd("RPOP").arg(key).arg(count).get_packed_command()
    }
}
