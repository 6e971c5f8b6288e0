//! Bounded replies: a server that does not end an answer which has a few bytes by its nature
//! is no Redis, and is left.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a reply to anything that has no more by its nature.
pub const SMALL_REPLY: usize = 64 * 1024;

/// A stream that brings no more than a number of bytes after each request.
#[derive(Debug)]
pub struct Bounded<S> {
    stream: S,
    most: usize,
    left: usize,
}

impl<S> Bounded<S> {
    /// At most `most` bytes between two requests.
    pub fn new(stream: S, most: usize) -> Self {
        Self { stream, most, left: most }
    }
}

pub fn too_large(most: usize) -> io::Error {
    let message = format!("expected a reply of at most {most} bytes, got more");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        let Some(left) = this.left.checked_sub(read) else {
            return Poll::Ready(Err(too_large(this.most)));
        };
        this.left = left;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.left = this.most;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
