//! The link: the one connection over which an owner claims, reads, renews and
//! commits. Replies come in the order of the requests, so each of them says what
//! holds at its point of that order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::scripts::Call;
use crate::error_kind::ErrorKind;
use crate::settings::Endpoint;
use crate::source::redis::bounded::SMALL_REPLY;
use crate::source::redis::connect::Connected;
use crate::source::redis::decoder::Reply;
use crate::source::redis::error::{error, io_failed, protocol_broken, refused};
use crate::source::redis::replies::ReplyStream;
use crate::source::redis::shared_queue::SharedQueue;
use crate::source::{Slice, SourceError};

/// The usual size of the read buffer.
const BUFFER_BYTES: usize = 256 * 1024;

/// How long an answer may take. A server that says nothing for longer is left,
/// and what it was asked is in doubt.
pub const ANSWER: Duration = Duration::from_secs(5);

/// The largest value that Redis holds, and the most of a reply that is held.
const LARGEST_VALUE: usize = 512 << 20;

/// What an element takes in the list of those that are held.
const OVERHEAD: usize = size_of::<Slice>();

#[derive(Debug)]
pub struct Link {
    queue: Arc<SharedQueue>,
    replies: ReplyStream,
    endpoint: Endpoint,
    /// Of the current reply.
    elements: Vec<Slice>,
    /// Whether the current reply has ended: the next one may begin.
    ended: bool,
    /// Bytes that one reply may have.
    most_bytes: usize,
    held: HeldElements,
}

/// How much of a reply is held: its last elements, of a page the oldest ones,
/// within a number of bytes. Nobody knows before how large they are.
#[derive(Debug, Default)]
struct HeldElements {
    /// Bytes of elements that are held at most, but for one; no bound where none
    /// is given.
    most: Option<usize>,
    /// Bytes that are held, and elements of which that is known.
    bytes: usize,
    counted: usize,
    /// Elements that were let go of.
    dropped: u64,
    largest: usize,
    all: u64,
}

/// What a reply had, elements included that are not held.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    pub elements: u64,
    /// The largest of them, in bytes.
    pub largest: usize,
    pub bytes: u64,
}

/// What a script answered, once its own refusal is out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptReply {
    /// What it says after `ok`.
    Ok(Vec<String>),
    /// Epoch or token are not the caller's; those that are there.
    Lost {
        /// Empty where there is no owner hash.
        epoch: String,
        /// Empty where the queue was given back.
        token: String,
    },
    /// Another word, such as `moved` or `empty`, and what it says after it.
    Other(String, Vec<String>),
}

