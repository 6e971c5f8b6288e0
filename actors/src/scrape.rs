//! A scrape: the fan-out to all shards and the merge of what they answer. It
//! has a thread of its own, so that no HTTP worker waits on an inbox.
//!
//! Requests that have come in by the time a scrape begins share it, but for
//! scrapers that are to be shown a series at its start while others are not; one
//! that comes later would miss what was processed before it, so it waits for the
//! next. Only while slow clients hold several renderings ([`unsent`]) strangers
//! share one of the last seconds, so that a crowd of them can't hold one each.

mod deadlines;
mod error;
mod unsent;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use psg_engine::catalog::Catalog;
use psg_engine::exposition::Format;
use psg_engine::merge::{Exposition, Fragment, merge};
use psg_engine::store::{Filter, ScrapeContext, ScrapeSeq};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::scrapers::{Receipt, ScrapeStart, ScraperId, Scrapers};
use crate::self_metrics::SelfMetrics;
use crate::serving_gate::{Permit, ServingGate};
use crate::settings::ScrapeSettings;
use crate::shard::ExposeOrder;
use crate::shard_set::{ShardSet, ShardsGone};

pub use error::ScrapeError;
pub use unsent::Sending;

use deadlines::{latest_deadline, next_part};
use unsent::{UnderWay, counted};

/// Requests that may wait; more are refused.
const WAITING: usize = 1024;

/// Asks for scrapes; cheap to clone. The scraper ends when it is told to, or with
/// the last of these.
#[derive(Debug, Clone)]
pub struct ScrapeHandle {
    messages: Sender<Message>,
    metrics: Arc<SelfMetrics>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// In which format.
    pub format: Format,
    /// What of it.
    pub filter: Filter,
    /// By whom, where that can be told.
    pub scraper: Option<ScraperId>,
    /// When it must be done.
    pub deadline: Option<Instant>,
}

#[derive(Debug)]
enum Message {
    Scrape(Request),
    /// End, once everything that was asked before is answered.
    Stop,
}

#[derive(Debug)]
struct Request {
    ask: Ask,
    reply: oneshot::Sender<Result<Scraped, ScrapeError>>,
}

/// A complete scrape, and what permits it.
#[derive(Debug, Clone)]
pub struct Scraped {
    /// The text.
    pub exposition: Arc<Exposition>,
    /// To be asked about again as long as the text is being sent.
    pub permit: Permit,
    /// To be handed in once all of it was sent, where it is known to whom.
    pub receipt: Option<Receipt>,
    /// To be held until then.
    pub sending: Sending,
}

/// What a scrape works with.
#[derive(Debug)]
pub struct ScrapeParts {
    /// Who is asked.
    pub shards: ShardSet,
    /// The gateway's own part.
    pub metrics: Arc<SelfMetrics>,
    /// Which names are in use, by what a scrape leaves out too.
    pub catalog: Catalog,
    /// Whether totals may be shown.
    pub gate: ServingGate,
    /// Who asks.
    pub scrapers: Scrapers,
    /// How they are answered.
    pub settings: ScrapeSettings,
    /// Whether the gateway's own totals tell when they began.
    pub created_timestamps: bool,
}

#[derive(Debug)]
struct Scraper {
    messages: Receiver<Message>,
    parts: ScrapeParts,
    under_way: UnderWay,
    renderings: u64,
}

/// One rendering, for all whom it suits.
#[derive(Debug, Clone)]
struct Rendered {
    id: u64,
    exposition: Arc<Exposition>,
    permit: Permit,
    start: ScrapeStart,
    starts_after: Option<ScrapeSeq>,
}

/// Starts the scraper's thread.
pub fn start(parts: ScrapeParts) -> io::Result<(ScrapeHandle, JoinHandle<()>)> {
    let (sender, messages) = bounded(WAITING);
    let handle = ScrapeHandle { messages: sender, metrics: parts.metrics.clone() };
    let under_way = UnderWay::default();
    let scraper = Scraper { messages, parts, under_way, renderings: 0 };
    let thread = std::thread::Builder::new().name("scrape".into()).spawn(move || scraper.run())?;
    Ok((handle, thread))
}

impl ScrapeHandle {
    /// Ends the scraper after what was asked before. Later scrapes fail.
    pub fn stop(&self) {
        // One that has gone needs no word.
        let _ = self.messages.send(Message::Stop);
    }

    /// A complete scrape that shows at least what was processed before now.
    pub async fn scrape(&self, ask: Ask) -> Result<Scraped, ScrapeError> {
        let (reply, answer) = oneshot::channel();
        let deadline = ask.deadline;
        let request = Message::Scrape(Request { ask, reply });
        self.messages.try_send(request).map_err(|refused| match refused {
            crossbeam_channel::TrySendError::Full(_) => ScrapeError::Busy,
            crossbeam_channel::TrySendError::Disconnected(_) => ScrapeError::Stopping,
        })?;
        let answered = match deadline {
            None => answer.await,
            Some(deadline) => match timeout_at(deadline.into(), answer).await {
                Ok(answered) => answered,
                Err(_) => Ok(Err(ScrapeError::Late)),
            },
        };
        let scraped = answered.unwrap_or(Err(ScrapeError::Stopping));
        if let Err(ScrapeError::Late) = scraped {
            self.metrics.late_scrapes.fetch_add(1, Ordering::Relaxed);
        }
        scraped
    }
}

