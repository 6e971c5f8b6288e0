//! The entrance: what every request passes before it is answered, and every
//! answer on its way out, whatever is asked for.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};

use super::access::Access;
use super::access::web_config::WebConfig;
use super::connection::{AnswerGuard, Exchange, MAX_REQUEST_BYTES};
use super::doors::{PushRules, is_push};
use super::hosts::Hosts;
use super::probes;

#[derive(Debug)]
pub struct Entrance {
    /// Who may use the HTTP side; `None` lets everyone.
    pub access: Option<Access>,
    pub hosts: Hosts,
    /// Who may push; `None` where there are no doors.
    pub pushes: Option<PushRules>,
}

/// Lets through what may be answered, and tells the connection when an answer
/// begins and ends.
pub async fn admit(
    entrance: Arc<Entrance>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.version() < Version::HTTP_11 {
        // A compressed answer comes in chunks, which nobody knew then.
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let exchange = request.conn_data::<Rc<Exchange>>().cloned();
    let answer = exchange.as_ref().map(Exchange::answer);
    let config = entrance.access.as_ref().and_then(Access::config);
    let refusal = entrance.refusal(config.as_deref(), &request, exchange.as_deref()).await;
    let mut response = match refusal {
        Some(refusal) => request.into_response(refusal),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    describe(response.headers_mut());
    for (name, value) in config.iter().flat_map(|config| &config.headers) {
        // The status page's own policy is stricter, and lets its script run.
        let is_kept = *name == CONTENT_SECURITY_POLICY && response.headers().contains_key(name);
        if !is_kept {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if exchange.is_some_and(|exchange| exchange.slot().is_for_one_answer()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| BoxBody::new(Timed { body, _answer: answer })))
}

impl Entrance {
    /// Why a request is not answered; `None` where it is.
    async fn refusal(
        &self,
        config: Option<&WebConfig>,
        request: &ServiceRequest,
        exchange: Option<&Exchange>,
    ) -> Option<HttpResponse> {
        let is_reserved = exchange.is_some_and(|exchange| exchange.slot().is_reserved());
        if is_reserved && !probes::is_probe(request.path()) {
            return Some(no_slot());
        }
        let has_certificate = exchange.is_some_and(Exchange::has_certificate);
        if let Some(access) = &self.access
            && let Err(refusal) = access.admit(config, request, has_certificate).await
        {
            return Some(refusal.error_response());
        }
        let length = content_length(request);
        if let Some(rules) = self.pushes.filter(|_| is_push(request.method())) {
            return rules.refusal(config, request.request(), length);
        }
        if length.is_some_and(|length| length > MAX_REQUEST_BYTES as u64) {
            return Some(too_large());
        }
        // A password keeps other pages out, and so does a certificate for our name.
        let keeps_pages_out = config.is_some_and(WebConfig::keeps_pages_out);
        if keeps_pages_out { None } else { self.hosts.refusal(request) }
    }
}

/// Says of every answer that it is what it is said to be, and of one without a
/// word on it, as refusals are, that it is plain text: they may repeat what was
/// asked, which no browser may take for a page.
fn describe(headers: &mut HeaderMap) {
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn content_length(request: &ServiceRequest) -> Option<u64> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok())
}

fn no_slot() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .body("too many connections are being answered (Http.MaxConnections)\n")
}

/// Nothing but a push has a body that is read, so a long one is a mistake at best.
fn too_large() -> HttpResponse {
    HttpResponse::PayloadTooLarge()
        .insert_header((CONNECTION, "close"))
        .body(format!("expected a request of at most {MAX_REQUEST_BYTES} bytes\n"))
}

/// A body; when it is dropped the answer has ended.
struct Timed {
    body: BoxBody,
    _answer: Option<AnswerGuard>,
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
