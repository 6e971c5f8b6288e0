//! `DELETE /api/v1/metrics/{name}`: removes a family with all that belongs to
//! it.

use actix_web::http::header::HeaderValue;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use psg_engine::store::Removed;
use serde_json::json;

use super::HttpState;
use crate::pipeline::RemoveError;

/// The path, with the name to be filled in.
pub const PATH: &str = "/api/v1/metrics/{name}";

/// The header that a removal needs, saying anything: a form has no headers, and
/// a script of another page has to ask first whether it may send one.
const MEANT: &str = "X-Requested-By";

/// Removes a family and answers when that is done, and safe where it has to be.
pub async fn remove(
    request: HttpRequest,
    state: Data<HttpState>,
    name: Path<String>,
) -> HttpResponse {
    if !state.enable_admin {
        return HttpResponse::Forbidden().body("Http.EnableAdmin is false\n");
    }
    if request.headers().get(MEANT).is_none_or(HeaderValue::is_empty) {
        return HttpResponse::Forbidden().body(format!(
            "expected a header {MEANT}, which no web page can send here, got none\n"
        ));
    }
    match state.pipeline.remove(&name).await {
        Ok(Some(Removed { series, tombstones })) => {
            let removed = json!({ "name": *name, "series": series, "tombstones": tombstones });
            HttpResponse::Ok().json(removed)
        }
        Ok(None) => HttpResponse::NotFound().body("no metric has this name\n"),
        Err(error @ RemoveError::Unavailable(_)) => {
            HttpResponse::ServiceUnavailable().body(format!("{error}\n"))
        }
        Err(error @ RemoveError::Uncommitted(_)) => {
            HttpResponse::GatewayTimeout().body(format!("{error}\n"))
        }
    }
}
