//! Probes: whether the process works, and whether it is ready.

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use psg_engine::printable::{LONG, printable};

use super::HttpState;

pub const HEALTHY: &str = "/-/healthy";
pub const READY: &str = "/-/ready";

pub fn is_probe(path: &str) -> bool {
    [HEALTHY, READY].contains(&path)
}

/// `/-/healthy`: 200 while the process works.
pub async fn healthy() -> HttpResponse {
    plain("healthy\n")
}

/// `/-/ready`: 200 while the queue can be read, else 503 with the reason.
pub async fn ready(state: Data<HttpState>) -> HttpResponse {
    match state.pipeline.unready() {
        None => plain("ready\n"),
        Some(reason) => HttpResponse::ServiceUnavailable()
            .content_type(ContentType::plaintext())
            .body(format!("{}\n", printable(&reason, 2 * LONG))),
    }
}

pub(super) fn plain(text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(text)
}
