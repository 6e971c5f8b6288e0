//! The popping connection of a worker: what was asked for, and what is owed.

use std::collections::VecDeque;
use std::time::Duration;

use redis::cmd;

use super::super::SourceError;
use super::error::{error, kind_of_reply};
use super::replies::ReplyStream;
use super::shared_queue::SharedQueue;
use crate::error_kind::ErrorKind;
use crate::settings::Endpoint;

/// Pops that were not answered for this long, though the server answers others,
/// are given up: something on their way has lost them.
const LOST_REPLY: Duration = Duration::from_secs(10);

/// For how long it has to have answered others, in a row: a server that hung
/// answers all at once when it goes on.
const OTHERS_ANSWERED: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct PopConnection {
    pub(super) replies: ReplyStream,
    pub(super) endpoint: Endpoint,
    /// It was logged that elements are taken from there.
    pub(super) is_announced: bool,
    pub(super) in_flight: VecDeque<Pop>,
    /// The packed request, and the count it was packed for.
    request: Vec<u8>,
    pub(super) request_count: usize,
    /// Set for servers whose RPOP takes no count: a pop is then that many
    /// commands.
    pub(super) one_by_one: bool,
}

#[derive(Debug)]
pub(super) struct Pop {
    pub(super) asked: usize,
    pub(super) found: usize,
    /// Replies that are still to come.
    pub(super) owed: usize,
    pub(super) one_by_one: bool,
}

impl PopConnection {
    pub(super) fn new(replies: ReplyStream, endpoint: Endpoint) -> Self {
        Self {
            replies,
            endpoint,
            is_announced: false,
            in_flight: VecDeque::new(),
            request: Vec::new(),
            request_count: 0,
            one_by_one: false,
        }
    }

    /// Whether the primary was found elsewhere since this was opened.
    pub(super) fn leads_elsewhere(&self, shared: &SharedQueue) -> bool {
        shared.connector.leads_elsewhere(&self.endpoint)
    }

    /// Why what is owed is not worth waiting for, if it is not: it can't come any
    /// more, or must not be used. What a former primary has popped, its successor
    /// has too.
    pub(super) fn lost(&self, shared: &SharedQueue) -> Option<SourceError> {
        let heard = self.replies.heard();
        let why = if self.leads_elsewhere(shared) {
            "another server is the primary now"
        } else if heard.elapsed() >= LOST_REPLY
            && shared.pulse.went_on_after(heard, OTHERS_ANSWERED)
        {
            "redis answers other connections"
        } else {
            return None;
        };
        let (endpoint, count) = (&self.endpoint, self.in_flight.len());
        let seconds = heard.elapsed().as_secs();
        let message = format!("{endpoint}: no answer to {count} pops for {seconds} s, but {why}");
        Some(error(ErrorKind::Timeout, message))
    }

    /// Asks for `count` elements, once requests are sent.
    pub(super) fn pop(&mut self, key: &str, count: usize) {
        if self.request_count != count {
            self.request = pack(key, count, self.one_by_one);
            self.request_count = count;
        }
        if self.in_flight.is_empty() {
            self.replies.begin_to_wait();
        }
        let owed = if self.one_by_one { count } else { 1 };
        for _ in 0..owed {
            self.replies.request(&self.request);
        }
        self.in_flight.push_back(Pop { asked: count, found: 0, owed, one_by_one: self.one_by_one });
    }
}

fn pack(key: &str, count: usize, one_by_one: bool) -> Vec<u8> {
    if one_by_one {
        cmd("RPOP").arg(key).get_packed_command()
    } else {
        cmd("RPOP").arg(key).arg(count).get_packed_command()
    }
}

/// Whether a server before 6.2 refused the count.
pub(super) fn is_count_refused(words: &str) -> bool {
    kind_of_reply(words) == ErrorKind::Other && words.contains("wrong number of arguments")
}
