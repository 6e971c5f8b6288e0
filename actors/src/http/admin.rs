//! `DELETE /api/v1/metrics/{name}`: removes a family with all that belongs to
//! it, so that one bad deploy is not for ever.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path};
use psg_engine::catalog::Catalog;
use psg_engine::store::Removed;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::HttpState;
use crate::shard_set::{ShardSet, ShardsGone};

/// The path, with the name to be filled in.
pub const PATH: &str = "/api/v1/metrics/{name}";

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
}

impl Admin {
    /// The administration of what is in `catalog`.
    pub fn new(catalog: Catalog, is_enabled: bool) -> Self {
        let (surveys, searches) = (Semaphore::new(1), Semaphore::new(SEARCHES));
        Self { catalog, is_enabled, surveys: surveys.into(), searches: searches.into() }
    }
}

/// What was removed.
#[derive(Debug, Serialize)]
struct Answer {
    name: String,
    series: usize,
    tombstones: usize,
}

/// Removes a family and answers when every shard is done.
pub async fn remove(state: Data<HttpState>, name: Path<String>) -> HttpResponse {
    if !state.admin.is_enabled {
        return HttpResponse::Forbidden().body("Http.EnableAdmin is false\n");
    }
    let name = name.into_inner();
    let removed = {
        let (state, name) = (state.clone(), name.clone());
        web::block(move || remove_family(&state.admin.catalog, &state.shards, &name)).await
    };
    match removed {
        Ok(Ok(Some(Removed { series, tombstones }))) => {
            tracing::info!(name, series, tombstones, "a metric was removed");
            HttpResponse::Ok().json(Answer { name, series, tombstones })
        }
        Ok(Ok(None)) => HttpResponse::NotFound().body("no metric has this name\n"),
        Ok(Err(error)) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
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
