//! Scrapers: who fetches `/metrics` again and again, and what each has seen.
//!
//! A scraper is told by its address, its `User-Agent` and the query that it asks
//! with. It is remembered from its first complete scrape on and *known* from its
//! second on, and forgotten when none has come for ten minutes. A scrape is
//! complete when all of its body was taken from us; whether Prometheus has stored
//! it, it does not tell.
//!
//! A scraper that has fetched a whole body has seen what is in it, and this is
//! all that the gateway knows of it. Renderings are numbered, and each scraper
//! is known by the last one that it fetched.
//!
//! *First increments.* A counter or histogram that is shown for the first time,
//! or again after it expired, notes the last rendering that had begun in its
//! shard, with the total that it goes on from (`engine/src/store/births.rs`). A
//! scraper that fetched that one or an earlier one as its last is shown the
//! start, any other the value. The notes stand in a table beside the series, of
//! which each bears one bit: a series costs no byte more, and where the feature
//! is off the table is empty. What is new while a rendering is under way is not
//! in it, or it would depend on its place in the listing whether it is.
//!
//! *Sharing.* A rendering says the oldest note that it shows at its start.
//! Requests of one moment are answered in the order of what their scrapers have
//! seen; the next group shares the text unless something new came between.
//!
//! *Expiry waits.* A series whose time is over stays while a known scraper has
//! not fetched its last value, or has seen it at its start at most. One that a
//! rendering passed over and that goes on after all counts as returned.
//!
//! *What is applied again is not new.* After a reload scrapers may have seen
//! what is replayed, so notes are made from the end of the replay on: an
//! increment may be missed then, none is counted twice.

mod handover;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use psg_engine::store::{Awaited, Rendering};
use psg_engine::timestamp::Moment;
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Clock;

pub use handover::{Handover, Left};

/// After so long without a complete scrape a scraper is forgotten.
const FORGOTTEN_AFTER_MS: u64 = 10 * 60 * 1000;
/// Scrapers that are known at most; and as many again that have come once.
const MOST: usize = 16;
/// Complete scrapes that make a scraper known.
const KNOWN_FROM: u32 = 2;
/// Bytes of a User-Agent and of a query that are kept; of longer ones a hash is
/// kept instead, for their ends tell scrapers apart too.
const MOST_BYTES: usize = 256;

/// Who scrapes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScraperId {
    address: IpAddr,
    user_agent: String,
    query: String,
}

/// The scrapers of late; clones are the same.
#[derive(Debug, Clone)]
pub struct Scrapers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    clock: Clock,
    /// Told whenever a scrape is complete.
    completed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    scrapers: Vec<Scraper>,
    /// The last rendering that was begun.
    begun: Rendering,
    /// Renderings after that one show the final totals.
    final_after: Option<Rendering>,
}

#[derive(Debug)]
struct Scraper {
    id: ScraperId,
    complete: u32,
    /// The newest rendering that it fetched.
    seen: Rendering,
    /// The one before; where there is none, the same.
    seen_before: Rendering,
    /// When that began.
    seen_at: Moment,
    /// When it is forgotten, unless it comes before.
    until: Moment,
    /// Nothing will come that it has not seen.
    has_final_totals: bool,
}

/// A scraper that a process leaves to the next one.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct LeftOver {
    id: ScraperId,
    /// For how long it is remembered still.
    remembered_ms: u64,
}

/// A rendering that was begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Its number.
    pub number: Rendering,
    /// When it began.
    pub at: Moment,
}

/// To be handed in when all of a scrape's body has been taken.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Where.
    pub scrapers: Scrapers,
    /// Who scraped.
    pub scraper: ScraperId,
    /// What it was sent.
    pub rendering: Begun,
    /// Whether that shows some series at their start.
    pub shows_births: bool,
}

impl ScraperId {
    /// Who asks from that address, with that `User-Agent` and query.
    pub fn new(address: IpAddr, user_agent: &str, query: &str) -> Self {
        let kept = |text: &str| match text.len() <= MOST_BYTES {
            true => text.to_owned(),
            false => format!("{} bytes {:016x}", text.len(), xxh3_64(text.as_bytes())),
        };
        Self { address: address.to_canonical(), user_agent: kept(user_agent), query: kept(query) }
    }
}

