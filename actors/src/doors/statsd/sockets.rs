//! The sockets that StatsD comes in by.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::fstat;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::collector::Collector;
use crate::listen;
use crate::settings::StatsdAddress;
use crate::unix_socket::SocketPath;

const SETTING: &str = "Statsd.ListenAddress";

/// The most that a packet has by UDP; by a Unix socket it may have more, and is cut.
const PACKET_BYTES: usize = 64 * 1024;

/// What the kernel is asked to keep of packets that were not read yet. It gives what
/// `net.core.rmem_max` allows.
const KERNEL_BYTES: usize = 8 * 1024 * 1024;

/// Packets of one socket that are read before the others have their turn.
const TURN: usize = 64;

/// Connections at once, and how long one may be silent. A line that is longer than
/// that many bytes is none.
const CONNECTIONS: usize = 1024;
const SILENCE: Duration = Duration::from_secs(600);
const LINE_BYTES: usize = 16 * 1024;

/// How long nothing is accepted after accepting has failed, mostly for want of file
/// descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A socket that listens and was not handed to a runtime yet.
pub enum StatsdSocket {
    Udp(std::net::UdpSocket),
    Tcp(std::net::TcpListener),
    Unix(StdUnixDatagram, SocketPath),
}

impl StatsdSocket {
    pub fn bind(address: &StatsdAddress) -> io::Result<Self> {
        let bound = match address {
            StatsdAddress::Udp(address) => udp(*address).map(StatsdSocket::Udp),
            StatsdAddress::Tcp(address) => listen::tcp(*address).map(StatsdSocket::Tcp),
            StatsdAddress::Unix(path) => unix(path),
        };
        let bound = bound.map_err(|cause| listen::named(SETTING, address, &cause))?;
        let address = bound.local().unwrap_or_else(|| address.clone());
        tracing::info!(%address, "listening for StatsD");
        Ok(bound)
    }

    /// Where it listens, port 0 resolved.
    fn local(&self) -> Option<StatsdAddress> {
        match self {
            StatsdSocket::Udp(socket) => socket.local_addr().ok().map(StatsdAddress::Udp),
            StatsdSocket::Tcp(listener) => listener.local_addr().ok().map(StatsdAddress::Tcp),
            StatsdSocket::Unix(..) => None,
        }
    }

    /// By which the kernel tells how many packets were lost.
    pub fn udp_inode(&self) -> Option<u64> {
        match self {
            StatsdSocket::Udp(socket) => fstat(socket).ok().map(|found| found.st_ino),
            StatsdSocket::Tcp(_) | StatsdSocket::Unix(..) => None,
        }
    }

    /// Reads from it for as long as it is let; to be called within a runtime.
    pub async fn read(self, collector: Rc<Collector>) {
        let ended = match self {
            StatsdSocket::Udp(socket) => match UdpSocket::from_std(socket) {
                Ok(socket) => read_udp(&socket, &collector).await,
                Err(cause) => Err(cause),
            },
            StatsdSocket::Unix(socket, _path) => match UnixDatagram::from_std(socket) {
                Ok(socket) => read_unix(&socket, &collector).await,
                Err(cause) => Err(cause),
            },
            StatsdSocket::Tcp(listener) => match TcpListener::from_std(listener) {
                Ok(listener) => accept_all(&listener, &collector).await,
                Err(cause) => Err(cause),
            },
        };
        if let Err(cause) = ended {
            tracing::error!(%cause, "a socket for StatsD can't be read any more");
        }
    }
}

fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // What the kernel gives is enough.
    let _ = socket.set_recv_buffer_size(KERNEL_BYTES);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn unix(path: &Path) -> io::Result<StatsdSocket> {
    let connect = || StdUnixDatagram::unbound()?.connect(path);
    let bind = || StdUnixDatagram::bind(path);
    let (socket, path) = SocketPath::bind(path, "StatsD", connect, bind)?;
    socket.set_nonblocking(true)?;
    Ok(StatsdSocket::Unix(socket, path))
}

async fn read_udp(socket: &UdpSocket, collector: &Collector) -> io::Result<()> {
    let mut packet = vec![0; PACKET_BYTES];
    loop {
        socket.readable().await?;
        for _ in 0..TURN {
            match socket.try_recv(&mut packet) {
                Ok(bytes) => collector.take(&packet[..bytes]),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                // What a peer's host says of an answer that nobody sent.
                Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(cause) => return Err(cause),
            }
        }
        yield_now().await;
    }
}

async fn read_unix(socket: &UnixDatagram, collector: &Collector) -> io::Result<()> {
    let mut packet = vec![0; PACKET_BYTES];
    loop {
        socket.ready(Interest::READABLE).await?;
        for _ in 0..TURN {
            match socket.try_recv(&mut packet) {
                Ok(bytes) => collector.take(&packet[..bytes]),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) => return Err(cause),
            }
        }
        yield_now().await;
    }
}

async fn accept_all(listener: &TcpListener, collector: &Rc<Collector>) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn_local(read_lines(stream, Rc::clone(collector)));
            }
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// Reads lines from a connection, no faster than there is room for what they say.
async fn read_lines(mut stream: TcpStream, collector: Rc<Collector>) {
    let (mut buffer, mut filled) = (vec![0; LINE_BYTES], 0);
    loop {
        collector.room().await;
        let read = timeout(SILENCE, stream.read(&mut buffer[filled..])).await;
        let bytes = match read {
            Ok(Ok(bytes)) if bytes > 0 => bytes,
            // Its end, an error, or silence. What has no end of line is one all the same.
            Ok(_) | Err(_) => return collector.take(&buffer[..filled]),
        };
        filled += bytes;
        let lines = buffer[..filled].iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        match lines {
            Some(end) => {
                collector.take(&buffer[..end]);
                buffer.copy_within(end..filled, 0);
                filled -= end;
            }
            None if filled == buffer.len() => return collector.take(&buffer[..filled]),
            None => {}
        }
        yield_now().await;
    }
}
