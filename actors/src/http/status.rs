//! `/api/v1/status`: the model of the status as JSON.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Responder};

use super::HttpState;

/// Answers how the gateway does. Away from the HTTP workers, since it may look
/// at every family.
pub async fn status(state: Data<HttpState>) -> impl Responder {
    match web::block(move || state.pipeline.status()).await {
        Ok(status) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(status),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}
