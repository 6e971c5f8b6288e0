//! The thread that scrapes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use psg_engine::catalog::Catalog;
use psg_engine::exposition::{Fragment, FragmentWriter};
use psg_engine::merge::merge;
use psg_engine::store::{ScrapeContext, ScrapeSeq};

use super::deliveries::{Deliveries, counted};
use super::rendered::{Rendered, Scraped};
use super::request::{Message, Pending, ScrapeError, Selection, latest_deadline};
use crate::scrapers::{Receipt, ScraperId, Scrapers};
use crate::self_metrics::SelfMetrics;
use crate::serving_gate::{Permit, ServingGate};
use crate::settings::ScrapeSettings;
use crate::shard::{ExposeOrder, Exposed, ShardMessage};
use crate::shard_set::ShardSet;

/// What a scrape works with.
#[derive(Debug)]
pub struct ScrapeParts {
    /// The shards that are asked for their series.
    pub shards: ShardSet,
    /// The gateway's own part.
    pub metrics: Arc<SelfMetrics>,
    /// Which names are in use, also by what a scrape leaves out.
    pub catalog: Catalog,
    /// Whether totals may be shown.
    pub gate: ServingGate,
    /// The scrapers that are known, and what they have seen.
    pub scrapers: Scrapers,
    /// How they are answered.
    pub settings: ScrapeSettings,
    /// Whether the gateway's own totals say when they began.
    pub created_timestamps: bool,
}

#[derive(Debug)]
pub(super) struct ScrapeWorker {
    inbox: Receiver<Message>,
    parts: ScrapeParts,
    deliveries: Deliveries,
    renderings: u64,
}

impl ScrapeWorker {
    pub fn new(inbox: Receiver<Message>, parts: ScrapeParts) -> Self {
        Self { inbox, parts, deliveries: Deliveries::default(), renderings: 0 }
    }

    pub fn run(mut self) {
        loop {
            let next = match self.deliveries.kept_until() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => self.inbox.recv_deadline(until),
            };
            self.deliveries.prune();
            let first = match next {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut is_stopping = false;
            let mut pending = Vec::new();
            for message in std::iter::once(first).chain(self.inbox.try_iter()) {
                match message {
                    Message::Scrape(request) => pending.push(request),
                    Message::Stop => is_stopping = true,
                }
            }
            self.answer(pending);
            if is_stopping {
                return;
            }
        }
    }

    fn answer(&mut self, mut pending: Vec<Pending>) {
        while let Some(first) = pending.first() {
            let selection = first.request.selection.clone();
            let (alike, others) =
                pending.into_iter().partition(|other| other.request.selection == selection);
            self.answer_alike(&selection, alike);
            pending = others;
        }
    }

    /// Answers those who have seen least first: what is new to them may be new
    /// to the others too, or nothing is, and then one rendering is for all.
    fn answer_alike(&mut self, selection: &Selection, mut pending: Vec<Pending>) {
        let ScrapeParts { scrapers, settings, .. } = &self.parts;
        if settings.exact_first_increment {
            for pending in &mut pending {
                pending.seen = scrapers.last_seen(pending.request.scraper.as_ref());
            }
        }
        // Those who are shown everything as it is come last.
        pending.sort_by_key(|pending| pending.seen.map_or(u64::MAX, |seen| seen.0));
        let mut last: Option<Rendered> = None;
        while let Some(first) = pending.first() {
            let seen = first.seen;
            let rendered = match last.filter(|rendered| rendered.suits(seen)) {
                Some(rendered) => Ok(rendered),
                None => self.render(selection, &pending),
            };
            let rendered = match rendered {
                Ok(rendered) => rendered,
                Err(error) => {
                    for pending in pending {
                        reply(pending, Err(error.clone()));
                    }
                    return;
                }
            };
            let with_others = pending.partition_point(|other| other.seen == seen);
            for pending in pending.drain(..with_others) {
                let scraped = self.scraped(&rendered, pending.request.scraper.clone());
                reply(pending, Ok(scraped));
            }
            last = Some(rendered);
        }
    }

