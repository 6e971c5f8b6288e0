//! The link: the one connection over which an owner claims, reads, renews and
//! commits. Replies come in the order of the requests, so each of them says what
//! holds at its point of that order.

use super::super::super::{Slice, SourceError};
use super::super::Shared;
use super::super::connect::Connected;
use super::super::decoder::Reply;
use super::super::error::{error, io_failed, protocol_broken, refused};
use super::super::replies::ReplyStream;
use super::scripts::Call;
use crate::error_kind::ErrorKind;
use crate::settings::Endpoint;
use std::sync::Arc;
use std::time::Duration;

/// The usual size of the read buffer.
const BUFFER_BYTES: usize = 256 * 1024;

/// How long an answer may take. A server that says nothing for longer is left,
/// and what it was asked is in doubt.
pub const ANSWER: Duration = Duration::from_secs(5);

/// The largest value that Redis holds.
const LARGEST_VALUE: usize = 512 << 20;

/// The owner's connection.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    replies: ReplyStream,
    endpoint: Endpoint,
    /// Of the reply in hand.
    elements: Vec<Slice>,
    /// Whether the reply in hand has ended: the next one may begin.
    ended: bool,
}

/// What a script answered, once its own refusal is out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What it says behind `ok`.
    Ok(Vec<String>),
    /// Epoch or token are not the caller's; those that are there.
    Lost {
        /// Empty where there is no owner hash.
        epoch: String,
        /// Empty where the queue was given back.
        token: String,
    },
    /// Another word, such as `moved` or `empty`, and what it says behind it.
    Other(String, Vec<String>),
}

impl Link {
    /// Connects to the primary.
    pub async fn connect(shared: &Arc<Shared>) -> Result<Self, SourceError> {
        let Connected { stream, endpoint, is_asking } = shared.connector.connect().await?;
        let replies = ReplyStream::new(stream, BUFFER_BYTES, shared.max_element_bytes);
        let replies = replies.asking(is_asking);
        let shared = Arc::clone(shared);
        Ok(Self { shared, replies, endpoint, elements: Vec::new(), ended: true })
    }

    /// The server's address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Puts a packed command in line.
    pub fn request(&mut self, packed: &[u8]) {
        self.replies.request(packed);
    }

    /// Sends as much as the socket takes now.
    pub async fn send(&mut self) -> Result<(), SourceError> {
        self.replies.send().await.map_err(|cause| io_failed("asking", &cause))
    }

    /// Waits for the next reply to be whole. Can be dropped and called again.
    pub async fn reply(&mut self) -> Result<Reply, SourceError> {
        if self.ended {
            self.elements.clear();
            self.ended = false;
        }
        loop {
            let reply = self.replies.next(&mut self.elements);
            if let Some(reply) = reply.map_err(|cause| protocol_broken(&cause))? {
                self.ended = true;
                if let Reply::Error(words) = &reply {
                    // In a cluster it may say which node has the queue.
                    self.shared.connector.note_refusal(&self.endpoint, words);
                }
                return Ok(reply);
            }
            let received = self.replies.receive_whole(&mut self.elements).await;
            received.map_err(|cause| io_failed("waiting for an answer", &cause))?;
        }
    }

    /// The elements of the reply in hand, as the server ordered them.
    pub fn elements(&mut self) -> &mut Vec<Slice> {
        &mut self.elements
    }

    /// The buffer and what of it the elements of the reply in hand are.
    pub fn page(&self) -> (&[u8], &[Slice]) {
        (self.replies.bytes(), &self.elements)
    }

    /// The elements of the reply in hand as bytes of their own.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let bytes = self.replies.bytes();
        let value = |element: &Slice| match element {
            Slice::Whole(range) | Slice::TooLarge { head: range, .. } => {
                bytes[range.clone()].to_vec()
            }
        };
        self.elements.iter().map(value).collect()
    }

    /// What a script's reply says.
    pub fn answer(&self, name: &str, reply: Reply) -> Result<Answer, SourceError> {
        match reply {
            Reply::Error(words) => return Err(refused(name, &words)),
            Reply::Elements(_) | Reply::Nil => {}
        }
        let texts = self.values().into_iter();
        let mut texts = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match texts.next().as_deref() {
            Some("ok") => Ok(Answer::Ok(texts.collect())),
            Some("lost") => {
                let mut text = || texts.next().unwrap_or_default();
                Ok(Answer::Lost { epoch: text(), token: text() })
            }
            Some(word) => Ok(Answer::Other(word.to_owned(), texts.collect())),
            None => Err(error(ErrorKind::Protocol, format!("{name} answered nothing"))),
        }
    }

    /// Runs a script while nothing else is under way.
    pub async fn run(&mut self, call: Call) -> Result<Answer, SourceError> {
        let reply = self.exchange(&call.pack()).await?;
        self.answer(call.name, reply)
    }

    /// Runs a command while nothing else is under way.
    pub async fn exchange(&mut self, packed: &[u8]) -> Result<Reply, SourceError> {
        self.request(packed);
        self.reply_in_time().await
    }

    /// The next reply, within the time that one may take.
    pub async fn reply_in_time(&mut self) -> Result<Reply, SourceError> {
        let reply = tokio::time::timeout(ANSWER, self.reply()).await;
        reply.unwrap_or_else(|_| Err(self.no_answer()))
    }

    /// The error of an answer that does not come.
    pub fn no_answer(&self) -> SourceError {
        let seconds = ANSWER.as_secs();
        error(ErrorKind::Timeout, format!("{}: no answer within {seconds} s", self.endpoint))
    }

    /// From here on replies hold values of any size; not elements of the queue.
    pub fn expect_values(&mut self) {
        self.replies.set_max_element_bytes(LARGEST_VALUE);
    }

    /// From here on replies hold elements of the queue.
    pub fn expect_elements(&mut self) {
        self.replies.set_max_element_bytes(self.shared.max_element_bytes);
    }
}
