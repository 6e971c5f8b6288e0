//! The byte stream of a client: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::byte_stream::ByteStream;
use crate::pem;
use crate::settings::CertificateFiles;

/// When and how often it is asked whether a silent peer is still there, as in
/// Redis: after 5 minutes, then thrice.
const KEEP_ALIVE: Duration = Duration::from_secs(300);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(100);
const KEEP_ALIVE_RETRIES: u32 = 3;

const GOODBYE: Duration = Duration::from_millis(200);

#[cfg(target_os = "linux")]
const CLOSED: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP).union(PollFlags::ERR);
#[cfg(not(target_os = "linux"))]
const CLOSED: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

pub type ClientStream = ByteStream<TlsStream<TcpStream>>;

impl ClientStream {
    /// Whether the peer has closed its side, even if bytes that it sent before
    /// that have not been read.
    pub fn peer_has_closed(&self) -> bool {
        let mut descriptors = [PollFd::from_borrowed_fd(self.descriptor(), CLOSED)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // What can't be asked is found out by the next read.
        poll(&mut descriptors, Some(&at_once)).is_ok()
            && descriptors[0].revents().intersects(CLOSED)
    }

    pub async fn close(&mut self) {
        // The peer may have gone already.
        let _ = timeout(GOODBYE, self.shutdown()).await;
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            ClientStream::Tcp(stream) => stream.as_fd(),
            ClientStream::Tls(stream) => stream.get_ref().0.as_fd(),
            ClientStream::Unix(stream) => stream.as_fd(),
        }
    }
}

pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

/// What TLS connections are accepted with; or what is wrong with a file.
pub fn server_config(files: &CertificateFiles) -> Result<ServerConfig, String> {
    let shown = SingleCertAndKey::from(pem::certified_key(files)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS can't be set up: {cause}"))?;
    Ok(builder.with_no_client_auth().with_cert_resolver(Arc::new(shown)))
}
