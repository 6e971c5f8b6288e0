//! Scrapers: who fetches `/metrics` again and again, and what each has seen.
//!
//! A scraper is recognised by its address, its `User-Agent` and its query. It is
//! remembered from its first complete scrape on and *known* from its second on,
//! and forgotten ten minutes after its last one. A scrape is complete when all of
//! its body was taken from us: this is all the acknowledgement there is, since
//! Prometheus does not say whether it has stored what it fetched.
//!
//! Scrapes are numbered. What all scrapers have acknowledged is an
//! [`AckHorizon`], by which shards know what they still have to keep:
//!
//! - *New series.* A counter or histogram that is created, or comes back, is
//!   shown once at its start to each scraper: see `first_seen.rs` in the engine.
//!   Requests of one moment are answered in the order of what their scrapers have
//!   seen; the next group shares the text unless a series was created between.
//! - *Last values.* An expired series stays while a known scraper has not fetched
//!   its last value, or has seen it at its start at most. One that a scrape left
//!   out and that goes on after all counts as returned.
//!
//! After a reload scrapers may have seen what is replayed, so series are recorded
//! as new from the end of the replay on: an increment may be missed then, none is
//! counted twice.

mod handover;

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use psg_engine::store::{AckHorizon, ScrapeSeq};
use psg_engine::timestamp::Moment;
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Clock;

pub use handover::Handover;

/// For how long a scraper is remembered after a complete scrape.
const REMEMBERED_MS: u64 = 10 * 60 * 1000;
/// Scrapers that are known at most; and as many again that have come once.
const MAX_KNOWN: usize = 16;
/// Complete scrapes that make a scraper known.
const KNOWN_FROM: u32 = 2;
/// Bytes of a User-Agent and of a query that are kept.
const MAX_ID_BYTES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScraperId {
    address: IpAddr,
    user_agent: String,
    query: String,
}

/// The scrapers of late; clones are the same.
#[derive(Debug, Clone)]
pub struct Scrapers(Arc<SharedScrapers>);

#[derive(Debug)]
struct SharedScrapers {
    table: Mutex<ScraperTable>,
    clock: Clock,
    /// Notified whenever a scrape is complete.
    completed: Notify,
}

#[derive(Debug, Default)]
struct ScraperTable {
    scrapers: Vec<ScraperState>,
    last_started: ScrapeSeq,
    /// Scrapes after that one show the final totals.
    final_after: Option<ScrapeSeq>,
}

#[derive(Debug)]
struct ScraperState {
    id: ScraperId,
    /// How many complete scrapes it has made.
    scrapes: u32,
    /// The latest of them,
    last: ScrapeStart,
    /// and the one before; where there is none, the same.
    before_last: ScrapeSeq,
    /// When it is forgotten, unless it comes before.
    until: Moment,
    /// Nothing will come that it has not seen.
    has_final_totals: bool,
}

/// A scraper, as one process hands it to the next.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ScraperRecord {
    id: ScraperId,
    /// For how long it is remembered still.
    remembered_ms: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct ScrapeStart {
    pub seq: ScrapeSeq,
    pub at: Moment,
}

/// An acknowledgement, to be handed in when all of a scrape's body has been taken.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub scrapers: Scrapers,
    pub scraper: ScraperId,
    pub start: ScrapeStart,
    /// Whether it shows some series at their start.
    pub has_starts: bool,
}

impl ScraperId {
    /// Who asks from that address, with that `User-Agent` and query.
    pub fn new(address: IpAddr, user_agent: &str, query: &str) -> Self {
        let (user_agent, query) = (bounded(user_agent), bounded(query));
        Self { address: address.to_canonical(), user_agent, query }
    }
}

impl Scrapers {
    /// Nobody has come yet.
    pub fn new(clock: Clock) -> Self {
        let (table, completed) = (Mutex::default(), Notify::new());
        Self(Arc::new(SharedScrapers { table, clock, completed }))
    }

    /// How many are known.
    pub fn known(&self) -> usize {
        let now = self.0.clock.now();
        self.0.table.lock().fresh(now).filter(|scraper| scraper.is_known()).count()
    }

    pub fn is_known(&self, scraper: &ScraperId) -> bool {
        let now = self.0.clock.now();
        self.0.table.lock().fresh(now).any(|known| known.id == *scraper && known.is_known())
    }

    /// Starts a scrape, which has the next number.
    pub fn start_scrape(&self) -> ScrapeStart {
        let at = self.0.clock.now();
        let mut table = self.0.table.lock();
        table.last_started.0 += 1;
        ScrapeStart { seq: table.last_started, at }
    }

    /// The last scrape that was started, as if that were now.
    pub fn last_start(&self) -> ScrapeStart {
        ScrapeStart { seq: self.0.table.lock().last_started, at: self.0.clock.now() }
    }

    /// The last complete scrape of a scraper; `None` where it has not come of late.
    pub fn last_seen(&self, scraper: Option<&ScraperId>) -> Option<ScrapeSeq> {
        let (scraper, now) = (scraper?, self.0.clock.now());
        let table = self.0.table.lock();
        table.fresh(now).find(|known| known.id == *scraper).map(|known| known.last.seq)
    }

