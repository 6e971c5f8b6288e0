//! The listener: accepts clients and serves each in a task, all on one thread
//! of their own, so that no client can hold up readers, signals or scrapes.

use std::fmt;
use std::fs::{self, FileType};
use std::io::{self, ErrorKind as IoErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::clients::Member;
use super::connection::Connection;
use super::profile::Peer;
use super::service::Service;
use super::stream::{ClientStream, prepare};
use crate::error_kind::ErrorKind;
use crate::listen;
use crate::settings::ListenAddress;
use crate::stop::StopSignal;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long clients may take to end after the stop signal.
const CLIENTS_END: Duration = Duration::from_secs(2);

/// How long nothing is accepted after accepting has failed, mostly for want of
/// file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long it may take that a client leaves who has to.
const PLACE: Duration = Duration::from_secs(1);

/// What TLS may keep of replies that a client does not read.
const TLS_BYTES: usize = 16 * 1024;

/// A socket that listens.
#[derive(Debug)]
pub enum Listening {
    /// On a TCP address.
    Tcp(TcpListener),
    /// On a path, which is removed at the end.
    Unix(UnixListener, SocketPath),
}

/// The path of a Unix socket, removed when dropped.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    inode: u64,
}

/// What every client is served with.
#[derive(Clone)]
struct Door {
    treatment: Treatment,
    service: Arc<Service>,
    stop: StopSignal,
}

/// How clients are treated.
#[derive(Clone)]
pub struct Treatment {
    /// Present where they have to speak TLS.
    pub tls: Option<TlsAcceptor>,
    /// After so long without a word they are cut.
    pub idle_timeout: Option<Duration>,
}

impl Listening {
    /// Listens on that address.
    pub fn bind(address: &ListenAddress) -> io::Result<Self> {
        let named = |cause| listen::named("Embedded.ListenAddress", address, &cause);
        match address {
            ListenAddress::Tcp(address) => listen::tcp(*address).map(Listening::Tcp).map_err(named),
            ListenAddress::Unix(path) => bind_unix(path).map_err(named),
        }
    }

    /// The TCP address, port 0 resolved.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Listening::Tcp(listener) => listener.local_addr().ok(),
            Listening::Unix(..) => None,
        }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listening::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(cause) => cause.fmt(f),
            },
            Listening::Unix(_, path) => write!(f, "unix:{}", path.path.display()),
        }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Another gateway may have put its own there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that nobody listens on any more is left from a process that was
/// killed. Anything else that is there stays.
fn bind_unix(path: &Path) -> io::Result<Listening> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let what = what_it_is(found.file_type());
            return Err(io::Error::new(
                IoErrorKind::AlreadyExists,
                format!("expected a socket or nothing there, got {what}"),
            ));
        }
        Ok(_) => {
            if is_left_over(path)? {
                fs::remove_file(path)?;
            }
        }
        Err(cause) if cause.kind() == IoErrorKind::NotFound => {}
        Err(cause) => return Err(cause),
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let metadata = fs::symlink_metadata(path)?;
    let mode = format!("{:o}", metadata.permissions().mode() & 0o777);
    tracing::info!(path = %path.display(), mode, "made the socket of the embedded queue");
    Ok(Listening::Unix(listener, SocketPath { path: path.to_owned(), inode: metadata.ino() }))
}

/// Whether nobody answers there; an error where somebody does, or may.
fn is_left_over(path: &Path) -> io::Result<bool> {
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(IoErrorKind::AddrInUse, "somebody listens there already")),
        Err(cause) if cause.kind() == IoErrorKind::ConnectionRefused => Ok(true),
        Err(cause) if cause.kind() == IoErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn what_it_is(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a link",
        kind if kind.is_fifo() => "a fifo",
        kind if kind.is_file() => "a file",
        _ => "a device",
    }
}