    /// A rendering for the first of those who wait: a kept one where it has to do,
    /// else a new one, for which nobody waits longer than the last of them.
    fn render(
        &mut self,
        selection: &Selection,
        pending: &[Pending],
    ) -> Result<Rendered, ScrapeError> {
        let Some(Pending { request, seen, .. }) = pending.first() else {
            return Err(ScrapeError::Stopping);
        };
        match self.shared(selection, *seen, request.scraper.as_ref())? {
            Some(shared) => Ok(shared),
            None => self.render_permitted(selection, *seen, latest_deadline(pending)),
        }
    }

    /// The rendering of a moment ago, if slow clients hold so much that it must be
    /// enough; `None` if there may be room for another one.
    fn shared(
        &self,
        selection: &Selection,
        seen: Option<ScrapeSeq>,
        scraper: Option<&ScraperId>,
    ) -> Result<Option<Rendered>, ScrapeError> {
        let ScrapeParts { metrics, scrapers, .. } = &self.parts;
        let is_full = self.is_over(metrics.exposition_bytes.load(Ordering::Relaxed));
        let is_known = scraper.is_some_and(|scraper| scrapers.is_known(scraper));
        if !is_full && !self.deliveries.has_to_share(scraper, is_known) {
            return Ok(None);
        }
        match self.kept(selection, seen) {
            None if is_full => Err(ScrapeError::Unsent),
            shared => Ok(shared),
        }
    }

    fn kept(&self, selection: &Selection, seen: Option<ScrapeSeq>) -> Option<Rendered> {
        let kept = self.deliveries.shared(selection, seen)?;
        self.parts.gate.still(kept.permit).is_ok().then(|| kept.clone())
    }

    /// Whether clients hold too much for another exposition of this length.
    fn is_over(&self, length: u64) -> bool {
        let ScrapeParts { metrics, settings, .. } = &self.parts;
        metrics.unsent.count() > (2 * length).max(settings.max_unsent_bytes)
    }

    fn scraped(&mut self, rendered: &Rendered, scraper: Option<ScraperId>) -> Scraped {
        let Rendered { id, exposition, permit, start, starts_after } = rendered.clone();
        let delivery = self.deliveries.begin(id, scraper.clone());
        let receipt = scraper.map(|scraper| Receipt {
            scrapers: self.parts.scrapers.clone(),
            scraper,
            start,
            has_starts: starts_after.is_some(),
        });
        // A scraper that is not shown all of it has not seen it.
        let receipt = if exposition.is_whole { receipt } else { None };
        Scraped { exposition, permit, receipt, delivery }
    }

    /// What the gate permits before the scrape it must still permit when the
    /// last shard has answered.
    fn render_permitted(
        &mut self,
        selection: &Selection,
        seen: Option<ScrapeSeq>,
        deadline: Option<Instant>,
    ) -> Result<Rendered, ScrapeError> {
        self.renderings += 1;
        let begun_at = Instant::now();
        let ScrapeParts { metrics, gate, scrapers, .. } = &self.parts;
        if deadline.is_some_and(|deadline| deadline <= begun_at) {
            return Err(ScrapeError::Late);
        }
        metrics.known_scrapers.store(scrapers.known() as u64, Ordering::Relaxed);
        let permit = gate.permit()?;
        let shows_totals = matches!(permit, Permit::Everything(_));
        metrics.shows_totals.store(shows_totals, Ordering::Relaxed);
        let rendered = match permit {
            Permit::Everything(_) => self.render_all(selection, seen, deadline, permit)?,
            Permit::OwnMetrics => self.render_own_metrics(selection, permit)?,
        };
        gate.still(permit)?;
        if self.is_over(rendered.exposition.length as u64) {
            return self.kept(selection, seen).ok_or(ScrapeError::Unsent);
        }
        self.deliveries.keep(selection, seen, &rendered, begun_at);
        Ok(rendered)
    }

