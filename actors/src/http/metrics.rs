//! `/metrics`: a complete scrape, or 503.

use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use psg_engine::merge::Exposition;

use super::HttpState;
use super::negotiate::format_for;

/// Answers with the pieces of the exposition as they are: nothing is copied
/// into one body.
pub async fn metrics(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let accept = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let format = format_for(accept);
    match state.scrapes.scrape(format).await {
        Ok(exposition) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, format.content_type()))
            .insert_header((VARY, "Accept, Accept-Encoding"))
            .body(body(exposition)),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}

fn body(
    exposition: Arc<Exposition>,
) -> SizedStream<impl futures_util::Stream<Item = Result<Bytes, std::io::Error>>> {
    let length = exposition.length as u64;
    let pieces =
        (0..exposition.pieces.len()).map(move |index| Ok(exposition.pieces[index].clone()));
    SizedStream::new(length, stream::iter(pieces))
}
