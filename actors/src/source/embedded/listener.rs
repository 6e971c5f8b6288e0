//! The listener: accepts clients and serves each in a task, all on one thread
//! of their own, so that no client can hold up readers, signals or scrapes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::client_state::ClientAddress;
use super::clients::ClientSlot;
use super::connection::RespConnection;
use super::service::Service;
use super::stream::{ClientStream, prepare};
use crate::error_kind::ErrorKind;
use crate::listen;
use crate::settings::ListenAddress;
use crate::stop::StopSignal;
use crate::unix_socket::SocketPath;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long clients may take to end after the stop signal.
const CLIENTS_END: Duration = Duration::from_secs(2);

/// How long nothing is accepted after accepting has failed, mostly for want of
/// file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long an evicted client may take to leave.
const EVICTION: Duration = Duration::from_secs(1);

/// What TLS may keep of replies that a client does not read.
const TLS_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    /// On a path, which is removed at the end.
    Unix(UnixListener, SocketPath),
}

#[derive(Clone)]
pub struct ListenerOptions {
    /// Present where they have to speak TLS.
    pub tls: Option<TlsAcceptor>,
    /// Clients that are silent for longer are disconnected.
    pub idle_timeout: Option<Duration>,
}

#[derive(Clone)]
struct ServeContext {
    options: ListenerOptions,
    service: Arc<Service>,
    stop: StopSignal,
}

impl Listener {
    /// Listens on that address; to be called within a runtime.
    pub fn bind(address: &ListenAddress) -> io::Result<Self> {
        let bound = match address {
            ListenAddress::Tcp(address) => {
                listen::tcp(*address).and_then(TcpListener::from_std).map(Listener::Tcp)
            }
            ListenAddress::Unix(path) => bind_unix(path),
        };
        bound.map_err(|cause| listen::named("Embedded.ListenAddress", address, &cause))
    }

    /// The TCP address, port 0 resolved.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// Accepts and serves clients until the stop signal, then closes the service.
    /// To be run on a runtime of its own.
    pub async fn run(self, options: ListenerOptions, service: Arc<Service>, mut stop: StopSignal) {
        let mut clients = JoinSet::new();
        let context = ServeContext { options, service, stop: stop.clone() };
        tokio::select! {
            biased;
            () = stop.stopped() => {}
            () = self.accept_all(context, &mut clients) => {}
        }
        let ended = async { while clients.join_next().await.is_some() {} };
        // Those that are late are cut when they are dropped.
        let _ = timeout(CLIENTS_END, ended).await;
    }

    async fn accept_all(self, context: ServeContext, clients: &mut JoinSet<()>) {
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                Some(_) = clients.join_next() => continue,
            };
            match accepted {
                Ok((stream, address)) => {
                    failing = false;
                    admit(stream, address, &context, clients).await;
                }
                Err(cause) => {
                    context.service.count(ErrorKind::Connection);
                    if !failing {
                        tracing::warn!(%cause, "the embedded queue can't accept clients");
                    }
                    failing = true;
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<(ClientStream, ClientAddress)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                prepare(&stream)?;
                let address = ClientAddress(listen::peer(&stream));
                Ok((ClientStream::Tcp(stream), address))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((ClientStream::Unix(stream), ClientAddress(None)))
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(cause) => cause.fmt(f),
            },
            Listener::Unix(_, path) => write!(f, "unix:{path}"),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    let connect = || UnixStream::connect(path).map(drop);
    let bind = || UnixListener::bind(path);
    let (listener, path) = SocketPath::bind(path, "the embedded queue", connect, bind)?;
    Ok(Listener::Unix(listener, path))
}

/// Gives a client a slot, for which another one may have to leave, or turns it
/// away.
async fn admit(
    stream: ClientStream,
    address: ClientAddress,
    context: &ServeContext,
    tasks: &mut JoinSet<()>,
) {
    let clients = &context.service.clients;
    let slot = match clients.admit() {
        None => timeout(EVICTION, clients.admit_instead_of_another()).await.ok().flatten(),
        free => free,
    };
    match slot {
        Some(slot) => tasks.spawn(serve(stream, address, slot, context.clone())),
        None => tasks.spawn(turn_away(stream, address, Arc::clone(&context.service))),
    };
}

async fn serve(
    stream: ClientStream,
    address: ClientAddress,
    slot: ClientSlot,
    context: ServeContext,
) {
    let ServeContext { options, service, stop } = context;
    let eviction = slot.eviction();
    let greeted = tokio::select! {
        biased;
        reason = eviction.wait() => {
            service.count(ErrorKind::Connection);
            return service.complaints.cut(address, slot.held(), *reason);
        }
        greeted = greet(stream, &options, &service) => greeted,
    };
    if let Some(stream) = greeted {
        RespConnection::new(stream, service, slot, address, options.idle_timeout).serve(stop).await;
    }
}

async fn greet(
    stream: ClientStream,
    options: &ListenerOptions,
    service: &Service,
) -> Option<ClientStream> {
    let (tcp, acceptor) = match (stream, &options.tls) {
        (ClientStream::Tcp(tcp), Some(acceptor)) => (tcp, acceptor),
        (stream, _) => return Some(stream),
    };
    let Ok(Ok(mut stream)) = timeout(HANDSHAKE, acceptor.accept(tcp)).await else {
        service.count(ErrorKind::Tls);
        return None;
    };
    stream.get_mut().1.set_buffer_limit(Some(TLS_BYTES));
    Some(ClientStream::Tls(Box::new(stream)))
}

async fn turn_away(mut stream: ClientStream, address: ClientAddress, service: Arc<Service>) {
    service.count(ErrorKind::Connection);
    service.complaints.turned_away(address);
    let reply = b"-ERR max number of clients reached\r\n";
    // Who does not read it is turned away too.
    let _ = timeout(ACCEPT_AGAIN, stream.write_all(reply)).await;
}