    /// No series is asked for, so no scrape is counted; but a scraper that fetches
    /// this is there to fetch what comes once the totals are ours.
    fn render_own_metrics(
        &self,
        selection: &Selection,
        permit: Permit,
    ) -> Result<Rendered, ScrapeError> {
        let ScrapeParts { shards, scrapers, settings, catalog, metrics, .. } = &self.parts;
        let start = scrapers.last_start();
        if settings.exact_first_increment {
            let horizon = scrapers.ack_horizon(start);
            shards.broadcast(|| ShardMessage::SetAckHorizon(horizon))?;
        }
        let exposition = merge(selection.page, vec![self.own_fragments(selection)], catalog);
        let exposition = Arc::new(counted(exposition, &metrics.unsent));
        Ok(Rendered { id: self.renderings, exposition, permit, start, starts_after: None })
    }

    /// What of the gateway's own metrics is shown.
    fn own_fragments(&self, Selection { page, filter }: &Selection) -> Vec<Fragment> {
        if !filter.has_own_metrics() {
            return Vec::new();
        }
        let ScrapeParts { shards, metrics, catalog, created_timestamps, .. } = &self.parts;
        let inboxes: Vec<usize> = shards.waiting().collect();
        let mut writer = FragmentWriter::new(page.encoder(catalog));
        metrics.write_fragments(&mut writer, &inboxes, *created_timestamps);
        let mut fragments = writer.finish();
        fragments.retain(|fragment| filter.has_family(&fragment.family));
        fragments
    }

    /// Reads the self-metrics before it asks the shards: a scrape that shows n
    /// processed shows what those n did.
    fn render_all(
        &self,
        selection: &Selection,
        seen: Option<ScrapeSeq>,
        deadline: Option<Instant>,
        permit: Permit,
    ) -> Result<Rendered, ScrapeError> {
        let ScrapeParts { shards, metrics, catalog, scrapers, settings, .. } = &self.parts;
        let before = Instant::now();
        let own = self.own_fragments(selection);
        let start = scrapers.start_scrape();
        let horizon = settings.exact_first_increment.then(|| scrapers.ack_horizon(start));
        let context =
            horizon.map(|horizon| ScrapeContext { seq: start.seq, last_seen: seen, horizon });
        let plain = ExposeOrder::plain(selection.page, catalog.clone());
        let order = ExposeOrder { context, filter: selection.filter.clone(), ..plain };
        let expose = |reply| ShardMessage::Expose { order: order.clone(), reply };
        let parts = shards.request(expose)?;
        let mut sources: Vec<Vec<Fragment>> = vec![Vec::new(); shards.count().get()];
        let mut starts_after: Option<ScrapeSeq> = None;
        for _ in 0..sources.len() {
            let part = next_part(&parts, deadline)
                .inspect_err(|_| order.abandoned.store(true, Ordering::Relaxed))?;
            starts_after = [starts_after, part.starts_after].into_iter().flatten().min();
            sources[part.shard.get()] = part.fragments;
        }
        sources.push(own);
        let exposition = merge(selection.page, sources, catalog);
        let exposition = Arc::new(counted(exposition, &metrics.unsent));
        metrics.exposition_bytes.store(exposition.length as u64, Ordering::Relaxed);
        metrics.scrape_duration.observe(before.elapsed());
        Ok(Rendered { id: self.renderings, exposition, permit, start, starts_after })
    }
}

fn next_part(parts: &Receiver<Exposed>, deadline: Option<Instant>) -> Result<Exposed, ScrapeError> {
    let Some(deadline) = deadline else { return parts.recv().map_err(|_| ScrapeError::Stopping) };
    parts.recv_deadline(deadline).map_err(|error| match error {
        RecvTimeoutError::Timeout => ScrapeError::Late,
        RecvTimeoutError::Disconnected => ScrapeError::Stopping,
    })
}

fn reply(pending: Pending, scraped: Result<Scraped, ScrapeError>) {
    // One that has hung up needs no answer.
    let _ = pending.reply.send(scraped);
}
