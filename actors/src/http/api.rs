//! `/api/v1`: the status, refused samples, cardinality and the search for
//! series, as JSON.

use std::convert::Infallible;
use std::fmt::Display;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::HttpState;
use crate::search::{MOST_SERIES, SearchQuestion};

pub async fn status(state: Data<HttpState>) -> HttpResponse {
    found(move || Ok::<_, Infallible>(state.pipeline.status())).await
}

/// Which samples were refused of late, and why.
pub async fn rejects(state: Data<HttpState>) -> HttpResponse {
    found(move || Ok::<_, Infallible>(state.pipeline.rejects())).await
}

/// Who has how many series and label values, once every shard has looked at its
/// series. One at a time, since each takes some memory.
pub async fn cardinality(state: Data<HttpState>) -> HttpResponse {
    let Ok(_permit) = state.surveys.clone().try_acquire_owned() else {
        return unavailable("another survey is under way");
    };
    found(move || state.pipeline.cardinality()).await
}

/// Metrics by a part of their names, and what their series hold, where `/metrics`
/// may show it at this moment.
pub async fn series(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let question = match question(request.query_string()) {
        Ok(question) => question,
        Err(error) => return HttpResponse::BadRequest().body(format!("{error}\n")),
    };
    let Ok(_permit) = state.searches.clone().try_acquire_owned() else {
        return unavailable("too many searches are under way");
    };
    found(move || state.pipeline.search(&question)).await
}

/// What `work` comes to, which nobody may keep; 503 where it fails. Away from the
/// HTTP workers, since it may look at every family and wait for the shards.
async fn found<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> HttpResponse
where
    T: Serialize + Send + 'static,
    E: Display + Send + 'static,
{
    match web::block(work).await {
        Ok(Ok(found)) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(found),
        Ok(Err(error)) => unavailable(error),
        Err(error) => unavailable(error),
    }
}

fn unavailable(why: impl Display) -> HttpResponse {
    HttpResponse::ServiceUnavailable().body(format!("{why}\n"))
}

fn question(query: &str) -> Result<SearchQuestion, String> {
    let question = Query::<SearchQuestion>::from_query(query).map_err(|error| {
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
