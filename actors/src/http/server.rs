//! The HTTP server: from a listening socket to requests that may be answered.
//! It is put together here from actix' parts, so that each connection is one of
//! ours: with deadlines, and with the TLS of the moment.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::conn_slots::{ConnSlot, ConnSlots, LEAVING, PeerNetwork, RESERVED};
use super::connection::{HttpConnection, TIMEOUTS};
use super::entrance::{Entrance, admit};
use super::{HttpState, ROUTES};
use crate::byte_stream::ByteStream;
use crate::listen;

/// Threads that serve HTTP. Each scrape is rendered elsewhere; these copy.
const WORKERS: usize = 2;
const HANDSHAKE: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(1);
/// How long answers under way may take after a stop.
const SHUTDOWN: Duration = Duration::from_secs(3);
/// Slots at least, however few file descriptors there are.
const LEAST_SLOTS: usize = 2;

/// File descriptors beside those of the connections that are asked for.
pub const MORE_CONNECTIONS: usize = RESERVED + LEAVING;

/// Ends the server, so that what is asked is still answered.
#[derive(Debug)]
pub struct HttpStop {
    server: ServerHandle,
    slots: Arc<ConnSlots>,
}

impl HttpStop {
    /// Takes no new connections, ends those on which nothing is asked, and waits
    /// a while for answers under way.
    pub async fn stop(self) {
        self.server.pause().await;
        self.slots.close();
        let all_ended = timeout(SHUTDOWN, self.slots.are_empty()).await.is_ok();
        self.server.stop(all_ended).await;
    }
}

/// A server on these sockets, ready to be awaited, and what ends it. It has `room`
/// for connections; for more, others have to go.
pub fn serve(
    listeners: Vec<TcpListener>,
    room: usize,
    state: HttpState,
    entrance: Arc<Entrance>,
) -> io::Result<(Server, HttpStop)> {
    let most = room.saturating_sub(MORE_CONNECTIONS).max(LEAST_SLOTS);
    let (data, slots) = (Data::new(state), ConnSlots::new(most));
    let mut server = Server::build()
        .workers(WORKERS)
        .disable_signals()
        .max_concurrent_connections((most + MORE_CONNECTIONS).div_ceil(WORKERS));
    for listener in listeners {
        let (data, entrance, slots) = (data.clone(), entrance.clone(), slots.clone());
        let service = move || service(data.clone(), entrance.clone(), slots.clone());
        server = server.listen("http", listener, service)?;
    }
    let server = server.run();
    let stop = HttpStop { server: server.handle(), slots };
    Ok((server, stop))
}

fn service(
    data: Data<HttpState>,
    entrance: Arc<Entrance>,
    slots: Arc<ConnSlots>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let app = {
        let entrance = entrance.clone();
        let routes = |config: &mut web::ServiceConfig| {
            for route in ROUTES {
                config.service((route.resource)(web::resource(route.path)));
            }
        };
        let admit = move |request, next| admit(entrance.clone(), request, next);
        App::new().app_data(data).wrap(Compress::default()).wrap(from_fn(admit)).configure(routes)
    };
    let http = HttpService::build()
        .client_request_timeout(TIMEOUTS.request)
        .client_disconnect_timeout(GOODBYE)
        .keep_alive(TIMEOUTS.idle)
        .on_connect_ext(|connection: &HttpConnection, data| {
            data.insert(connection.exchange());
        })
        .h1(map_config(app, |()| AppConfig::default()));
    fn_service(move |tcp: TcpStream| greet(tcp, entrance.clone(), slots.clone())).and_then(http)
}

/// Makes a connection of an accepted socket, with a TLS handshake where there
/// is one.
async fn greet(
    tcp: TcpStream,
    entrance: Arc<Entrance>,
    slots: Arc<ConnSlots>,
) -> Result<(HttpConnection, Option<std::net::SocketAddr>), DispatchError> {
    let peer = listen::peer(&tcp);
    let slot = ConnSlot::take(&slots, PeerNetwork::new(peer.map(|peer| peer.ip())));
    tcp.set_nodelay(true)?;
    let Some(access) = entrance.access.as_ref().filter(|access| access.is_tls()) else {
        let connection = HttpConnection::new(ByteStream::Tcp(tcp), TIMEOUTS, slot);
        return Ok((taking_bodies(connection, &entrance), peer));
    };
    let closed = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let acceptor = TlsAcceptor::from(access.tls().ok_or_else(closed)?);
    let stream = tokio::select! {
        accepted = timeout(HANDSHAKE, acceptor.accept(tcp)) => {
            accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
        }
        () = poll_fn(|context| slot.poll_sent_away(context)) => return Err(closed().into()),
    };
    let connection = HttpConnection::new(ByteStream::Tls(Box::new(stream)), TIMEOUTS, slot);
    Ok((taking_bodies(connection, &entrance), peer))
}

/// A connection that may bring what doors take, where there are any.
fn taking_bodies(connection: HttpConnection, entrance: &Entrance) -> HttpConnection {
    match entrance.pushes {
        Some(rules) => connection.taking_bodies_of(rules.max_body_bytes),
        None => connection,
    }
}
