//! A connection as a stream of replies: requests go out in batches, reply bytes
//! come into one buffer, and the decoder finds the elements there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::Slice;
use super::bounded;
use super::decoder::{ProtocolError, Reply, ReplyDecoder};
use super::stream::RedisStream;

/// Reads in a row that needed no more than the buffer's usual size, after which
/// a buffer that had grown shrinks back.
const READS_BEFORE_SHRINKING: u32 = 64;

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// Requests out, elements in.
#[derive(Debug)]
pub struct ReplyStream {
    stream: RedisStream,
    decoder: ReplyDecoder,
    /// Initialised throughout; the first `filled` bytes are what came in.
    buffer: Vec<u8>,
    filled: usize,
    usual_bytes: usize,
    max_bytes: usize,
    small_reads: u32,
    /// Requests; the first `sent` bytes have gone out.
    outgoing: Vec<u8>,
    sent: usize,
    unflushed: bool,
    /// When bytes came in last, or began to be waited for.
    heard: Instant,
    /// Whether each request says `ASKING` first, and whether what it came to has
    /// been passed over in the current reply.
    is_asking: bool,
    is_asked: bool,
}

impl ReplyStream {
    /// A stream without outstanding replies, read into a buffer of
    /// `usual_bytes` that grows for larger elements up to `max_element_bytes`;
    /// what is larger is skipped.
    pub fn new(stream: RedisStream, usual_bytes: usize, max_element_bytes: usize) -> Self {
        Self {
            stream,
            decoder: ReplyDecoder::new(max_element_bytes),
            buffer: vec![0; usual_bytes],
            filled: 0,
            usual_bytes,
            max_bytes: max_element_bytes.saturating_add(usual_bytes),
            small_reads: 0,
            outgoing: Vec::new(),
            sent: 0,
            unflushed: false,
            heard: Instant::now(),
            is_asking: false,
            is_asked: false,
        }
    }

    /// Each request says `ASKING` first, where that is so: a node of a cluster
    /// that a slot is being moved to wants to hear it.
    pub fn asking(mut self, is_asking: bool) -> Self {
        self.is_asking = is_asking;
        self
    }

    /// Puts one packed request in line; it goes out with the next
    /// [`send`](Self::send) or [`receive`](Self::receive).
    pub fn request(&mut self, packed: &[u8]) {
        if self.is_asking {
            self.outgoing.extend_from_slice(ASKING);
        }
        self.outgoing.extend_from_slice(packed);
    }

    /// A reply is owed from now on, where none was.
    pub fn begin_to_wait(&mut self) {
        self.heard = Instant::now();
    }

    /// When bytes came in last, or began to be waited for.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Sends as much of what is in line as the socket takes now, without
    /// waiting for it.
    pub async fn send(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| match self.poll_send(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Waits for bytes and reads once, and goes on sending meanwhile. Ranges
    /// given out before no longer hold. Can be dropped without losing anything.
    /// An end of the stream is an error of kind `UnexpectedEof`.
    pub async fn receive(&mut self) -> io::Result<()> {
        self.filled = self.decoder.compact(&mut self.buffer, self.filled);
        self.fit_buffer();
        self.transfer().await
    }

    /// Sends what is in line, and reads once.
    async fn transfer(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| {
            if let Poll::Ready(Err(cause)) = self.poll_send(context) {
                return Poll::Ready(Err(cause));
            }
            let read = ready!(self.poll_read(context))?;
            self.filled += read;
            self.heard = Instant::now();
            Poll::Ready(if read == 0 { Err(closed()) } else { Ok(()) })
        })
        .await
    }

    /// As [`receive`](Self::receive), but `elements`, which are those of the
    /// current reply, stay in the buffer, and their ranges hold. More than
    /// `most_bytes` of it are an error.
    pub async fn receive_whole(
        &mut self,
        elements: &mut [Slice],
        most_bytes: usize,
    ) -> io::Result<()> {
        if self.filled - self.decoder.kept_from() > most_bytes {
            return Err(bounded::too_large(most_bytes));
        }
        if self.buffer.len() - self.filled < self.usual_bytes / 2 {
            self.filled = self.decoder.compact_whole(&mut self.buffer, self.filled, elements);
        }
        // A reply is held whole, however large it may be.
        self.max_bytes = self.max_bytes.max(self.buffer.len().saturating_mul(2));
        self.fit_buffer();
        self.transfer().await
    }

    /// Lets go of what the current reply has brought before that place, or of all
    /// of it; see [`receive_whole`](Self::receive_whole).
    pub fn let_go(&mut self, from: Option<usize>) {
        self.decoder.let_go(from);
    }

    /// Changes the bound on elements; only while no reply is outstanding.
    pub fn set_max_element_bytes(&mut self, bytes: usize) {
        self.decoder.set_max_element_bytes(bytes);
        self.max_bytes = bytes.saturating_add(self.usual_bytes);
    }

    /// Appends the elements that have come in to `elements`, up to the end of
    /// one reply; `None` when more has to be received.
    pub fn next(&mut self, elements: &mut Vec<Slice>) -> Result<Option<Reply>, ProtocolError> {
        let bytes = &self.buffer[..self.filled];
        if self.is_asking && !self.is_asked {
            self.is_asked = self.decoder.skip_status(bytes)?;
            if !self.is_asked {
                return Ok(None);
            }
        }
        let reply = self.decoder.next(bytes, elements)?;
        self.is_asked &= reply.is_none();
        Ok(reply)
    }

    /// What the ranges point into.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    fn fit_buffer(&mut self) {
        if self.buffer.len() - self.filled < self.usual_bytes / 4 {
            let doubled = self.buffer.len().saturating_mul(2).min(self.max_bytes);
            self.buffer.resize(doubled.max(self.buffer.len()), 0);
            self.small_reads = 0;
        } else if self.buffer.len() > self.usual_bytes && self.filled < self.usual_bytes / 2 {
            self.small_reads += 1;
            if self.small_reads == READS_BEFORE_SHRINKING {
                self.buffer.truncate(self.usual_bytes);
                self.buffer.shrink_to_fit();
                self.small_reads = 0;
            }
        } else {
            self.small_reads = 0;
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.outgoing.len() {
            let written = ready!(
                Pin::new(&mut self.stream).poll_write(context, &self.outgoing[self.sent..])
            )?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
            self.unflushed = true;
        }
        self.outgoing.clear();
        self.sent = 0;
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut free = ReadBuf::new(&mut self.buffer[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut free))?;
        Poll::Ready(Ok(free.filled().len()))
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}
