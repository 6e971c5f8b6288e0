//! The exchange at login: answers are bounded, since nobody is trusted yet, and one
//! that is not Redis' is told by what else it may be.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use psg_engine::printable::{LONG, printable};
use redis::{Cmd, Value};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::super::SourceError;
use super::bounded::SMALL_REPLY;
use super::error::{crate_failed, error, io_failed, kind_of_reply, refused, reply_words};
use super::stream::RedisStream;
use crate::error_kind::ErrorKind;

/// Bytes of the first answer by which another protocol is known.
const HEAD: usize = 5;

/// What a server says that lets nobody in, whatever it is asked.
const LOCKED_OUT: [&str; 2] = ["DENIED", "ERR max number of clients"];

const LOGGING_IN: &str = "logging in";

/// A connection on which commands are exchanged for the login.
pub struct LoginSession {
    /// No reply is outstanding.
    pub stream: RedisStream,
    has_answered: bool,
}

#[derive(Debug)]
pub enum LoginReply {
    Value(Value),
    /// The words of an error reply.
    Refused(String),
}

impl LoginSession {
    /// Nothing was said yet.
    pub fn on(stream: RedisStream) -> Self {
        Self { stream, has_answered: false }
    }

    pub async fn exchange(&mut self, command: &Cmd) -> Result<LoginReply, SourceError> {
        let sent = self.send(command).await;
        let is_first = !std::mem::replace(&mut self.has_answered, true);
        let stream = &mut self.stream;
        let mut answer =
            BoundedAnswer { stream, is_first, bytes: 0, head: [0; HEAD], failure: None };
        let parsed = redis::parse_redis_value_async(&mut Default::default(), &mut answer).await;
        match (parsed.map(Value::extract_error), sent) {
            // What it said before it hung up is all that it will say.
            (Ok(Err(cause)), Err(_)) => {
                let words = reply_words(&cause).unwrap_or_else(|| cause.to_string());
                Err(turned_away(&words))
            }
            (Ok(Ok(_)), Err(cause)) => Err(io_failed(LOGGING_IN, &cause)),
            (Ok(Ok(value)), Ok(())) => Ok(LoginReply::Value(value)),
            (Ok(Err(cause)), Ok(())) => {
                let words = reply_words(&cause).ok_or_else(|| crate_failed(LOGGING_IN, &cause))?;
                match LOCKED_OUT.iter().any(|locked_out| words.starts_with(locked_out)) {
                    true => Err(turned_away(&words)),
                    false => Ok(LoginReply::Refused(words)),
                }
            }
            (Err(cause), _) => Err(answer.why(&cause)),
        }
    }

    /// The same, where an error reply is a failure.
    pub async fn call(&mut self, name: &str, command: &Cmd) -> Result<Value, SourceError> {
        match self.exchange(command).await? {
            LoginReply::Value(value) => Ok(value),
            LoginReply::Refused(words) => Err(refused(name, &words)),
        }
    }

    async fn send(&mut self, command: &Cmd) -> io::Result<()> {
        self.stream.write_all(&command.get_packed_command()).await?;
        self.stream.flush().await
    }
}

fn turned_away(words: &str) -> SourceError {
    error(kind_of_reply(words), format!("the server lets nobody in: {}", printable(words, LONG)))
}

/// One answer on its way.
struct BoundedAnswer<'a> {
    stream: &'a mut RedisStream,
    is_first: bool,
    bytes: usize,
    head: [u8; HEAD],
    failure: Option<SourceError>,
}

impl BoundedAnswer<'_> {
    /// Why there is no answer, in the operator's terms.
    fn why(self, cause: &redis::RedisError) -> SourceError {
        let head = &self.head[..self.bytes.min(HEAD)];
        let other = match head {
            [b'H', b'T', b'T', b'P', ..] => Some("HTTP: this is not the port of a Redis"),
            // The header of a record of TLS: an alert.
            [0x15, 0x03, ..] => Some("TLS: it is expected there (ssl=true, or rediss://)"),
            [b'S', b'S', b'H', b'-', ..] => Some("SSH: this is not the port of a Redis"),
            _ => None,
        };
        if let Some(other) = other {
            return error(ErrorKind::Protocol, format!("the server speaks {other}"));
        }
        if let Some(failure) = self.failure {
            return failure;
        }
        if !cause.is_io_error() {
            let what = "logging in: expected a reply of Redis, got other bytes";
            return error(ErrorKind::Protocol, what);
        }
        let closed = "logging in: the server closed the connection";
        let hint = match (&*self.stream, self.bytes) {
            (RedisStream::Tcp(_), 0) if self.is_first => {
                ", which may mean that it expects TLS (ssl=true, or rediss://)"
            }
            _ => "",
        };
        error(ErrorKind::Connection, format!("{closed}{hint}"))
    }
}

impl AsyncRead for BoundedAnswer<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let answer = self.get_mut();
        if answer.bytes > SMALL_REPLY {
            let what = format!("logging in: expected an answer of at most {SMALL_REPLY} bytes");
            answer.failure = Some(error(ErrorKind::Protocol, format!("{what}, got a longer one")));
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        if let Err(cause) = ready!(Pin::new(&mut *answer.stream).poll_read(context, buffer)) {
            let failure = io_failed(LOGGING_IN, &cause);
            // Being cut off is reported with what it may mean.
            if failure.kind != ErrorKind::Connection {
                answer.failure = Some(failure);
            }
            return Poll::Ready(Err(cause));
        }
        let read = &buffer.filled()[before..];
        for (place, byte) in answer.head[answer.bytes.min(HEAD)..].iter_mut().zip(read) {
            *place = *byte;
        }
        answer.bytes += read.len();
        Poll::Ready(Ok(()))
    }
}
