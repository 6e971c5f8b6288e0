//! What is asked of the thread that scrapes, and why it may not be answered.

use std::time::Instant;

use psg_engine::exposition::PageFormat;
use psg_engine::store::{Filter, ScrapeSeq};
use tokio::sync::oneshot;

use super::rendered::Scraped;
use crate::scrapers::ScraperId;
use crate::serving_gate::Closed;
use crate::shard_set::ShardsGone;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ScrapeRequest {
    /// What is to be shown.
    pub selection: Selection,
    /// Who asks, if that is known.
    pub scraper: Option<ScraperId>,
    /// When it must be done.
    pub deadline: Option<Instant>,
}

/// What is to be shown, and how. Those who ask for the same share a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The format of the body.
    pub page: PageFormat,
    /// Which families and series.
    pub filter: Filter,
}

#[derive(Debug)]
pub(super) enum Message {
    Scrape(Pending),
    /// End, once everything that was asked before is answered.
    Stop,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub request: ScrapeRequest,
    /// The rendering that its scraper fetched last; `None` where everything is
    /// shown as it is.
    pub seen: Option<ScrapeSeq>,
    pub reply: oneshot::Sender<Result<Scraped, ScrapeError>>,
}

/// Until when somebody waits; `None` is for ever.
pub(super) fn latest_deadline(pending: &[Pending]) -> Option<Instant> {
    let deadlines: Option<Vec<Instant>> =
        pending.iter().map(|pending| pending.request.deadline).collect();
    deadlines?.into_iter().max()
}

/// No complete scrape can be had.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ScrapeError {
    #[error("too many scrapes are waiting")]
    Busy,
    #[error("the gateway is shutting down")]
    Stopping,
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error("clients have asked for too much that they do not take (Http.MaxUnsentBytes)")]
    Unsent,
    #[error("the scrape can't be done in the time that X-Prometheus-Scrape-Timeout-Seconds leaves")]
    Late,
}

impl From<ShardsGone> for ScrapeError {
    fn from(_: ShardsGone) -> Self {
        Self::Stopping
    }
}
