//! `/api/v1/series`: metrics by a part of their names, and what their series
//! hold.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::HttpState;
use crate::search::{MOST_SERIES, Question};

/// Answers what `/metrics` may show at this moment, as that does: 503 where it
/// may show no totals. Away from the HTTP workers, since it waits for the
/// shards' inboxes.
pub async fn series(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let question = match question(request.query_string()) {
        Ok(question) => question,
        Err(error) => return HttpResponse::BadRequest().body(format!("{error}\n")),
    };
    let Ok(_turn) = state.searches.clone().try_acquire_owned() else {
        return HttpResponse::ServiceUnavailable().body("too many searches are under way\n");
    };
    match web::block(move || state.pipeline.search(&question)).await {
        Ok(Ok(found)) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(found),
        Ok(Err(error)) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}

fn question(query: &str) -> Result<Question, String> {
    let question = Query::<Question>::from_query(query).map_err(|error| {
        format!("expected name, exact, labels and limit as in the documentation, got {error}")
    })?;
    if question.limit > MOST_SERIES {
        return Err(format!("expected a limit of at most {MOST_SERIES}, got {}", question.limit));
    }
    Ok(question.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let asked = question("name=http%5f&labels=a%3D%22b%22&limit=7&exact=true").expect("sound");
        assert_eq!((asked.name.as_str(), asked.labels.as_str()), ("http_", "a=\"b\""));
        assert_eq!((asked.limit, asked.exact), (7, true));
        let default = question("").expect("sound");
        assert_eq!((default.name.as_str(), default.limit, default.exact), ("", 100, false));
        for wrong in ["limit=x", "limit=-1", "limit=1001", "nam=x", "exact=maybe"] {
            let error = question(wrong).expect_err(wrong);
            assert!(error.starts_with("expected "), "{error}");
        }
    }
}
