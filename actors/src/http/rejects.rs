//! `/api/v1/rejects`: the last refused samples as JSON.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Responder};

use super::HttpState;
pub use crate::rejects::PATH;

/// Answers which samples were refused of late, and why. Away from the HTTP
/// workers, since it looks at every family.
pub async fn rejects(state: Data<HttpState>) -> impl Responder {
    match web::block(move || state.pipeline.rejects()).await {
        Ok(report) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(report),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}
