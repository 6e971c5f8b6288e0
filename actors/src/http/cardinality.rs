//! `/api/v1/cardinality`: who has how many series and label values.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data};

use super::HttpState;

/// Answers once every shard has looked at its series. Away from the HTTP
/// workers, since it waits for the shards' inboxes; one at a time, since each
/// takes some memory.
pub async fn cardinality(state: Data<HttpState>) -> HttpResponse {
    let Ok(_turn) = state.surveys.clone().try_acquire_owned() else {
        return HttpResponse::ServiceUnavailable().body("another survey is under way\n");
    };
    match web::block(move || state.pipeline.cardinality()).await {
        Ok(Ok(found)) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(found),
        Ok(Err(error)) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}
