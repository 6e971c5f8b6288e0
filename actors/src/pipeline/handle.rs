//! The handle of a pipeline: what HTTP may ask of it.

use std::sync::Arc;
use std::time::Duration;

use psg_engine::catalog::Catalog;

use super::queue::Queue;
use crate::cardinality::Cardinality;
use crate::checkpoint_requests::CheckpointRequester;
use crate::doors::Doors;
use crate::rejects::{RejectBoard, RejectReport};
use crate::scrape::{ScrapeError, ScrapeHandle, ScrapeRequest, Scraped};
use crate::search::{SearchAnswer, SearchQuestion};
use crate::self_metrics::SelfMetrics;
use crate::serving_gate::{Permit, ServingGate};
use crate::shard_set::{ShardSet, ShardsGone};
use crate::status::model::Status;
use crate::status::{LiveInfo, StatusBoard};
use crate::stop::StopSignal;

/// Asks a pipeline; cheap to clone. Once that is closed, the answer is that it is
/// shutting down.
#[derive(Debug, Clone)]
pub struct PipelineHandle(Arc<Services>);

#[derive(Debug)]
pub(super) struct Services {
    pub(super) catalog: Catalog,
    pub(super) metrics: Arc<SelfMetrics>,
    pub(super) shards: ShardSet,
    pub(super) gate: ServingGate,
    pub(super) scrapes: ScrapeHandle,
    pub(super) status: Arc<StatusBoard>,
    pub(super) rejects: Arc<RejectBoard>,
    pub(super) queue: Queue,
    pub(super) doors: Arc<Doors>,
    /// Present where a removal is safe only once a checkpoint has it: who is asked
    /// for one, and how long that is waited for.
    pub(super) commits: Option<(CheckpointRequester, Duration)>,
    pub(super) stop: StopSignal,
}

impl PipelineHandle {
    pub(super) fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    pub(super) fn services(&self) -> &Services {
        &self.0
    }

    /// What the pipeline counts of itself.
    pub fn metrics(&self) -> &Arc<SelfMetrics> {
        &self.0.metrics
    }

    /// Where samples come in by other protocols than the queue's.
    pub fn doors(&self) -> &Arc<Doors> {
        &self.0.doors
    }

    /// Whether totals may be shown.
    pub fn gate(&self) -> &ServingGate {
        &self.0.gate
    }

    /// A complete scrape that shows at least what was processed before now.
    pub async fn scrape(&self, request: ScrapeRequest) -> Result<Scraped, ScrapeError> {
        self.0.scrapes.scrape(request).await
    }

    /// Why the gateway is not ready, without secrets; `None` where it is.
    pub fn unready(&self) -> Option<String> {
        if self.0.stop.is_stopped() {
            return Some("the gateway is shutting down".to_owned());
        }
        let trouble = self.0.queue.trouble(&self.0.metrics);
        trouble.or_else(|| self.0.gate.unready().map(str::to_owned))
    }

    /// How the gateway does. May look at every family, so it is for no thread that
    /// others wait for.
    pub fn status(&self) -> Status {
        let inboxes = self.0.shards.waiting().collect();
        self.0.status.status(LiveInfo { unready: self.unready(), inboxes })
    }

    /// The last refused samples. Looks at every family, as [`Self::status`] does.
    pub fn rejects(&self) -> RejectReport {
        self.0.rejects.report()
    }

    /// Who has how much. Waits for the shards.
    pub fn cardinality(&self) -> Result<Cardinality, ShardsGone> {
        Cardinality::ask(&self.0.catalog, &self.0.shards)
    }

    /// Series by a part of their names. Waits for the shards.
    pub fn search(&self, question: &SearchQuestion) -> Result<SearchAnswer, String> {
        let permit = self.0.gate.permit().map_err(|closed| closed.to_string())?;
        if permit == Permit::OwnMetrics {
            return Err("standby: another gateway owns the queue and has the totals".to_owned());
        }
        let found = SearchAnswer::to(question, &self.0.catalog, &self.0.shards);
        let found = found.map_err(|error| error.to_string())?;
        self.0.gate.still(permit).map_err(|closed| closed.to_string())?;
        Ok(found)
    }
}
