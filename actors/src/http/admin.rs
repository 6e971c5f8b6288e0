//! `DELETE /api/v1/metrics/{name}`: removes a family with all that belongs to
//! it, so that one bad deploy is not for ever.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use psg_engine::catalog::Catalog;
use psg_engine::store::Removed;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::HttpState;
use crate::checkpoint_requests::CheckpointRequester;
use crate::serving_gate::Permit;
use crate::shard_set::{ShardSet, ShardsGone};

/// The path, with the name to be filled in.
pub const PATH: &str = "/api/v1/metrics/{name}";

/// The header that a removal needs, saying anything: a form has no headers, and
/// a script of another page has to ask first whether it may send one.
const MEANT: &str = "X-Requested-By";

/// Searches that may be under way.
const SEARCHES: usize = 4;

/// What the administration works with.
#[derive(Debug, Clone)]
pub struct Admin {
    /// All families.
    pub catalog: Catalog,
    /// Whether anything may be removed.
    pub is_enabled: bool,
    /// One survey at a time.
    pub surveys: Arc<Semaphore>,
    /// A few searches at a time.
    pub searches: Arc<Semaphore>,
    /// What makes a removal safe, where that takes a checkpoint.
    pub safety: Option<Safety>,
}

/// Makes removals safe under exactly-once delivery.
#[derive(Debug, Clone)]
pub struct Safety {
    /// Asks for checkpoints.
    pub requester: CheckpointRequester,
    /// How long one is waited for.
    pub patience: Duration,
}

impl Admin {
    /// The administration of what is in `catalog`.
    pub fn new(catalog: Catalog, is_enabled: bool, safety: Option<Safety>) -> Self {
        let (surveys, searches) = (Semaphore::new(1), Semaphore::new(SEARCHES));
        let (surveys, searches) = (surveys.into(), searches.into());
        Self { catalog, is_enabled, surveys, searches, safety }
    }
}

/// What was removed.
#[derive(Debug, Serialize)]
struct Answer {
    name: String,
    series: usize,
    tombstones: usize,
}

/// Removes a family and answers when every shard is done; under exactly-once
/// delivery when a checkpoint has it, so that no crash brings it back.
pub async fn remove(
    request: HttpRequest,
    state: Data<HttpState>,
    name: Path<String>,
) -> HttpResponse {
    if !state.admin.is_enabled {
        return HttpResponse::Forbidden().body("Http.EnableAdmin is false\n");
    }
    if request.headers().get(MEANT).is_none_or(HeaderValue::is_empty) {
        return HttpResponse::Forbidden().body(format!(
            "expected a header {MEANT}, which no web page can send here, got none\n"
        ));
    }
    let permit = match state.gate.permit() {
        Ok(permit @ Permit::Everything(_)) => permit,
        Ok(Permit::OwnMetrics) => return unavailable("another gateway owns the queue"),
        Err(closed) => return unavailable(closed),
    };
    let name = name.into_inner();
    let removed = {
        let (state, name) = (state.clone(), name.clone());
        web::block(move || remove_family(&state.admin.catalog, &state.shards, &name)).await
    };
    let removed = match removed {
        Ok(Ok(removed)) => removed,
        Ok(Err(gone)) => return unavailable(gone),
        Err(error) => return unavailable(error),
    };
    if let Some(Removed { series, tombstones }) = removed {
        tracing::info!(name, series, tombstones, "a metric was removed");
    }
    if let Err(failure) = commit(&state, permit, removed.is_some()).await {
        return failure;
    }
    match removed {
        Some(Removed { series, tombstones }) => {
            HttpResponse::Ok().json(Answer { name, series, tombstones })
        }
        None => HttpResponse::NotFound().body("no metric has this name\n"),
    }
}

/// Waits until everything that was removed so far is safe, where that takes a
/// checkpoint. That nothing has the name is not said before either: it may be
/// what a removal whose answer did not come in time has left.
async fn commit(state: &HttpState, permit: Permit, is_removed: bool) -> Result<(), HttpResponse> {
    let Some(Safety { requester, patience }) = &state.admin.safety else { return Ok(()) };
    if !is_removed && !requester.is_pending() {
        return Ok(());
    }
    match timeout(*patience, requester.request()).await {
        // A memory that was loaded anew meanwhile has the family again.
        Ok(Ok(())) => state.gate.still(permit).map_err(unavailable),
        Ok(Err(gone)) => Err(unavailable(gone)),
        Err(_) => {
            let seconds = patience.as_secs();
            Err(HttpResponse::GatewayTimeout().body(format!(
                "removed, but no checkpoint was written within {seconds} s: until one is, a crash may \
                 bring it back; ask again, 404 says that it is safe\n"
            )))
        }
    }
}

fn unavailable(why: impl std::fmt::Display) -> HttpResponse {
    HttpResponse::ServiceUnavailable().body(format!("{why}; ask again\n"))
}

/// First the name is free, so that nothing new comes in under the old family;
/// then each shard drops what it has of it.
fn remove_family(
    catalog: &Catalog,
    shards: &ShardSet,
    name: &str,
) -> Result<Option<Removed>, ShardsGone> {
    let Some(family) = catalog.retire(name) else { return Ok(None) };
    let parts = shards.remove(&family)?;
    let mut all = Removed::default();
    for _ in 0..shards.count().get() {
        let removed = parts.recv().map_err(|_| ShardsGone)?;
        all.series += removed.series;
        all.tombstones += removed.tombstones;
    }
    Ok(Some(all))
}
