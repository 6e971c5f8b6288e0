//! First sightings: counters and histograms that some scraper has yet to be
//! shown.
//!
//! Prometheus' `increase` starts at the first value that it sees of a series, so
//! a series that is created at 1 between two scrapes has no increase. Each
//! scraper is therefore shown such a series once at its *start*, which is 0 or
//! the total that the series goes on from, and as it is from then on.
//!
//! Scrapes are numbered. A new series notes the last scrape that had begun when
//! it was created: a scraper whose last complete scrape is that one, or an
//! earlier one, has not seen the series. New series are few, and soon seen by
//! every scraper, so they are kept in a table beside the series, which carry a
//! flag.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::Series;
use super::tick::Tick;
use crate::catalog::Family;
use crate::metric::Value;
use crate::series::Slot;
use crate::timestamp::Moment;

/// The number of a scrape: later scrapes have higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ScrapeSeq(pub u64);

/// What a scrape shows depends on who asks for it.
#[derive(Debug, Clone, Copy)]
pub struct ScrapeContext {
    /// Its number, higher than all before.
    pub seq: ScrapeSeq,
    /// The last complete scrape of the scrapers that ask. `None` where that is
    /// not known: they are shown every series as it is.
    pub last_seen: Option<ScrapeSeq>,
    /// What all scrapers have acknowledged.
    pub horizon: AckHorizon,
}

/// How far scrapers have acknowledged what was exposed, by complete scrapes: what
/// lies before the horizon need not be kept for them. *Known* scrapers have come
/// at least twice. By default nothing is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AckHorizon {
    /// Series created before this scrape have been exposed to every scraper at
    /// both their start value and their current value. So it is the earliest
    /// last complete scrape but one of any scraper.
    pub exposed_to_all: ScrapeSeq,
    /// The same for known scrapers alone, which expired series wait for.
    pub exposed_to_known: ScrapeSeq,
    /// New series are recorded until then: later nobody remembers a scrape.
    pub record_until: Moment,
    /// Every known scraper has fetched the values that came before this moment.
    pub fetched_before: Moment,
    /// Until then, expired series stay whose last value was not fetched by some
    /// known scraper.
    pub keep_until: Moment,
}

/// The new series of one shard.
#[derive(Debug, Default)]
pub(super) struct FirstSeen {
    last_scrape: ScrapeSeq,
    horizon: AckHorizon,
    /// What is applied was applied before, and scrapers may have seen it.
    is_replay: bool,
    new: HashMap<Slot, NewSeries, RandomState>,
}

/// A series that was created, or came back.
#[derive(Debug)]
struct NewSeries {
    /// The last scrape that had begun before.
    after: ScrapeSeq,
    /// What it goes on from; `None` is 0.
    start: Option<Value>,
    /// It has expired and stays only in case that it goes on.
    is_provisional: bool,
}

/// How a scrape shows a series that is recorded as new.
pub(super) enum Visibility {
    /// As it is: the scraper knows it.
    Existing,
    /// At its start; it was created after this scrape.
    StartingAt(ScrapeSeq, Value),
    /// Not: it was created after the scrape began.
    NotYet,
}

impl FirstSeen {
    pub fn begin_scrape(&mut self, context: &ScrapeContext) {
        self.last_scrape = context.seq;
        self.horizon = context.horizon;
    }

    /// Takes over what scrapers have acknowledged, where that is known before
    /// one has come.
    pub fn set_horizon(&mut self, horizon: AckHorizon) {
        self.horizon = horizon;
    }

    /// Forgets all new series, and records none until [`FirstSeen::end_replay`].
    pub fn begin_replay(&mut self) {
        self.new.clear();
        self.is_replay = true;
    }

    /// What is applied from now on, scrapers have not seen.
    pub fn end_replay(&mut self) {
        self.is_replay = false;
    }

    /// Whether scrapers may have seen what is applied.
    pub fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// Records a series that becomes live, and what it goes on from; false where
    /// no scraper would be shown it otherwise than as it is.
    pub fn record(
        &mut self,
        slot: Slot,
        family: &Family,
        start: Option<&Value>,
        now: Moment,
    ) -> bool {
        if self.is_replay || now >= self.horizon.record_until || !family.kind().accumulates() {
            return false;
        }
        let start = start.and_then(Value::copy_of_total);
        self.new.insert(slot, NewSeries { after: self.last_scrape, start, is_provisional: false });
        true
    }

    /// Records a series that a scrape leaves out since it has expired: if it goes
    /// on before it is let go, that is as if it came back.
    #[cold]
    pub fn record_expired(&mut self, slot: Slot, series: &mut Series, now: Moment) {
        let Series { family, value, flags, .. } = series;
        if self.record(slot, family, Some(value), now) {
            flags.set_new(true);
            self.new.entry(slot).and_modify(|new| new.is_provisional = true);
        }
    }

    /// The total of a series was reset: it goes on from nothing any more.
    pub fn begins_anew(&mut self, slot: Slot) {
        if let Some(new) = self.new.get_mut(&slot) {
            new.start = None;
        }
    }

    /// The series in a slot is no longer live.
    pub fn remove(&mut self, slot: Slot) {
        self.new.remove(&slot);
    }

    /// How a scrape shows a series. One that every scraper has seen is no longer
    /// recorded as new.
    pub fn visibility(
        &mut self,
        slot: Slot,
        series: &mut Series,
        context: &ScrapeContext,
    ) -> Visibility {
        let Some(new) = self.new.get_mut(&slot) else {
            series.flags.set_new(false);
            return Visibility::Existing;
        };
        // Where it is in the scrape would else depend on its place in the order.
        if new.after >= context.seq {
            return Visibility::NotYet;
        }
        if new.after < self.horizon.exposed_to_all {
            series.flags.set_new(false);
            self.new.remove(&slot);
            return Visibility::Existing;
        }
        if context.last_seen.is_none_or(|last_seen| new.after < last_seen) {
            return Visibility::Existing;
        }
        new.is_provisional = false;
        let start = new.start.as_ref().and_then(Value::copy_of_total);
        let zero = || Value::new(series.family.shape(), Moment::default());
        Visibility::StartingAt(new.after, start.unwrap_or_else(zero))
    }

    /// Whether an expired series has to stay since a known scraper has yet to
    /// fetch its last value.
    #[inline]
    pub fn is_awaited(&self, slot: Slot, series: &Series, now: Moment) -> bool {
        now < self.horizon.keep_until
            && series.family.kind().accumulates()
            && (series.touched >= Tick::at(self.horizon.fetched_before)
                || series.flags.is_new() && self.is_start_awaited(slot))
    }

    /// Whether some known scraper has seen the series at its start at most.
    fn is_start_awaited(&self, slot: Slot) -> bool {
        let new = self.new.get(&slot).filter(|new| !new.is_provisional);
        new.is_some_and(|new| new.after >= self.horizon.exposed_to_known)
    }
}