impl Link {
    pub async fn connect(queue: &Arc<SharedQueue>) -> Result<Self, SourceError> {
        let Connected { stream, endpoint, .. } = queue.connector.connect().await?;
        let replies = ReplyStream::new(stream, BUFFER_BYTES, SMALL_REPLY);
        Ok(Self {
            queue: Arc::clone(queue),
            replies,
            endpoint,
            elements: Vec::new(),
            ended: true,
            most_bytes: SMALL_REPLY,
            held: HeldElements::default(),
        })
    }

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
            self.held = HeldElements { most: self.held.most, ..HeldElements::default() };
            self.ended = false;
        }
        loop {
            let reply = self.replies.next(&mut self.elements);
            let reply = reply.map_err(|cause| protocol_broken(&cause))?;
            if self.held.count(&mut self.elements) && reply.is_none() {
                self.replies.let_go(self.elements.first().map(|element| element.range().start));
            }
            if let Some(reply) = reply {
                self.ended = true;
                if let Reply::Error(words) = &reply {
                    // In a cluster it may say which node has the queue.
                    self.queue.connector.note_refusal(&self.endpoint, words);
                }
                return Ok(reply);
            }
            let received = self.replies.receive_whole(&mut self.elements, self.most_bytes).await;
            received.map_err(|cause| io_failed("waiting for an answer", &cause))?;
        }
    }

    /// When bytes came in last.
    pub fn heard(&self) -> Instant {
        self.replies.heard()
    }

    /// From now on an answer is waited for.
    pub fn begin_to_wait(&mut self) {
        self.replies.begin_to_wait();
    }

    /// Of the current and the next replies no more than so many bytes are held, and
    /// one element; what came first is dropped.
    pub fn hold_at_most(&mut self, bytes: usize) {
        self.held.most = Some(bytes);
    }

    /// What the current reply had.
    pub fn received(&self) -> Received {
        let HeldElements { dropped, largest, all, .. } = self.held;
        Received { elements: self.elements.len() as u64 + dropped, largest, bytes: all }
    }

    /// The elements of the current reply, as the server ordered them.
    pub fn elements(&mut self) -> &mut Vec<Slice> {
        &mut self.elements
    }

    /// The buffer and what of it the elements of the current reply are.
    pub fn page(&self) -> (&[u8], &[Slice]) {
        (self.replies.bytes(), &self.elements)
    }

    /// The elements of the current reply as bytes of their own.
    pub fn held_values(&self) -> Vec<Vec<u8>> {
        let bytes = self.replies.bytes();
        self.elements.iter().map(|element| bytes[element.range()].to_vec()).collect()
    }

    pub fn script_reply(&self, name: &str, reply: Reply) -> Result<ScriptReply, SourceError> {
        let mut texts = self
            .values_of(name, reply)?
            .into_iter()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match texts.next().as_deref() {
            Some("ok") => Ok(ScriptReply::Ok(texts.collect())),
            Some("lost") => Ok(ScriptReply::Lost {
                epoch: texts.next().unwrap_or_default(),
                token: texts.next().unwrap_or_default(),
            }),
            Some(word) => Ok(ScriptReply::Other(word.to_owned(), texts.collect())),
            None => Err(error(ErrorKind::Protocol, format!("{name} answered nothing"))),
        }
    }

    /// Runs a script while nothing else is under way.
    pub async fn run(&mut self, call: Call) -> Result<ScriptReply, SourceError> {
        let reply = self.exchange(&call.pack()).await?;
        self.script_reply(call.name, reply)
    }

    /// Runs a command with a small reply while nothing else is under way.
    pub async fn values(&mut self, name: &str, packed: &[u8]) -> Result<Vec<Vec<u8>>, SourceError> {
        let reply = self.exchange(packed).await?;
        self.values_of(name, reply)
    }

    async fn exchange(&mut self, packed: &[u8]) -> Result<Reply, SourceError> {
        self.request(packed);
        let reply = tokio::time::timeout(ANSWER, self.reply()).await;
        reply.unwrap_or_else(|_| Err(self.no_answer()))
    }

    fn values_of(&self, name: &str, reply: Reply) -> Result<Vec<Vec<u8>>, SourceError> {
        match reply {
            Reply::Error(words) => Err(refused(name, &words)),
            Reply::Elements(_) => Ok(self.held_values()),
            Reply::Nil => Ok(Vec::new()),
        }
    }

    /// Runs a command whose reply may be as large as what Redis holds, while
    /// nothing else is under way. As long as it comes in it may take its time.
    pub async fn load_values(
        &mut self,
        name: &str,
        packed: &[u8],
    ) -> Result<Vec<Vec<u8>>, SourceError> {
        self.most_bytes = LARGEST_VALUE;
        self.replies.set_max_element_bytes(LARGEST_VALUE);
        self.request(packed);
        self.begin_to_wait();
        let reply = loop {
            let deadline = self.heard() + ANSWER;
            tokio::select! {
                biased;
                reply = self.reply() => break reply?,
                () = tokio::time::sleep_until(deadline) => {}
            }
            if self.heard() + ANSWER <= deadline {
                return Err(self.no_answer());
            }
        };
        self.most_bytes = SMALL_REPLY;
        self.replies.set_max_element_bytes(SMALL_REPLY);
        self.values_of(name, reply)
    }

    /// The error of an answer that does not come.
    pub fn no_answer(&self) -> SourceError {
        let seconds = ANSWER.as_secs();
        error(ErrorKind::Timeout, format!("{}: no answer within {seconds} s", self.endpoint))
    }

    /// From here on replies hold elements of the queue, of which no more is held
    /// than [`hold_at_most`](Self::hold_at_most) says.
    pub fn expect_elements(&mut self) {
        self.most_bytes = LARGEST_VALUE;
        self.replies.set_max_element_bytes(self.queue.max_element_bytes);
    }
}

impl HeldElements {
    /// Counts elements that came in, and drops the first ones where they are too
    /// many; whether it did.
    fn count(&mut self, elements: &mut Vec<Slice>) -> bool {
        for element in &elements[self.counted..] {
            let length = element.len();
            self.bytes += size(element);
            self.largest = self.largest.max(length);
            self.all += length as u64;
        }
        let most = self.most.unwrap_or(usize::MAX);
        let mut gone = 0;
        while self.bytes > most && gone < elements.len() && (most == 0 || gone + 1 < elements.len())
        {
            self.bytes -= size(&elements[gone]);
            gone += 1;
        }
        elements.drain(..gone);
        self.dropped += gone as u64;
        self.counted = elements.len();
        gone > 0
    }
}

/// What it takes to hold an element.
fn size(element: &Slice) -> usize {
    element.range().len() + OVERHEAD
}