/// Accepts and serves clients until the stop signal, then closes the service.
/// To be run on a runtime of its own.
pub async fn run(
    listening: Listening,
    treatment: Treatment,
    service: Arc<Service>,
    mut stop: StopSignal,
) {
    let mut clients = JoinSet::new();
    let door = Door { treatment, service, stop: stop.clone() };
    let accepting = accept_all(listening, door, &mut clients);
    let outcome = {
        tokio::select! {
            biased;
            () = stop.stopped() => Ok(()),
            outcome = accepting => outcome,
        }
    };
    if let Err(cause) = outcome {
        tracing::error!(%cause, "the embedded queue can't listen any more");
        stop.stopped().await;
    }
    let ended = async { while clients.join_next().await.is_some() {} };
    // Those that are late are cut when they are dropped.
    let _ = timeout(CLIENTS_END, ended).await;
}

async fn accept_all(listening: Listening, door: Door, clients: &mut JoinSet<()>) -> io::Result<()> {
    let mut acceptor = Acceptor::new(listening)?;
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = acceptor.accept() => accepted,
            Some(_) = clients.join_next() => continue,
        };
        match accepted {
            Ok(client) => {
                failing = false;
                admit(client, &door, clients).await;
            }
            Err(cause) => {
                door.service.count(ErrorKind::Connection);
                if !failing {
                    tracing::warn!(%cause, "clients of the embedded queue can't be accepted");
                }
                failing = true;
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Gives a client a place, for which another one may have to leave, or turns it
/// away.
async fn admit((stream, peer): (ClientStream, Peer), door: &Door, clients: &mut JoinSet<()>) {
    let places = &door.service.clients;
    let place = match places.admit() {
        None => timeout(PLACE, places.admit_instead_of_another()).await.ok().flatten(),
        free => free,
    };
    match place {
        Some(member) => clients.spawn(serve(stream, peer, member, door.clone())),
        None => clients.spawn(turn_away(stream, peer, Arc::clone(&door.service))),
    };
}

async fn serve(stream: ClientStream, peer: Peer, member: Member, door: Door) {
    let Door { treatment, service, stop } = door;
    let departure = member.departure();
    let greeted = tokio::select! {
        biased;
        shortage = departure.told() => {
            service.count(ErrorKind::Connection);
            return service.complaints.cut(peer, member.held(), shortage);
        }
        greeted = greet(stream, &treatment, &service) => greeted,
    };
    if let Some(stream) = greeted {
        Connection::new(stream, service, member, peer, treatment.idle_timeout).serve(stop).await;
    }
}

/// Does the TLS handshake where there is one.
async fn greet(
    stream: ClientStream,
    treatment: &Treatment,
    service: &Service,
) -> Option<ClientStream> {
    match (stream, &treatment.tls) {
        (ClientStream::Tcp(tcp), Some(acceptor)) => {
            match timeout(HANDSHAKE, acceptor.accept(tcp)).await {
                Ok(Ok(mut stream)) => {
                    stream.get_mut().1.set_buffer_limit(Some(TLS_BYTES));
                    Some(ClientStream::Tls(Box::new(stream)))
                }
                Ok(Err(_)) | Err(_) => {
                    service.count(ErrorKind::Tls);
                    None
                }
            }
        }
        (stream, _) => Some(stream),
    }
}

async fn turn_away(mut stream: ClientStream, peer: Peer, service: Arc<Service>) {
    service.count(ErrorKind::Connection);
    service.complaints.turned_away(peer);
    let words = b"-ERR max number of clients reached\r\n";
    // Whoever does not read it is turned away too.
    let _ = timeout(ACCEPT_AGAIN, stream.write_all(words)).await;
}

enum Acceptor {
    Tcp(tokio::net::TcpListener),
    Unix(
        tokio::net::UnixListener,
        #[expect(dead_code, reason = "removed when dropped")] SocketPath,
    ),
}

impl Acceptor {
    fn new(listening: Listening) -> io::Result<Self> {
        Ok(match listening {
            Listening::Tcp(listener) => Acceptor::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Listening::Unix(listener, path) => {
                Acceptor::Unix(tokio::net::UnixListener::from_std(listener)?, path)
            }
        })
    }

    async fn accept(&mut self) -> io::Result<(ClientStream, Peer)> {
        match self {
            Acceptor::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                prepare(&stream)?;
                let peer = Peer(listen::peer(&stream));
                Ok((ClientStream::Tcp(stream), peer))
            }
            Acceptor::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((ClientStream::Unix(stream), Peer(None)))
            }
        }
    }
}
