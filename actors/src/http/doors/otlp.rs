//! `POST /v1/metrics`: OTLP over HTTP, answered in the encoding of the request.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use psg_engine::printable::{SHORT, printable};

use super::{PushedBody, answer, pushed};
use crate::doors::RequestRefused;
use crate::doors::otlp::{Encoding, Refused, TooMany, push_samples};
use crate::http::HttpState;
use crate::self_metrics::doors::{Door, RequestReason};
use crate::settings::OtlpSettings;

/// The path that SDKs put behind an address.
pub const PATH: &str = "/v1/metrics";

/// Lists take up to twice the memory of what is in them.
const GROWTH: usize = 2;

/// Takes data points; those that can't be taken are told in the answer.
pub async fn export(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(encoding) = Encoding::of(content_type) else {
        let refused = unknown(content_type);
        let parse = |_: PushedBody<'_>| -> Result<Infallible, _> { Err(refused) };
        let Err(refused) = pushed(Door::Otlp, &request, payload, &state, parse).await;
        return answer(&refused);
    };
    let settings = Arc::clone(&state.otlp);
    let parse = move |body: PushedBody<'_>| samples(encoding, &settings, body);
    let taken = pushed(Door::Otlp, &request, payload, &state, parse).await;
    let (mut response, body) = match taken {
        Ok(refused) => (HttpResponse::Ok().finish(), encoding.success(&refused)),
        Err(refused) => (answer(&refused), encoding.failure(&refused.words)),
    };
    let content_type = HeaderValue::from_static(encoding.content_type());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.set_body(BoxBody::new(body))
}

fn unknown(content_type: &str) -> RequestRefused {
    let [protobuf, json] = Encoding::ALL.map(Encoding::content_type);
    let got = printable(content_type, SHORT);
    let words = format!("expected {protobuf} or {json} as Content-Type, got {got:?}");
    RequestRefused::new(RequestReason::Encoding, words)
}

/// Makes samples of a body; what is refused of it comes back.
fn samples(
    encoding: Encoding,
    settings: &OtlpSettings,
    mut body: PushedBody<'_>,
) -> Result<Refused, RequestRefused> {
    body.reserve(GROWTH * encoding.weight(body.bytes))?;
    let request = encoding.decode(body.bytes);
    let request = request.map_err(|words| RequestRefused::new(RequestReason::Malformed, words))?;
    push_samples(&request, settings, body.elements).map_err(|TooMany| {
        let words = "expected fewer data points in one request: send it in parts";
        RequestRefused::new(RequestReason::TooLarge, words)
    })
}
