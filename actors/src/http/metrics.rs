//! `/metrics`: a complete scrape, or 503.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, VARY};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::HttpState;
use super::connection::Exchange;
use super::negotiate::negotiate;
use super::query;
use crate::scrape::{DeliveryGuard, ScrapeError, ScrapeRequest, Scraped, Selection};
use crate::scrapers::{Receipt, ScraperId};
use crate::serving_gate::{Permit, ServingGate};

/// How long Prometheus waits for the whole of a scrape, in seconds.
const TIMEOUT_HEADER: &str = "X-Prometheus-Scrape-Timeout-Seconds";
/// The part of that time in which a scrape has to be ready, so that there is
/// some left to send it; and what is left at most.
const READY_WITHIN: (f64, Duration) = (0.9, Duration::from_millis(500));
/// Nobody waits longer.
const LONGEST_TIMEOUT_SECONDS: f64 = 86_400.0;

/// Answers with the pieces of the exposition as they are: nothing is copied
/// into one body.
pub async fn metrics(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let accept = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let negotiated = negotiate(accept);
    let filter = match query::filter(request.query_string()) {
        Ok(filter) => filter,
        Err(problem) => return HttpResponse::BadRequest().body(format!("{problem}\n")),
    };
    let granted = granted(&request);
    let now = Instant::now();
    let deadline = granted.map(|granted| now + time_to_render(granted));
    let selection = Selection { page: negotiated.page, filter };
    let asked = ScrapeRequest { selection, scraper: scraper(&request), deadline };
    match scrape(&request, &state, asked).await {
        Ok(scraped) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, negotiated.content_type))
            .insert_header((VARY, "Accept, Accept-Encoding"))
            .body(body(
                scraped,
                granted.map(|granted| now + granted),
                state.pipeline.gate().clone(),
            )),
        Err(error) => HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .body(format!("{error}\n")),
    }
}

/// Where clients hold too much, those that take least have to go first.
async fn scrape(
    request: &HttpRequest,
    state: &HttpState,
    asked: ScrapeRequest,
) -> Result<Scraped, ScrapeError> {
    loop {
        let scraped = state.pipeline.scrape(asked.clone()).await;
        let Err(ScrapeError::Unsent) = scraped else { return scraped };
        let exchange = request.conn_data::<Rc<Exchange>>();
        if !exchange.is_some_and(|exchange| exchange.slot().cut_slowest_reader()) {
            return scraped;
        }
        state.pipeline.metrics().unsent.fewer().await;
    }
}

/// The scraper that asks; `None` if it fetches no body.
fn scraper(request: &HttpRequest) -> Option<ScraperId> {
    let address = request.peer_addr().filter(|_| request.method() == Method::GET)?.ip();
    let user_agent = request.headers().get(USER_AGENT);
    let user_agent = user_agent.map(|text| String::from_utf8_lossy(text.as_bytes()));
    Some(ScraperId::new(address, &user_agent.unwrap_or_default(), request.query_string()))
}

/// How long the scraper waits, where it says so.
fn granted(request: &HttpRequest) -> Option<Duration> {
    time_granted(request.headers().get(TIMEOUT_HEADER)?.to_str().ok()?)
}

fn time_granted(header: &str) -> Option<Duration> {
    let seconds: f64 = header.trim().parse().ok()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_TIMEOUT_SECONDS)))
}

/// When the scrape has to be ready.
fn time_to_render(granted: Duration) -> Duration {
    let (part, rest) = READY_WITHIN;
    granted.mul_f64(part).max(granted.saturating_sub(rest))
}

/// The pieces of a body on their way out. Ends early where what permitted the
/// scrape has gone meanwhile: a part of an answer counts as none.
struct BodyPieces {
    pieces: VecDeque<Bytes>,
    permit: Permit,
    gate: ServingGate,
    /// To be handed in after the last piece.
    receipt: Option<Receipt>,
    /// When the scraper throws away what it has got so far.
    given_up: Option<Instant>,
    _delivery: DeliveryGuard,
}

impl BodyPieces {
    fn hand_in_receipt(&mut self) {
        if let Some(receipt) = self.receipt.take()
            && self.given_up.is_none_or(|at| Instant::now() < at)
        {
            receipt.hand_in();
        }
    }
}

impl Iterator for BodyPieces {
    type Item = Result<Bytes, io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(piece) = self.pieces.pop_front() else {
            self.hand_in_receipt();
            return None;
        };
        Some(self.gate.still(self.permit).map(|()| piece).map_err(io::Error::other))
    }
}

fn body(
    scraped: Scraped,
    given_up: Option<Instant>,
    gate: ServingGate,
) -> SizedStream<stream::Iter<BodyPieces>> {
    let Scraped { exposition, permit, receipt, delivery } = scraped;
    let length = exposition.length as u64;
    // The pieces are cloned so that each is let go of once it is sent.
    let pieces = exposition.pieces.iter().cloned().collect();
    let mut pieces = BodyPieces { pieces, permit, gate, receipt, given_up, _delivery: delivery };
    if length == 0 {
        // Of a part without series, whose body nobody asks for.
        pieces.hand_in_receipt();
    }
    SizedStream::new(length, stream::iter(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_time_is_for_rendering() {
        let milliseconds = |header| {
            time_granted(header).map(|granted| time_to_render(granted).as_secs_f64() * 1e3)
        };
        assert_eq!(milliseconds("10"), Some(9500.0));
        assert_eq!(milliseconds(" 1.0 "), Some(900.0));
        assert_eq!(milliseconds("0.001"), Some(0.9));
        assert_eq!(milliseconds("1e300"), Some(86_399_500.0));
        assert_eq!(milliseconds("inf"), Some(86_399_500.0));
        for nothing in ["", "0", "-1", "NaN", "soon", "1s"] {
            assert_eq!(milliseconds(nothing), None, "{nothing}");
        }
    }
}
