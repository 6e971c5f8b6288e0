//! The HTTP server: from a listening socket to requests that may be answered.
//! It is put together here from actix' parts, so that each connection is one of
//! ours: with deadlines, and with the TLS of the moment.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{ConnectionType, HttpService};
use actix_server::Server;
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, ResponseError};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::connection::{Answer, Connection, MAX_REQUEST_BYTES, Place, Places, TIMES, Turn};
use super::{HttpState, ROUTES};
use crate::byte_stream::ByteStream;
use crate::listen;

/// Threads that serve HTTP. Each scrape is rendered elsewhere; these copy.
const WORKERS: usize = 2;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long answers under way may take after a stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 3;

/// A server on these sockets, ready to be awaited; more clients than
/// `max_connections` wait to be accepted.
pub fn serve(
    listeners: Vec<TcpListener>,
    max_connections: usize,
    state: HttpState,
    access: Option<Arc<Access>>,
) -> io::Result<Server> {
    let (data, places) = (Data::new(state), Places::new(max_connections));
    let mut server = Server::build()
        .workers(WORKERS)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .max_concurrent_connections(max_connections.div_ceil(WORKERS));
    for listener in listeners {
        let (data, access, places) = (data.clone(), access.clone(), places.clone());
        let service = move || service(data.clone(), access.clone(), places.clone());
        server = server.listen("http", listener, service)?;
    }
    Ok(server.run())
}

/// What is done with an accepted socket.
fn service(
    data: Data<HttpState>,
    access: Option<Arc<Access>>,
    places: Arc<Places>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
{
    let app = {
        let access = access.clone();
        let routes = |config: &mut web::ServiceConfig| {
            for route in ROUTES {
                config.service((route.resource)(web::resource(route.path)));
            }
        };
        let admit = move |request, next| admit(access.clone(), request, next);
        App::new().app_data(data).wrap(Compress::default()).wrap(from_fn(admit)).configure(routes)
    };
    let http = HttpService::build()
        .client_request_timeout(TIMES.request)
        .client_disconnect_timeout(GOODBYE)
        .keep_alive(TIMES.idle)
        .on_connect_ext(|connection: &Connection, data| {
            data.insert(connection.turn());
        })
        .h1(map_config(app, |()| AppConfig::default()));
    fn_service(move |tcp: TcpStream| greet(tcp, access.clone(), places.clone())).and_then(http)
}

/// Makes a connection of an accepted socket, with a TLS handshake where there
/// is one.
async fn greet(
    tcp: TcpStream,
    access: Option<Arc<Access>>,
    places: Arc<Places>,
) -> Result<(Connection, Option<std::net::SocketAddr>), DispatchError> {
    let place = Place::take(&places);
    tcp.set_nodelay(true)?;
    let peer = listen::peer(&tcp);
    let Some(access) = access.filter(|access| access.is_tls()) else {
        return Ok((Connection::new(ByteStream::Tcp(tcp), TIMES, place), peer));
    };
    let closed = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let acceptor = TlsAcceptor::from(access.tls().ok_or_else(closed)?);
    let accepted = timeout(HANDSHAKE, acceptor.accept(tcp)).await;
    let stream = accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok((Connection::new(ByteStream::Tls(Box::new(stream)), TIMES, place), peer))
}

/// Lets through what may be answered, and tells the connection when an answer
/// begins and ends.
async fn admit(
    access: Option<Arc<Access>>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let turn = request.conn_data::<Rc<Turn>>().cloned();
    let answer = turn.as_ref().map(Turn::answer);
    let has_certificate = turn.as_ref().is_some_and(|turn| turn.has_certificate());
    let config = access.as_ref().and_then(|access| access.config());
    let admitted = match &access {
        Some(access) => access.admit(config.as_deref(), &request, has_certificate).await,
        None => Ok(()),
    };
    let mut response = match admitted {
        Err(refusal) => request.into_response(refusal.error_response()),
        Ok(()) if is_too_large(&request) => request.into_response(too_large()),
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
    };
    for (name, value) in config.iter().flat_map(|config| &config.headers) {
        // The status page's own policy is stricter, and lets its script run.
        let is_kept = *name == CONTENT_SECURITY_POLICY && response.headers().contains_key(name);
        if !is_kept {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if turn.is_some_and(|turn| turn.is_in_a_crowd()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| BoxBody::new(Timed { body, _answer: answer })))
}

/// No route reads a body, so a long one is a mistake at best.
fn is_too_large(request: &ServiceRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok());
    length.is_some_and(|length| length > MAX_REQUEST_BYTES as u64)
}

fn too_large() -> HttpResponse {
    HttpResponse::PayloadTooLarge()
        .insert_header((CONNECTION, "close"))
        .body(format!("expected a request of at most {MAX_REQUEST_BYTES} bytes\n"))
}

/// A body; when it is dropped the answer has ended.
struct Timed {
    body: BoxBody,
    _answer: Option<Answer>,
}

impl MessageBody for Timed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        std::pin::Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