impl Scrapers {
    /// Nobody has come yet.
    pub fn new(clock: Clock) -> Self {
        let (table, completed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { table, clock, completed }))
    }

    /// How many are known.
    pub fn known(&self) -> usize {
        let now = self.0.clock.now();
        self.lock().fresh(now).filter(|scraper| scraper.is_known()).count()
    }

    /// Whether a scraper is known.
    pub fn is_known(&self, scraper: &ScraperId) -> bool {
        let now = self.0.clock.now();
        self.lock().fresh(now).any(|known| known.id == *scraper && known.is_known())
    }

    /// A rendering begins, and has the next number.
    pub fn begin(&self) -> Begun {
        let at = self.0.clock.now();
        let mut table = self.lock();
        table.begun.0 += 1;
        Begun { number: table.begun, at }
    }

    /// The last rendering that was begun: as if it were made now.
    pub fn last_begun(&self) -> Begun {
        Begun { number: self.lock().begun, at: self.0.clock.now() }
    }

    /// The rendering that a scraper fetched last; `None` where it has not come
    /// of late.
    pub fn seen(&self, scraper: Option<&ScraperId>) -> Option<Rendering> {
        let (scraper, now) = (scraper?, self.0.clock.now());
        let table = self.lock();
        table.fresh(now).find(|known| known.id == *scraper).map(|known| known.seen)
    }

    /// What has to be kept for scrapers from a rendering on.
    pub fn awaited(&self, rendering: Begun) -> Awaited {
        let table = self.lock();
        let oldest = table.fresh(rendering.at).map(|scraper| scraper.seen_before).min();
        let known = || table.fresh(rendering.at).filter(|scraper| scraper.is_known());
        let values_from = known().map(|scraper| scraper.seen_at).min();
        let values_until = known().map(|scraper| scraper.until).max();
        let oldest_of_known = known().map(|scraper| scraper.seen_before).min();
        let from =
            |oldest: Option<Rendering>| oldest.unwrap_or(rendering.number).min(rendering.number);
        Awaited {
            births_from: from(oldest),
            held_from: from(oldest_of_known),
            // Whoever is sent this one may come again.
            births_until: forgotten_at(rendering.at),
            values_from: values_from.unwrap_or(rendering.at),
            values_until: values_until.unwrap_or_default(),
        }
    }

    /// Nothing is added to any total any more.
    pub fn totals_are_final(&self) {
        let mut table = self.lock();
        table.final_after = Some(table.begun);
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
        let table = self.lock();
        let misses = |scraper: &&Scraper| scraper.is_known() && !scraper.has_final_totals;
        table.fresh(now).filter(misses).count()
    }

    /// Those that have fetched all that there will be, for the next process.
    fn that_have_all(&self) -> Vec<LeftOver> {
        let now = self.0.clock.now();
        let table = self.lock();
        let done = table.fresh(now).filter(|scraper| scraper.has_final_totals);
        let left = |scraper: &Scraper| LeftOver {
            id: scraper.id.clone(),
            remembered_ms: scraper.until.0 - now.0,
        };
        done.map(left).collect()
    }

    /// Takes over those that have seen all that there is so far, from the
    /// process before; tells what they await.
    fn take_over(&self, left: Vec<LeftOver>) -> Awaited {
        let now = self.0.clock.now();
        let begun = self.last_begun();
        let mut table = self.lock();
        let scraper = |left: LeftOver| Scraper {
            id: left.id,
            complete: KNOWN_FROM,
            seen: begun.number,
            seen_before: begun.number,
            seen_at: begun.at,
            until: Moment(now.0 + left.remembered_ms.min(FORGOTTEN_AFTER_MS)),
            has_final_totals: false,
        };
        table.scrapers = left.into_iter().take(MOST).map(scraper).collect();
        let until = table.scrapers.iter().map(|scraper| scraper.until).max().unwrap_or_default();
        Awaited {
            births_from: begun.number,
            held_from: begun.number,
            births_until: until,
            values_from: begun.at,
            values_until: until,
        }
    }

    fn complete(&self, receipt: &Receipt) {
        let now = self.0.clock.now();
        self.lock().complete(receipt, now);
        self.0.completed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    /// All of the body has been taken.
    pub fn hand_in(&self) {
        self.scrapers.complete(self);
    }
}

impl Table {
    /// Those that have come of late.
    fn fresh(&self, now: Moment) -> impl Iterator<Item = &Scraper> {
        self.scrapers.iter().filter(move |scraper| now < scraper.until)
    }

    fn complete(&mut self, receipt: &Receipt, now: Moment) {
        self.scrapers.retain(|scraper| now < scraper.until);
        let Receipt { scraper: id, rendering, shows_births, .. } = receipt;
        let is_final = self.final_after.is_some_and(|last| rendering.number > last);
        let is_final = is_final && !shows_births;
        let others = self.scrapers.iter().filter(|other| other.id != *id);
        let may_be_known = others.filter(|other| other.is_known()).count() < MOST;
        let Some(scraper) = self.scrapers.iter_mut().find(|scraper| scraper.id == *id) else {
            self.make_room();
            return self.scrapers.push(Scraper {
                id: id.clone(),
                complete: 1,
                seen: rendering.number,
                seen_before: rendering.number,
                seen_at: rendering.at,
                until: forgotten_at(now),
                has_final_totals: is_final,
            });
        };
        if may_be_known {
            scraper.complete = scraper.complete.saturating_add(1);
        }
        scraper.until = forgotten_at(now);
        scraper.has_final_totals |= is_final;
        if rendering.number > scraper.seen {
            scraper.seen_before = scraper.seen;
            (scraper.seen, scraper.seen_at) = (rendering.number, rendering.at);
        }
    }

    /// Of those that have come once the oldest goes, where there are too many.
    fn make_room(&mut self) {
        let once = self.scrapers.iter().enumerate().filter(|(_, scraper)| !scraper.is_known());
        if once.clone().count() < MOST {
            return;
        }
        let oldest = once.min_by_key(|(_, scraper)| scraper.until).map(|(place, _)| place);
        oldest.map(|place| self.scrapers.remove(place));
    }
}

impl Scraper {
    fn is_known(&self) -> bool {
        self.complete >= KNOWN_FROM
    }
}

/// When a scraper is forgotten that came last at that moment.
fn forgotten_at(last: Moment) -> Moment {
    Moment(last.0 + FORGOTTEN_AFTER_MS)
}

#[cfg(test)]
mod tests;
