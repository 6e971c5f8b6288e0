//! What a scrape comes to.

use std::sync::Arc;

use psg_engine::merge::Exposition;
use psg_engine::store::ScrapeSeq;

use crate::scrapers::{Receipt, ScrapeStart};
use crate::serving_gate::Permit;

/// A complete scrape, and what permits it.
#[derive(Debug, Clone)]
pub struct Scraped {
    /// The body to send.
    pub exposition: Arc<Exposition>,
    /// To be asked about again as long as the body is being sent.
    pub permit: Permit,
    /// To be handed in once all of it was sent, where it is known to whom.
    pub receipt: Option<Receipt>,
    /// To be held until then.
    pub delivery: DeliveryGuard,
}

/// Says that a rendering is being sent, until it is dropped.
#[derive(Debug, Clone)]
pub struct DeliveryGuard(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);

impl DeliveryGuard {
    pub(super) fn new(alive: Arc<()>) -> Self {
        Self(alive)
    }
}

/// One rendering, for everybody whom it suits.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    pub id: u64,
    pub exposition: Arc<Exposition>,
    pub permit: Permit,
    pub start: ScrapeStart,
    pub starts_after: Option<ScrapeSeq>,
}

impl Rendered {
    /// Whether those who have fetched `seen` as their last rendering are to be
    /// shown the same as those for whom it was made, who have not seen more:
    /// nothing that it shows at its start was born before that.
    pub fn suits(&self, seen: Option<ScrapeSeq>) -> bool {
        self.starts_after.is_none_or(|after| seen.is_some_and(|seen| seen <= after))
    }
}
