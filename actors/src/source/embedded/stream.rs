//! The byte stream of a client: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::byte_stream::ByteStream;

/// When and how often it is asked whether a silent peer is still there, as in
/// Redis: after 5 minutes, then thrice.
const KEEP_ALIVE: Duration = Duration::from_secs(300);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(100);
const KEEP_ALIVE_RETRIES: u32 = 3;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

#[cfg(target_os = "linux")]
const CLOSED: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP).union(PollFlags::ERR);
#[cfg(not(target_os = "linux"))]
const CLOSED: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

/// An accepted stream.
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

    /// Says goodbye.
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

/// Sets what a TCP connection needs.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

/// What TLS connections are accepted with: a chain of certificates and its key,
/// both in PEM files. Or what is wrong with them.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let named = |path: &Path, cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .map_err(|cause| named(certificate, &cause))?
        .collect();
    let chain = chain.map_err(|cause| named(certificate, &cause))?;
    if chain.is_empty() {
        return Err(named(certificate, &"no certificate in it"));
    }
    let key_of_file = PrivateKeyDer::from_pem_file(key).map_err(|cause| named(key, &cause))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS can't be set up: {cause}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key_of_file)
        .map_err(|cause| named(key, &cause))?;
    Ok(Arc::new(config))
}
