//! A byte stream, whichever way it came about: TCP, TLS over TCP, or a Unix
//! socket; to a server, or to a client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected stream; `T` is the side of TLS that we are on.
#[derive(Debug)]
pub enum ByteStream<T> {
    Tcp(TcpStream),
    /// TLS over TCP, after its handshake.
    Tls(Box<T>),
    /// A Unix socket; never encrypted.
    Unix(UnixStream),
}

impl<T: AsyncRead + Unpin> AsyncRead for ByteStream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ByteStream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            ByteStream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            ByteStream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ByteStream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            ByteStream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            ByteStream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            ByteStream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ByteStream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            ByteStream::Tls(stream) => Pin::new(stream).poll_flush(context),
            ByteStream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ByteStream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            ByteStream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            ByteStream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
