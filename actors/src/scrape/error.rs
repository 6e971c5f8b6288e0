//! Why there is no scrape.

use crate::serving_gate::Closed;
use crate::shard_set::ShardsGone;

/// No complete scrape can be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScrapeError {
    /// Too many requests wait already.
    #[error("too many scrapes are waiting")]
    Busy,
    /// The pipeline is closed.
    #[error("the gateway is shutting down")]
    Stopping,
    /// Totals may not be shown.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// Clients hold too much that they have not taken.
    #[error("clients have asked for too much that they do not take (Http.MaxUnsentBytes)")]
    Unsent,
    /// It would come too late.
    #[error("the scrape can't be done in the time that X-Prometheus-Scrape-Timeout-Seconds leaves")]
    Late,
}

impl From<ShardsGone> for ScrapeError {
    fn from(_: ShardsGone) -> Self {
        Self::Stopping
    }
}
