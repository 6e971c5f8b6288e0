//! Doors by HTTP: what is the same for all requests that push samples. A door brings
//! its path, a function that makes samples of a body, and its words for an answer.
//!
//! - Who may: [`PushRules`], which the entrance asks before anything of the body is read.
//! - How much: a body has a bound before and after decompression, and a time in which
//!   it has to come. All that requests hold is charged to one budget ([`memory`]): who
//!   finds none is told to come again.

mod body;
mod memory;
pub mod otlp;
pub mod pushgateway;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::http::header::{CONNECTION, HeaderName, ORIGIN, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::Semaphore;

use self::body::Coding;
use self::memory::{Holding, Memory};
use super::HttpState;
use super::access::web_config::WebConfig;
use super::connection::Exchange;
use crate::doors::sample::Elements;
use crate::doors::{Doors, RequestRefused};
use crate::self_metrics::doors::{Door, RequestReason};
use crate::settings::PushSettings;

/// Bodies that are decompressed or parsed at once, beside small ones.
const AT_WORK: usize = 4;

/// A body of so many bytes is parsed where it came, which is quicker than to hand it
/// to another thread.
const SMALL_BODY: usize = 16 * 1024;

/// Elements may come to this many times what they were made of, and some more for
/// labels that each sample gets.
const ELEMENTS_TIMES: usize = 4;
const ELEMENTS_MORE: usize = 64 * 1024;

/// What pushes are held to, and what they share.
#[derive(Debug)]
pub struct PushRoom {
    max_body_bytes: usize,
    memory: Memory,
    at_work: Semaphore,
}

impl PushRoom {
    /// Room as the settings say.
    pub fn new(settings: &PushSettings) -> Arc<Self> {
        Arc::new(Self {
            max_body_bytes: settings.max_body_bytes,
            memory: Memory::new(settings.max_memory_bytes),
            at_work: Semaphore::new(AT_WORK),
        })
    }
}

/// Who may push, as the entrance asks.
#[derive(Debug, Clone, Copy)]
pub struct PushRules {
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Whether a client has to be known, by its password or certificate.
    pub needs_login: bool,
}

impl PushRules {
    /// Why a push that says to have `length` bytes is not read; `None` where it may be.
    /// `config` says who has been let in.
    pub fn refusal(
        &self,
        config: Option<&WebConfig>,
        request: &HttpRequest,
        length: Option<u64>,
    ) -> Option<HttpResponse> {
        if self.needs_login && !config.is_some_and(WebConfig::knows_clients) {
            let words = "expected a password or client certificates in Http.ConfigFile, or \
                         Push.AllowUnauthenticated=true, where others than this machine can push\n";
            return Some(HttpResponse::Forbidden().body(words));
        }
        if is_of_a_page(request) {
            let words = "expected no Origin: web pages can't push\n";
            return Some(HttpResponse::Forbidden().body(words));
        }
        let is_long = length.is_some_and(|length| length > self.max_body_bytes as u64);
        is_long.then(|| answer(&too_large(self.max_body_bytes)))
    }
}

/// Whether a request pushes, if anything: there is nothing else that these do here.
pub fn is_push(method: &Method) -> bool {
    method == Method::POST || method == Method::PUT
}

/// Whether a browser sends it for a web page, whatever name it goes by: it says so with
/// each request that is no GET, and no page can keep it from that. Those who push are
/// programs, which may well know the gateway by a name that `Hosts` does not.
fn is_of_a_page(request: &HttpRequest) -> bool {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    request.headers().contains_key(ORIGIN) || request.headers().contains_key(FETCH_SITE)
}

/// A body that is there, decompressed, and where its samples go.
#[derive(Debug)]
pub struct PushedBody<'a> {
    pub bytes: &'a [u8],
    pub elements: &'a mut Elements,
    held: &'a mut Holding,
}

impl PushedBody<'_> {
    /// Charges memory that is needed to read it beyond its bytes and its elements.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), RequestRefused> {
        self.held.grow(bytes)
    }

    /// The same for its elements, which may then come to so many bytes.
    pub fn reserve_elements(&mut self, bytes: usize) -> Result<(), RequestRefused> {
        let more = bytes.saturating_sub(self.elements.limits().max_bytes);
        self.held.grow(more)?;
        self.elements.allow(bytes);
        Ok(())
    }
}

