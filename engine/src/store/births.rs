//! Births: counters and histograms that some scraper has not been shown yet.
//!
//! Prometheus' `increase` begins at the first value that it sees of a series, so
//! one that is born at 1 between two scrapes has no increase. Therefore a scraper
//! is shown it once at its *start* (0, or the total that it goes on from) and
//! then as it is.
//!
//! Renderings have numbers that rise. A birth notes the last rendering that had
//! begun by then: whoever fetched that one or an earlier one as its last has not
//! seen the series. Births are few and soon seen by everyone, so they are kept in
//! a table beside the series, which bear a mark.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::Series;
use super::wheel::Tick;
use crate::catalog::Family;
use crate::metric::Value;
use crate::series::Slot;
use crate::timestamp::Moment;

/// The number of a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rendering(pub u64);

/// For whom a rendering is made.
#[derive(Debug, Clone, Copy)]
pub struct Audience {
    /// Its number, higher than all before.
    pub number: Rendering,
    /// The rendering that they fetched last. `None` where that is not known:
    /// they are shown everything as it is.
    pub seen: Option<Rendering>,
    /// What is kept for scrapers.
    pub awaited: Awaited,
}

/// What is kept since scrapers have yet to fetch it. The default keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Awaited {
    /// Who was born before this rendering, everybody has been shown at its start
    /// and as it is: the oldest of the scrapers' last renderings but one.
    pub births_from: Rendering,
    /// Births are noted until then.
    pub births_until: Moment,
    /// Whoever is waited for has been shown those, at their start and as they
    /// are, that were born before this rendering: the same of those alone.
    pub held_from: Rendering,
    /// Everybody has fetched the values that came before this moment.
    pub values_from: Moment,
    /// Series whose last value nobody may have fetched stay until then.
    pub values_until: Moment,
}

/// The births of one shard.
#[derive(Debug, Default)]
pub(super) struct Births {
    /// The last rendering that has begun.
    begun: Rendering,
    awaited: Awaited,
    /// What is applied was applied before, and scrapers may have seen it.
    is_paused: bool,
    noted: HashMap<Slot, Birth, RandomState>,
}

/// That a series was born, or came back.
#[derive(Debug)]
struct Birth {
    /// The last rendering that had begun.
    after: Rendering,
    /// What it goes on from; `None` is 0.
    start: Option<Value>,
    /// It is not there, but for the case that it goes on.
    is_passed_over: bool,
}

/// How a series whose birth is noted stands to a rendering.
pub(super) enum Standing {
    /// Shown as it is.
    Seen,
    /// Shown at its start: it was born after that rendering.
    New(Rendering, Value),
    /// Not shown: it was born after this rendering began.
    Unborn,
}

impl Births {
    /// A rendering begins.
    pub fn begin(&mut self, audience: &Audience) {
        self.begun = audience.number;
        self.awaited = audience.awaited;
    }

    /// Notes what scrapers await, where that is known before they have asked.
    pub fn set_awaited(&mut self, awaited: Awaited) {
        self.awaited = awaited;
    }

    /// Notes nothing until [`Births::resume`], and forgets what was noted.
    pub fn pause(&mut self) {
        self.noted.clear();
        self.is_paused = true;
    }

    /// Whether what is applied was applied before.
    pub fn are_paused(&self) -> bool {
        self.is_paused
    }

    /// What is applied from now on is new.
    pub fn resume(&mut self) {
        self.is_paused = false;
    }

    /// Notes that a series is shown from now on, with what it goes on from; false
    /// where nobody asks for that.
    pub fn note(&mut self, slot: Slot, family: &Family, old: Option<&Value>, now: Moment) -> bool {
        if self.is_paused || now >= self.awaited.births_until || !family.kind().accumulates() {
            return false;
        }
        let start = old.and_then(Value::copy_of_total);
        self.noted.insert(slot, Birth { after: self.begun, start, is_passed_over: false });
        true
    }

    /// Notes that a rendering passes a series over, since its time is over: where
    /// it goes on before it is let go, that is as if it came back.
    #[cold]
    pub fn note_passed_over(&mut self, slot: Slot, series: &mut Series, now: Moment) {
        let Series { family, value, traits, .. } = series;
        if self.note(slot, family, Some(value), now) {
            traits.set_new(true);
            self.noted.entry(slot).and_modify(|birth| birth.is_passed_over = true);
        }
    }

    /// The series is not shown any more.
    pub fn forget(&mut self, slot: Slot) {
        self.noted.remove(&slot);
    }

    /// How a series stands to a rendering; where everybody has seen it, its birth
    /// is forgotten.
    pub fn standing(&mut self, slot: Slot, series: &mut Series, audience: &Audience) -> Standing {
        let Some(birth) = self.noted.get_mut(&slot) else {
            series.traits.set_new(false);
            return Standing::Seen;
        };
        if birth.after >= audience.number {
            return Standing::Unborn;
        }
        if birth.after < self.awaited.births_from {
            series.traits.set_new(false);
            self.noted.remove(&slot);
            return Standing::Seen;
        }
        if audience.seen.is_none_or(|seen| birth.after < seen) {
            return Standing::Seen;
        }
        birth.is_passed_over = false;
        let copy = birth.start.as_ref().and_then(Value::copy_of_total);
        let zero = || Value::new(series.family.shape(), Moment::default());
        Standing::New(birth.after, copy.unwrap_or_else(zero))
    }

    /// Whether a series has to stay though its time is over, since a scraper has
    /// yet to fetch its last value.
    #[inline]
    pub fn is_awaited(&self, slot: Slot, series: &Series, now: Moment) -> bool {
        let has_not_been_fetched = || {
            series.touched >= Tick::at(self.awaited.values_from)
                || series.traits.is_new() && self.is_birth_awaited(slot)
        };
        now < self.awaited.values_until
            && series.family.kind().accumulates()
            && has_not_been_fetched()
    }

    /// Whether some scraper that is waited for has seen the series at its start at
    /// most.
    fn is_birth_awaited(&self, slot: Slot) -> bool {
        let birth = self.noted.get(&slot).filter(|birth| !birth.is_passed_over);
        birth.is_some_and(|birth| birth.after >= self.awaited.held_from)
    }
}
