//! The byte stream to a server: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::client::TlsStream;

use super::super::SourceError;
use super::error::io_failed;
use super::progress::{ConnectProgress, ConnectStage};
use super::tls::shake_hands;
use crate::byte_stream::ByteStream;
use crate::settings::{Endpoint, RedisTarget};

/// How long the peer may take to acknowledge what was sent to it, before TCP
/// gives the connection up: else a pop on a path that broke would wait for some
/// fifteen minutes.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Addresses of one name that are tried at most.
const MAX_ADDRESSES: usize = 16;

/// A connected stream, not logged in yet.
pub type RedisStream = ByteStream<TlsStream<TcpStream>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// All ways to a server: a name may have several addresses.
pub async fn addresses(endpoint: &Endpoint) -> Result<Vec<ServerAddress>, SourceError> {
    let (host, port) = match endpoint {
        Endpoint::Unix(path) => return Ok(vec![ServerAddress::Unix(path.clone())]),
        Endpoint::Tcp(host, port) => (host.as_str(), *port),
    };
    let found = lookup_host((host, port)).await.map_err(|cause| io_failed("connecting", &cause))?;
    let mut addresses: Vec<ServerAddress> = Vec::new();
    for address in found.map(ServerAddress::Tcp) {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

impl RedisStream {
    /// Connects to one address of `endpoint`. Has no time-out of its own.
    pub async fn open(
        address: &ServerAddress,
        endpoint: &Endpoint,
        target: &RedisTarget,
        progress: &ConnectProgress,
    ) -> Result<Self, SourceError> {
        let failed = |cause: io::Error| io_failed("connecting", &cause);
        progress.reach(ConnectStage::Connecting);
        let tcp = match address {
            ServerAddress::Unix(path) => {
                return UnixStream::connect(path).await.map(RedisStream::Unix).map_err(failed);
            }
            ServerAddress::Tcp(address) => {
                open_tcp(*address, target.keep_alive).await.map_err(failed)?
            }
        };
        match (&target.tls, endpoint) {
            (Some(settings), Endpoint::Tcp(host, _)) => {
                progress.reach(ConnectStage::ShakingHands);
                let stream = shake_hands(tcp, host, target, settings).await?;
                Ok(RedisStream::Tls(Box::new(stream)))
            }
            (None, _) | (_, Endpoint::Unix(_)) => Ok(RedisStream::Tcp(tcp)),
        }
    }
}

async fn open_tcp(address: SocketAddr, keep_alive: Option<Duration>) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&tcp).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    if let Some(interval) = keep_alive {
        let keep_alive = TcpKeepalive::new().with_time(interval).with_interval(interval);
        SockRef::from(&tcp).set_tcp_keepalive(&keep_alive)?;
    }
    Ok(tcp)
}