    /// What scrapers have acknowledged by the start of a scrape.
    pub fn ack_horizon(&self, start: ScrapeStart) -> AckHorizon {
        let table = self.0.table.lock();
        let all = || table.fresh(start.at);
        let known = || all().filter(|scraper| scraper.is_known());
        // Of the last scrape but one: the last one may have shown the start alone.
        let exposed_to_all = all().map(|scraper| scraper.before_last).min();
        let exposed_to_known = known().map(|scraper| scraper.before_last).min();
        AckHorizon {
            exposed_to_all: exposed_to_all.unwrap_or(start.seq).min(start.seq),
            exposed_to_known: exposed_to_known.unwrap_or(start.seq).min(start.seq),
            // Whoever makes this scrape may come again.
            record_until: forgotten_at(start.at),
            fetched_before: known().map(|scraper| scraper.last.at).min().unwrap_or(start.at),
            keep_until: known().map(|scraper| scraper.until).max().unwrap_or_default(),
        }
    }

    /// Nothing is added to any total any more.
    pub fn totals_are_final(&self) {
        let mut table = self.0.table.lock();
        table.final_after = Some(table.last_started);
    }

    /// Waits until each known scraper has fetched the final totals; for ever,
    /// where one does not come.
    pub async fn all_have_final_totals(&self) {
        loop {
            let completed = self.0.completed.notified();
            if self.missing() == 0 {
                return;
            }
            completed.await;
        }
    }

    /// Known scrapers that have yet to fetch the final totals.
    pub fn missing(&self) -> usize {
        let now = self.0.clock.now();
        let table = self.0.table.lock();
        let known = table.fresh(now).filter(|scraper| scraper.is_known());
        known.filter(|scraper| !scraper.has_final_totals).count()
    }

    /// Those that have fetched all that there will be, for the next process.
    fn that_have_all(&self) -> Vec<ScraperRecord> {
        let now = self.0.clock.now();
        let table = self.0.table.lock();
        let done = table.fresh(now).filter(|scraper| scraper.has_final_totals);
        let records = done.map(|scraper| ScraperRecord {
            id: scraper.id.clone(),
            remembered_ms: scraper.until.0 - now.0,
        });
        records.collect()
    }

    /// Takes over scrapers of the process before that have seen all that there is
    /// so far, and returns what they have acknowledged.
    fn take_over(&self, records: Vec<ScraperRecord>) -> AckHorizon {
        let start = self.last_start();
        let mut table = self.0.table.lock();
        let scrapers = records.into_iter().take(MAX_KNOWN).map(|record| ScraperState {
            id: record.id,
            scrapes: KNOWN_FROM,
            last: start,
            before_last: start.seq,
            until: Moment(start.at.0 + record.remembered_ms.min(REMEMBERED_MS)),
            has_final_totals: false,
        });
        table.scrapers = scrapers.collect();
        let until = table.scrapers.iter().map(|scraper| scraper.until).max().unwrap_or_default();
        AckHorizon {
            exposed_to_all: start.seq,
            exposed_to_known: start.seq,
            record_until: until,
            fetched_before: start.at,
            keep_until: until,
        }
    }

    fn complete(&self, receipt: &Receipt) {
        let now = self.0.clock.now();
        self.0.table.lock().complete(receipt, now);
        self.0.completed.notify_waiters();
    }
}

impl Receipt {
    /// All of the body has been taken.
    pub fn hand_in(&self) {
        self.scrapers.complete(self);
    }
}

impl ScraperTable {
    /// Those that have come of late.
    fn fresh(&self, now: Moment) -> impl Iterator<Item = &ScraperState> {
        self.scrapers.iter().filter(move |scraper| now < scraper.until)
    }

    fn complete(&mut self, receipt: &Receipt, now: Moment) {
        self.scrapers.retain(|scraper| now < scraper.until);
        let Receipt { scraper: id, start, has_starts, .. } = receipt;
        let is_final = self.final_after.is_some_and(|last| start.seq > last) && !has_starts;
        let others = self.scrapers.iter().filter(|other| other.id != *id);
        let may_be_known = others.filter(|other| other.is_known()).count() < MAX_KNOWN;
        let Some(scraper) = self.scrapers.iter_mut().find(|scraper| scraper.id == *id) else {
            self.make_room();
            return self.scrapers.push(ScraperState {
                id: id.clone(),
                scrapes: 1,
                last: *start,
                before_last: start.seq,
                until: forgotten_at(now),
                has_final_totals: is_final,
            });
        };
        if may_be_known {
            scraper.scrapes = scraper.scrapes.saturating_add(1);
        }
        scraper.until = forgotten_at(now);
        scraper.has_final_totals |= is_final;
        // One that was started earlier may end later.
        if start.seq > scraper.last.seq {
            scraper.before_last = scraper.last.seq;
            scraper.last = *start;
        }
    }

    /// Of those that have come once the oldest goes, where there are too many.
    fn make_room(&mut self) {
        let once = self.scrapers.iter().enumerate().filter(|(_, scraper)| !scraper.is_known());
        if once.clone().count() >= MAX_KNOWN
            && let Some((oldest, _)) = once.min_by_key(|(_, scraper)| scraper.until)
        {
            self.scrapers.remove(oldest);
        }
    }
}

impl ScraperState {
    fn is_known(&self) -> bool {
        self.scrapes >= KNOWN_FROM
    }
}

/// A text, or its hash where it is long: scrapers may differ in its end alone.
fn bounded(text: &str) -> String {
    match text.len() <= MAX_ID_BYTES {
        true => text.to_owned(),
        false => format!("{} bytes {:016x}", text.len(), xxh3_64(text.as_bytes())),
    }
}

/// When a scraper is forgotten that came last at that moment.
fn forgotten_at(last: Moment) -> Moment {
    Moment(last.0 + REMEMBERED_MS)
}

#[cfg(test)]
mod tests;
