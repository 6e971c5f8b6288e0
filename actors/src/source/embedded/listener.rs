//! The listener: accepts clients and serves each in a task, all on one thread
//! of their own, so that no client can hold up readers, signals or scrapes.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind as IoErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
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
pub struct SocketPath(PathBuf);

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
            Listening::Unix(_, path) => write!(f, "unix:{}", path.0.display()),
        }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.0);
    }
}

/// A socket that nobody listens on any more is left from a process that was
/// killed.
fn bind_unix(path: &Path) -> io::Result<Listening> {
    let is_left_over = UnixStream::connect(path)
        .is_err_and(|cause| cause.kind() == IoErrorKind::ConnectionRefused);
    if is_left_over {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(Listening::Unix(listener, SocketPath(path.to_owned())))
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
    let accepting = accept_all(listening, &treatment, &service, &stop, &mut clients);
    let outcome = {
        let mut stop = stop.clone();
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

async fn accept_all(
    listening: Listening,
    treatment: &Treatment,
    service: &Arc<Service>,
    stop: &StopSignal,
    clients: &mut JoinSet<()>,
) -> io::Result<()> {
    let mut acceptor = Acceptor::new(listening)?;
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = acceptor.accept() => accepted,
            Some(_) = clients.join_next() => continue,
        };
        match accepted {
            Ok(stream) => {
                failing = false;
                admit(stream, treatment, service, stop, clients);
            }
            Err(cause) => {
                service.count(ErrorKind::Connection);
                if !failing {
                    tracing::warn!(%cause, "clients of the embedded queue can't be accepted");
                }
                failing = true;
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn admit(
    stream: ClientStream,
    treatment: &Treatment,
    service: &Arc<Service>,
    stop: &StopSignal,
    clients: &mut JoinSet<()>,
) {
    let (treatment, service, stop) = (treatment.clone(), Arc::clone(service), stop.clone());
    if service.clients.fetch_add(1, Ordering::Relaxed) >= service.max_connections {
        service.clients.fetch_sub(1, Ordering::Relaxed);
        service.count(ErrorKind::Connection);
        clients.spawn(turn_away(stream));
        return;
    }
    clients.spawn(async move {
        let counted = Counted(Arc::clone(&service.clients));
        if let Some(stream) = greet(stream, &treatment, &service).await {
            Connection::new(stream, service, treatment.idle_timeout).serve(stop).await;
        }
        drop(counted);
    });
}

/// A client that is counted, until this is dropped. It does not hold the
/// service, which ends with the last session.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
                Ok(Ok(stream)) => Some(ClientStream::Tls(Box::new(stream))),
                Ok(Err(_)) | Err(_) => {
                    service.count(ErrorKind::Tls);
                    None
                }
            }
        }
        (stream, _) => Some(stream),
    }
}

async fn turn_away(mut stream: ClientStream) {
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

    async fn accept(&mut self) -> io::Result<ClientStream> {
        match self {
            Acceptor::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                prepare(&stream)?;
                Ok(ClientStream::Tcp(stream))
            }
            Acceptor::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(ClientStream::Unix(stream))
            }
        }
    }
}