impl Scraper {
    fn run(mut self) {
        loop {
            let next = match self.under_way.kept_until() {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => self.messages.recv_deadline(until),
            };
            self.under_way.prune();
            let first = match next {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut is_stopping = false;
            let mut waiting = Vec::new();
            for message in std::iter::once(first).chain(self.messages.try_iter()) {
                match message {
                    Message::Scrape(request) => waiting.push(request),
                    Message::Stop => is_stopping = true,
                }
            }
            if self.answer(waiting).is_err() || is_stopping {
                return;
            }
        }
    }

    fn answer(&mut self, waiting: Vec<Request>) -> Result<(), ShardsGone> {
        let mut waiting = waiting;
        while let Some(first) = waiting.first() {
            let what = (first.ask.format, first.ask.filter.clone());
            let same =
                |request: &Request| request.ask.format == what.0 && request.ask.filter == what.1;
            let (alike, others) = waiting.into_iter().partition(same);
            self.answer_alike(&what, alike)?;
            waiting = others;
        }
        Ok(())
    }

    /// Answers those who have seen least first: what is new to them may be new
    /// to the others too, or nothing is, and then one rendering is for all.
    fn answer_alike(
        &mut self,
        what: &(Format, Filter),
        requests: Vec<Request>,
    ) -> Result<(), ShardsGone> {
        let mut waiting: Vec<(Option<ScrapeSeq>, Request)> =
            requests.into_iter().map(|request| (self.seen_by(&request), request)).collect();
        // Whoever is shown everything as it is comes last.
        waiting.sort_by_key(|(seen, _)| seen.map_or(u64::MAX, |seen| seen.0));
        let mut last: Option<Result<Rendered, ScrapeError>> = None;
        while let Some((seen, first)) = waiting.first() {
            let seen = *seen;
            let suits = |rendered: &Rendered| rendered.suits(seen);
            let rendered = match last.take() {
                Some(Ok(rendered)) if suits(&rendered) => Ok(rendered),
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => match self.shared(what, seen, first.ask.scraper.as_ref()) {
                    Ok(Some(shared)) => Ok(shared),
                    Ok(None) => self.permitted(what, seen, latest_deadline(&waiting))?,
                    Err(error) => Err(error),
                },
            };
            let with_others = waiting.partition_point(|(other, _)| *other == seen);
            for (_, request) in waiting.drain(..with_others) {
                self.reply(request, rendered.clone());
            }
            last = Some(rendered);
        }
        Ok(())
    }

    /// The rendering of a moment ago, where slow clients hold so much that it has
    /// to do; `None` where there may be room for another one.
    fn shared(
        &self,
        what: &(Format, Filter),
        seen: Option<ScrapeSeq>,
        scraper: Option<&ScraperId>,
    ) -> Result<Option<Rendered>, ScrapeError> {
        let ScrapeParts { metrics, scrapers, .. } = &self.parts;
        let is_full = self.is_over(metrics.exposition_bytes.load(Ordering::Relaxed));
        let is_known = scraper.is_some_and(|scraper| scrapers.is_known(scraper));
        if !is_full && !self.under_way.has_to_share(scraper, is_known) {
            return Ok(None);
        }
        match self.kept(what, seen) {
            None if is_full => Err(ScrapeError::Unsent),
            shared => Ok(shared),
        }
    }

    fn kept(&self, what: &(Format, Filter), seen: Option<ScrapeSeq>) -> Option<Rendered> {
        let kept = self.under_way.shared(what, seen);
        kept.filter(|rendered| self.parts.gate.still(rendered.permit).is_ok()).cloned()
    }

    /// Whether clients hold too much, where an exposition has so many bytes.
    fn is_over(&self, length: u64) -> bool {
        let ScrapeParts { metrics, settings, .. } = &self.parts;
        metrics.unsent.count() > (2 * length).max(settings.max_unsent_bytes)
    }

    fn seen_by(&self, request: &Request) -> Option<ScrapeSeq> {
        let ScrapeParts { scrapers, settings, .. } = &self.parts;
        settings
            .exact_first_increment
            .then(|| scrapers.last_seen(request.ask.scraper.as_ref()))
            .flatten()
    }

    fn reply(&mut self, request: Request, rendered: Result<Rendered, ScrapeError>) {
        let under_way = &mut self.under_way;
        let scraped = rendered.map(|rendered| Scraped {
            sending: under_way.sends(rendered.id, request.ask.scraper.clone()),
            // Who was not shown all of it has not seen it.
            receipt: request.ask.scraper.filter(|_| rendered.exposition.is_whole).map(|scraper| {
                Receipt {
                    scrapers: self.parts.scrapers.clone(),
                    scraper,
                    start: rendered.start,
                    has_starts: rendered.starts_after.is_some(),
                }
            }),
            exposition: rendered.exposition,
            permit: rendered.permit,
        });
        // Who has hung up needs no answer.
        let _ = request.reply.send(scraped);
    }

    /// What the gate permits before the scrape it must still permit when the
    /// last shard has answered.
    fn permitted(
        &mut self,
        what: &(Format, Filter),
        seen: Option<ScrapeSeq>,
        deadline: Option<Instant>,
    ) -> Result<Result<Rendered, ScrapeError>, ShardsGone> {
        self.renderings += 1;
        let begun_at = Instant::now();
        let ScrapeParts { metrics, gate, scrapers, .. } = &self.parts;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Err(ScrapeError::Late));
        }
        metrics.known_scrapers.store(scrapers.known() as u64, Ordering::Relaxed);
        let permit = match gate.permit() {
            Ok(permit) => permit,
            Err(closed) => return Ok(Err(closed.into())),
        };
        let shows_totals = matches!(permit, Permit::Everything(_));
        metrics.shows_totals.store(shows_totals, Ordering::Relaxed);
        let rendered = match permit {
            Permit::Everything(_) => self.scrape(what, seen, deadline, permit)?,
            Permit::OwnMetrics => Ok(self.own_metrics(what, permit)?),
        };
        let rendered = rendered.and_then(|rendered| Ok(gate.still(permit).map(|()| rendered)?));
        if let Ok(rendered) = &rendered {
            if self.is_over(rendered.exposition.length as u64) {
                return Ok(self.kept(what, seen).ok_or(ScrapeError::Unsent));
            }
            self.under_way.keep(what, seen, rendered, begun_at);
        }
        Ok(rendered)
    }

    /// No series is asked for, so no scrape is counted; but whoever fetches this
    /// is there to fetch what comes once the totals are ours.
    fn own_metrics(&self, what: &(Format, Filter), permit: Permit) -> Result<Rendered, ShardsGone> {
        let ScrapeParts { shards, scrapers, settings, catalog, .. } = &self.parts;
        let start = scrapers.last_start();
        if settings.exact_first_increment {
            shards.set_ack_horizon(scrapers.ack_horizon(start))?;
        }
        let exposition = merge(what.0, vec![self.own_fragments(what)], catalog);
        let exposition = Arc::new(counted(exposition, &self.parts.metrics.unsent));
        Ok(Rendered { id: self.renderings, exposition, permit, start, starts_after: None })
    }

    /// What of the gateway's own metrics is shown.
    fn own_fragments(&self, (format, filter): &(Format, Filter)) -> Vec<Fragment> {
        if !filter.has_own_metrics() {
            return Vec::new();
        }
        let ScrapeParts { shards, metrics, catalog, created_timestamps, .. } = &self.parts;
        let inboxes: Vec<usize> = shards.waiting().collect();
        let mut encoder = format.encoder(catalog);
        let mut fragments = metrics.fragments(&mut *encoder, &inboxes, *created_timestamps);
        fragments.retain(|fragment| filter.has_family(&fragment.family));
        fragments
    }

    /// Reads the self-metrics before it asks the shards: a scrape that shows n
    /// processed shows what those n did.
    fn scrape(
        &self,
        what: &(Format, Filter),
        seen: Option<ScrapeSeq>,
        deadline: Option<Instant>,
        permit: Permit,
    ) -> Result<Result<Rendered, ScrapeError>, ShardsGone> {
        let ScrapeParts { shards, metrics, catalog, scrapers, settings, .. } = &self.parts;
        let before = Instant::now();
        let own = self.own_fragments(what);
        let start = scrapers.start_scrape();
        let horizon = settings.exact_first_increment.then(|| scrapers.ack_horizon(start));
        let context =
            horizon.map(|horizon| ScrapeContext { seq: start.seq, last_seen: seen, horizon });
        let filter = what.1.clone();
        let order = ExposeOrder { context, filter, ..ExposeOrder::plain(what.0, catalog.clone()) };
        let parts = shards.expose(&order)?;
        let mut sources: Vec<Vec<Fragment>> = vec![Vec::new(); shards.count().get()];
        let mut starts_after: Option<ScrapeSeq> = None;
        for _ in 0..sources.len() {
            let Some(part) = next_part(&parts, deadline)? else {
                order.abandoned.store(true, Ordering::Relaxed);
                return Ok(Err(ScrapeError::Late));
            };
            starts_after = [starts_after, part.starts_after].into_iter().flatten().min();
            sources[part.shard.get()] = part.fragments;
        }
        sources.push(own);
        let exposition = Arc::new(counted(merge(what.0, sources, catalog), &metrics.unsent));
        metrics.exposition_bytes.store(exposition.length as u64, Ordering::Relaxed);
        metrics.scrape_duration.observe(before.elapsed());
        Ok(Ok(Rendered { id: self.renderings, exposition, permit, start, starts_after }))
    }
}

impl Rendered {
    /// Whether those who have fetched `seen` as their last rendering are to be
    /// shown the same as those for whom it was made, who have not seen more:
    /// nothing that it shows at its start was born before that.
    fn suits(&self, seen: Option<ScrapeSeq>) -> bool {
        self.starts_after.is_none_or(|after| seen.is_some_and(|seen| seen <= after))
    }
}