/// Takes a request: its body is read and decompressed, `parse` makes samples of it,
/// these are put onto the queue, and everything is counted. What `parse` has found
/// besides comes back once the samples are on the queue.
///
/// # Errors
/// Nothing of it was taken, as far as can be known. [`answer`] says so to the client,
/// where the door has no form of its own for that.
pub async fn pushed<T, P>(
    door: Door,
    request: &HttpRequest,
    payload: Payload,
    state: &HttpState,
    parse: P,
) -> Result<T, RequestRefused>
where
    T: Send + 'static,
    P: FnOnce(PushedBody<'_>) -> Result<T, RequestRefused> + Send + 'static,
{
    let Some(room) = &state.push else {
        let words = "this gateway takes no pushes: Push.Enabled is false";
        return Err(RequestRefused::new(RequestReason::Closed, words));
    };
    let doors = state.pipeline.doors();
    let counts = doors.metrics().of(door);
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let taken = async {
        let mut held = room.memory.holding_nothing();
        let coding = Coding::of(request.headers())?;
        let body = awaited_body(request, payload, room, &mut held).await?;
        let work = Work { door, coding, body, held, max_body_bytes: room.max_body_bytes };
        let Done { mut elements, found, held } = work.done(doors, room, parse).await?;
        doors.push(door, &mut elements).await?;
        drop(held);
        Ok(found)
    };
    let taken = taken.await;
    taken.inspect_err(|refused: &RequestRefused| counts.refuse(refused.reason))
}

/// The body as it came. While it is waited for, the client is who keeps us waiting.
async fn awaited_body(
    request: &HttpRequest,
    payload: Payload,
    room: &PushRoom,
    held: &mut Holding,
) -> Result<Vec<u8>, RequestRefused> {
    let exchange = request.conn_data::<Rc<Exchange>>();
    exchange.inspect(|exchange| exchange.awaits_body());
    let body = body::read(payload, room.max_body_bytes, held).await;
    exchange.inspect(|exchange| exchange.has_body());
    body
}

/// A body that is to be decompressed and parsed.
struct Work {
    door: Door,
    coding: Coding,
    body: Vec<u8>,
    held: Holding,
    max_body_bytes: usize,
}

/// What came of it, and the memory that it takes.
struct Done<T> {
    elements: Elements,
    found: T,
    held: Holding,
}

impl Work {
    /// Does it, away from the HTTP threads unless it is little.
    async fn done<T, P>(
        self,
        doors: &Arc<Doors>,
        room: &PushRoom,
        parse: P,
    ) -> Result<Done<T>, RequestRefused>
    where
        T: Send + 'static,
        P: FnOnce(PushedBody<'_>) -> Result<T, RequestRefused> + Send + 'static,
    {
        if self.coding == Coding::Identity && self.body.len() <= SMALL_BODY {
            return self.do_now(doors, parse);
        }
        let _turn = room.at_work.acquire().await;
        let doors = Arc::clone(doors);
        let done = web::block(move || self.do_now(&doors, parse)).await;
        done.map_err(|_| RequestRefused::new(RequestReason::Busy, "the gateway is shutting down"))?
    }

    fn do_now<T, P>(self, doors: &Doors, parse: P) -> Result<Done<T>, RequestRefused>
    where
        P: FnOnce(PushedBody<'_>) -> Result<T, RequestRefused>,
    {
        let Self { door, coding, body, mut held, max_body_bytes } = self;
        let body = coding.decoded(body, max_body_bytes, &mut held)?;
        let most = ELEMENTS_MORE + ELEMENTS_TIMES * body.len();
        held.grow(most)?;
        let mut elements = doors.elements(door, most);
        let found = parse(PushedBody { bytes: &body, elements: &mut elements, held: &mut held })?;
        Ok(Done { elements, found, held })
    }
}

/// The answer to a request that was refused, with its reason in plain text.
pub fn answer(refused: &RequestRefused) -> HttpResponse {
    let mut answer = HttpResponse::build(status(refused.reason));
    match refused.reason {
        RequestReason::Busy
        | RequestReason::QueueFull
        | RequestReason::QueueAway
        | RequestReason::QueueSilent => {
            answer.insert_header((RETRY_AFTER, "1"));
        }
        RequestReason::TooLarge | RequestReason::TooSlow => {
            // The rest of it is not waited for.
            answer.insert_header((CONNECTION, "close"));
        }
        RequestReason::Closed
        | RequestReason::Unsupported
        | RequestReason::Malformed
        | RequestReason::Encoding => {}
    }
    answer.body(format!("{refused}\n"))
}

/// The status that says so.
pub fn status(reason: RequestReason) -> StatusCode {
    match reason {
        RequestReason::Closed => StatusCode::FORBIDDEN,
        RequestReason::Unsupported | RequestReason::Malformed => StatusCode::BAD_REQUEST,
        RequestReason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RequestReason::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RequestReason::TooSlow => StatusCode::REQUEST_TIMEOUT,
        RequestReason::Busy
        | RequestReason::QueueFull
        | RequestReason::QueueAway
        | RequestReason::QueueSilent => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn too_large(max_body_bytes: usize) -> RequestRefused {
    let words = format!(
        "expected a body of at most {max_body_bytes} bytes, compressed or not \
         (Push.MaxBodyBytes)"
    );
    RequestRefused::new(RequestReason::TooLarge, words)
}
