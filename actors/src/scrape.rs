//! A scrape: the fan-out to all shards and the merge of what they answer. It
//! has a thread of its own, so that no HTTP worker waits on an inbox.
//!
//! Requests that have come in by the time a scrape begins share it, except that
//! some scrapers are shown a series at its start while others are not. One that
//! comes later would miss what was processed before it, so it waits for the next.
//! Only while slow clients hold several renderings ([`deliveries`]) do strangers
//! share one of the last seconds, so that a crowd of them can't hold one each.

mod deliveries;
mod rendered;
mod request;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::self_metrics::SelfMetrics;

pub use rendered::{DeliveryGuard, Scraped};
pub use request::{ScrapeError, ScrapeRequest, Selection};
pub use worker::ScrapeParts;

use request::{Message, Pending};
use worker::ScrapeWorker;

/// Requests that may wait; more are refused.
const WAITING: usize = 1024;

/// Asks for scrapes; cheap to clone. The thread ends on
/// [`ScrapeHandle::stop`], or with the last of these.
#[derive(Debug, Clone)]
pub struct ScrapeHandle {
    messages: Sender<Message>,
    metrics: Arc<SelfMetrics>,
}

/// Starts the thread that scrapes.
pub fn start(parts: ScrapeParts) -> io::Result<(ScrapeHandle, JoinHandle<()>)> {
    let (messages, inbox) = bounded(WAITING);
    let handle = ScrapeHandle { messages, metrics: parts.metrics.clone() };
    let worker = ScrapeWorker::new(inbox, parts);
    let thread = std::thread::Builder::new().name("scrape".into()).spawn(move || worker.run())?;
    Ok((handle, thread))
}

impl ScrapeHandle {
    /// Ends the thread after what was asked before. Later scrapes fail.
    pub fn stop(&self) {
        // A thread that has ended needs no message.
        let _ = self.messages.send(Message::Stop);
    }

    /// A complete scrape that shows at least what was processed before now.
    pub async fn scrape(&self, request: ScrapeRequest) -> Result<Scraped, ScrapeError> {
        let (reply, answer) = oneshot::channel();
        let deadline = request.deadline;
        let pending = Message::Scrape(Pending { request, seen: None, reply });
        self.messages.try_send(pending).map_err(|refused| match refused {
            TrySendError::Full(_) => ScrapeError::Busy,
            TrySendError::Disconnected(_) => ScrapeError::Stopping,
        })?;
        let answer = async { answer.await.unwrap_or(Err(ScrapeError::Stopping)) };
        let scraped = match deadline {
            None => answer.await,
            Some(deadline) => {
                timeout_at(deadline.into(), answer).await.unwrap_or(Err(ScrapeError::Late))
            }
        };
        if let Err(ScrapeError::Late) = scraped {
            self.metrics.late_scrapes.fetch_add(1, Ordering::Relaxed);
        }
        scraped
    }
}
