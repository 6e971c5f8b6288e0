//! `/metrics`: a complete scrape, or 503.

use std::io;

use actix_web::body::SizedStream;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::HttpState;
use super::negotiate::format_for;
use crate::gate::Gate;
use crate::scrape::Scraped;

/// Answers with the pieces of the exposition as they are: nothing is copied
/// into one body.
pub async fn metrics(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let accept = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let format = format_for(accept);
    match state.scrapes.scrape(format).await {
        Ok(scraped) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, format.content_type()))
            .insert_header((VARY, "Accept, Accept-Encoding"))
            .body(body(scraped, state.gate.clone())),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}

/// Ends early where what permitted the scrape has gone meanwhile: a part of an
/// answer counts as none.
fn body(
    scraped: Scraped,
    gate: Gate,
) -> SizedStream<impl futures_util::Stream<Item = Result<Bytes, io::Error>>> {
    let Scraped { exposition, permit } = scraped;
    let length = exposition.length as u64;
    let pieces = (0..exposition.pieces.len()).map(move |index| {
        gate.still(permit).map_err(io::Error::other)?;
        Ok(exposition.pieces[index].clone())
    });
    SizedStream::new(length, stream::iter(pieces))
}
