//! A scrape: the fan-out to all shards and the merge of what they answer. It
//! has a thread of its own, so that no HTTP worker waits on an inbox.
//!
//! Requests that have come in by the time a scrape begins share it; one that
//! comes later would miss what was processed before it, so it waits for the
//! next.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use psg_engine::exposition::Format;
use psg_engine::merge::{Exposition, Fragment, merge};
use tokio::sync::oneshot;

use crate::gate::{Closed, Gate, Permit};
use crate::self_metrics::SelfMetrics;
use crate::shard_set::{ShardSet, ShardsGone};

/// Requests that may wait; more are refused.
const WAITING: usize = 1024;

/// Asks for scrapes; cheap to clone. The scraper ends with the last of these.
#[derive(Debug, Clone)]
pub struct ScrapeHandle(Sender<Request>);

/// No complete scrape can be had.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// Too many wait.
    #[error("too many scrapes are waiting")]
    Busy,
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
    /// Totals may not be shown.
    #[error(transparent)]
    Closed(#[from] Closed),
}

#[derive(Debug)]
struct Request {
    format: Format,
    reply: oneshot::Sender<Result<Scraped, Closed>>,
}

/// A complete scrape, and what permits it.
#[derive(Debug, Clone)]
pub struct Scraped {
    /// The text.
    pub exposition: Arc<Exposition>,
    /// To be asked about again as long as the text is being sent.
    pub permit: Permit,
}

#[derive(Debug)]
struct Scraper {
    requests: Receiver<Request>,
    shards: ShardSet,
    metrics: Arc<SelfMetrics>,
    gate: Gate,
}

/// Starts the scraper's thread.
pub fn start(
    shards: ShardSet,
    metrics: Arc<SelfMetrics>,
    gate: Gate,
) -> io::Result<(ScrapeHandle, JoinHandle<()>)> {
    let (sender, requests) = bounded(WAITING);
    let scraper = Scraper { requests, shards, metrics, gate };
    let thread = std::thread::Builder::new().name("scrape".into()).spawn(move || scraper.run())?;
    Ok((ScrapeHandle(sender), thread))
}

impl ScrapeHandle {
    /// A complete scrape that shows at least what was processed before now.
    pub async fn scrape(&self, format: Format) -> Result<Scraped, ScrapeError> {
        let (reply, exposition) = oneshot::channel();
        self.0.try_send(Request { format, reply }).map_err(|refused| match refused {
            crossbeam_channel::TrySendError::Full(_) => ScrapeError::Busy,
            crossbeam_channel::TrySendError::Disconnected(_) => ScrapeError::Stopping,
        })?;
        Ok(exposition.await.map_err(|_| ScrapeError::Stopping)??)
    }
}

impl Scraper {
    fn run(self) {
        while let Ok(first) = self.requests.recv() {
            let waiting: Vec<Request> =
                std::iter::once(first).chain(self.requests.try_iter()).collect();
            if self.answer(waiting).is_err() {
                return;
            }
        }
    }

    fn answer(&self, waiting: Vec<Request>) -> Result<(), ShardsGone> {
        let (text, open_metrics): (Vec<Request>, Vec<Request>) =
            waiting.into_iter().partition(|request| request.format == Format::Text);
        for (format, requests) in [(Format::Text, text), (Format::OpenMetrics, open_metrics)] {
            if requests.is_empty() {
                continue;
            }
            let scraped = self.permitted(format)?;
            for request in requests {
                // Who has hung up needs no answer.
                let _ = request.reply.send(scraped.clone());
            }
        }
        Ok(())
    }

    /// What the gate permits before the scrape it must still permit when the
    /// last shard has answered.
    fn permitted(&self, format: Format) -> Result<Result<Scraped, Closed>, ShardsGone> {
        let permit = match self.gate.permit() {
            Ok(permit) => permit,
            Err(closed) => return Ok(Err(closed)),
        };
        let exposition = Arc::new(match permit {
            Permit::Everything(_) => self.scrape(format)?,
            Permit::OwnMetrics => merge(format, vec![self.metrics.fragments(format, &self.shards)]),
        });
        Ok(self.gate.still(permit).map(|()| Scraped { exposition, permit }))
    }

    /// Reads the self-metrics before it asks the shards: a scrape that shows n
    /// processed shows what those n did.
    fn scrape(&self, format: Format) -> Result<Exposition, ShardsGone> {
        let before = Instant::now();
        let own = self.metrics.fragments(format, &self.shards);
        let parts = self.shards.expose(format)?;
        let mut sources: Vec<Vec<Fragment>> = vec![Vec::new(); self.shards.count().get()];
        for _ in 0..sources.len() {
            let part = parts.recv().map_err(|_| ShardsGone)?;
            sources[part.shard.get()] = part.fragments;
        }
        sources.push(own);
        let exposition = merge(format, sources);
        self.metrics.exposition_bytes.store(exposition.length as u64, Ordering::Relaxed);
        self.metrics.scrape_duration.observe(before.elapsed());
        Ok(exposition)
    }
}
