//! The Pushgateway's door by HTTP: what is pushed to `/metrics/job/…` as to a
//! Pushgateway, and to `/metrics` as to an aggregation gateway.

use std::fmt::Write;

use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::{PushedBody, answer, pushed};
use crate::doors::RequestRefused;
use crate::doors::pushgateway::target::PushTarget;
use crate::doors::pushgateway::{BodyFormat, PushOptions, Weight, parse};
use crate::http::HttpState;
use crate::self_metrics::doors::{Door, LeftOut, RequestReason, SampleReason};

/// The labels of a series, in pairs.
pub const GROUPING_PATH: &str = "/metrics/{labels:.+}";

/// Where weaveworks' gateway, and those that followed it, take pushes.
pub const UI_PATH: &str = "/api/ui/metrics";

/// What a request says besides its body.
struct Asked {
    path: String,
    query: Vec<(String, String)>,
    content_type: Option<String>,
    keep_exemplars: bool,
}

/// Takes what is pushed: 202 once all of it is on the queue.
pub async fn push(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let asked = Asked {
        path: request.uri().path().to_owned(),
        query: query.map(Query::into_inner).unwrap_or_default(),
        content_type: content_type.map(str::to_owned),
        keep_exemplars: state.pipeline.doors().keeps_exemplars(),
    };
    let parse = move |body: PushedBody<'_>| samples_of(&asked, body);
    match pushed(Door::Pushgateway, &request, payload, &state, parse).await {
        Ok(left_out) => HttpResponse::Accepted().body(said_of(&left_out)),
        Err(refused) => answer(&refused),
    }
}

/// Says what a client of a Pushgateway should know that wants to delete there.
pub async fn no_delete() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, "POST, PUT")).body(
        "nothing is deleted by job: what many have pushed is one total; series leave once they \
         are idle (Metrics.SeriesTtlSeconds), and DELETE /api/v1/metrics/NAME removes a metric\n",
    )
}

/// Puts the samples of a body among the elements; says what was left out.
fn samples_of(asked: &Asked, mut body: PushedBody<'_>) -> Result<LeftOut, RequestRefused> {
    let unsupported = |words| RequestRefused::new(RequestReason::Unsupported, words);
    let target = PushTarget::parse(&asked.path, &asked.query).map_err(unsupported)?;
    let format = BodyFormat::of(asked.content_type.as_deref(), body.bytes).map_err(unsupported)?;
    let options = PushOptions {
        grouping: &target.grouping,
        gauge_op: target.gauge_op,
        keep_exemplars: asked.keep_exemplars,
    };
    let weight = Weight::of(body.bytes, format, &options);
    body.reserve(weight.reading)?;
    body.reserve_elements(weight.elements)?;
    parse(body.bytes, format, &options, body.elements)?;
    Ok(*body.elements.left_out())
}

/// A line for each reason why something was left out; clients do not read it, people do.
fn said_of(left_out: &LeftOut) -> String {
    let mut said = String::new();
    for (reason, what) in [
        (SampleReason::Unmergeable, "quantiles, which can't be merged"),
        (SampleReason::NotFinite, "gauges that are NaN or infinite"),
    ] {
        let count = left_out[reason as usize];
        if count > 0 {
            writeln!(said, "left out: {count} {what}").expect("memory takes all");
        }
    }
    said
}
