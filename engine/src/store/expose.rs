//! A shard's part of a scrape, written in slices so that samples are applied
//! between them.

use super::extras::SeriesExtras;
use super::filter::Filter;
use super::first_seen::{AckHorizon, FirstSeen, ScrapeContext, ScrapeSeq, Visibility};
use super::listing::FamilyKey;
use super::tick::Tick;
use super::{Series, Store};
use crate::catalog::Catalog;
use crate::exemplar::SeriesExemplars;
use crate::exposition::{Fragment, FragmentWriter, PageFormat, ShownSeries};
use crate::labels::{EmptyInstance, LabelPairs};
use crate::metric::Value;
use crate::series::Slot;
use crate::timestamp::Moment;

/// Series whose labels are fetched into the processor's cache together.
const FETCHED_TOGETHER: usize = 32;

/// A scrape under way in one shard.
#[derive(Debug)]
pub struct ExposeJob {
    writer: FragmentWriter,
    /// Who asks, where that makes a difference.
    context: Option<ScrapeContext>,
    filter: Filter,
    /// See [`ExposeJob::starts_after`].
    starts_after: Option<ScrapeSeq>,
    /// The current family and how many of its series are written.
    cursor: Option<(FamilyKey, usize)>,
    instance: EmptyInstance,
}

struct Shown<'a> {
    extras: &'a SeriesExtras,
    /// Whether an `instance` is added where there is none.
    empty_instance: bool,
    /// Whether it is written when totals began.
    created: bool,
}

impl ExposeJob {
    /// A scrape from the first family on, with everything as it is; beside the
    /// families that live.
    pub fn new(page: impl Into<PageFormat>, living: &Catalog) -> Self {
        Self {
            writer: FragmentWriter::new(page.into().encoder(living)),
            context: None,
            filter: Filter::default(),
            starts_after: None,
            cursor: None,
            instance: EmptyInstance::default(),
        }
    }

    /// The same for what `filter` shows.
    #[must_use]
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The scrape after which the series were created that are exposed at their
    /// start; `None` where every series is exposed as it is. What is exposed is
    /// right for all scrapers whose last complete scrape is that one, or an
    /// earlier one that is not before the [`ScrapeContext`]'s.
    pub fn starts_after(&self) -> Option<ScrapeSeq> {
        self.starts_after
    }

    /// The finished part: a fragment for each family with live series, sorted
    /// by name.
    pub fn finish(self) -> Vec<Fragment> {
        self.writer.finish()
    }

    /// Writes a value of the series with these labels.
    #[inline(always)]
    fn write(
        &mut self,
        shown: &Shown<'_>,
        slot: Slot,
        labels: LabelPairs<'_>,
        value: &mut Value,
        exemplars: Option<&SeriesExemplars>,
        now: Moment,
    ) {
        let (labels, is_sorted) = match shown.extras.display.get(&slot) {
            Some(as_sent) => (as_sent.pairs(), false),
            None => (labels, true),
        };
        let labels = match shown.empty_instance {
            true => self.instance.added_to(labels, is_sorted),
            false => labels,
        };
        let created = if shown.created { shown.extras.created.get(slot.0) } else { None };
        self.writer.write(ShownSeries { labels, value, created, exemplars, now });
    }

    /// Writes a series at its start, or leaves it out, where that is how the
    /// scrape shows it; false where it shows it as it is.
    #[cold]
    fn writes_start(
        &mut self,
        first_seen: &mut FirstSeen,
        slot: Slot,
        series: &mut Series,
        shown: &Shown<'_>,
    ) -> bool {
        let Some(context) = &self.context else { return false };
        match first_seen.visibility(slot, series, context) {
            Visibility::Existing => false,
            Visibility::NotYet => true,
            Visibility::StartingAt(after, mut start) => {
                self.starts_after = Some(self.starts_after.map_or(after, |old| old.min(after)));
                let labels = series.labels.pairs();
                self.write(shown, slot, labels, &mut start, None, Moment::default());
                true
            }
        }
    }
}

impl Store {
    /// A scrape for some scrapers; without a context it shows everything as it is.
    pub fn begin_exposure(
        &mut self,
        page: impl Into<PageFormat>,
        living: &Catalog,
        context: Option<ScrapeContext>,
    ) -> ExposeJob {
        if let Some(context) = &context {
            self.first_seen.begin_scrape(context);
        }
        ExposeJob { context, ..ExposeJob::new(page, living) }
    }

    /// Takes over what scrapers have acknowledged, where that is known before
    /// one has come.
    pub fn set_ack_horizon(&mut self, horizon: AckHorizon) {
        self.first_seen.set_horizon(horizon);
    }

    /// After [`Store::clear`]: what is applied from now on, scrapers have not seen.
    pub fn end_replay(&mut self) {
        self.first_seen.end_replay();
    }

    /// Writes about `budget` more series; true when nothing is left. Series
    /// that have been idle for too long by `now` are passed over.
    pub fn expose_some(&mut self, job: &mut ExposeJob, budget: usize, now: Moment) -> bool {
        let mut left = budget;
        while left > 0 {
            let Some((key, written)) = self.next_series(job) else { return true };
            if !job.filter.has_family(&key.0) {
                left -= 1;
                job.cursor = Some((key, usize::MAX));
                continue;
            }
            let end = self.write_some(job, &key, written, left, now);
            left -= end - written;
            job.cursor = Some((key, end));
        }
        false
    }

    /// The family that the job is at and how many of its series are written;
    /// moves on to the next family where all are.
    fn next_series(&self, job: &mut ExposeJob) -> Option<(FamilyKey, usize)> {
        if let Some((key, written)) = &job.cursor
            && self.listings.get(key).is_some_and(|listing| *written < listing.len())
        {
            return job.cursor.take();
        }
        let key = self.listings.next(job.cursor.as_ref().map(|(key, _)| key))?;
        job.writer.begin_family(&key.0);
        Some((key.clone(), 0))
    }

    /// Writes series of one family from position `from` on, at most `budget`;
    /// returns the position after the last one.
    fn write_some(
        &mut self,
        job: &mut ExposeJob,
        key: &FamilyKey,
        from: usize,
        budget: usize,
        now: Moment,
    ) -> usize {
        let Self { listings, slots, extras, settings, first_seen, .. } = self;
        let created = job.writer.shows_created() && extras.created.is_kept();
        let shown = Shown { extras, empty_instance: settings.empty_instance, created };
        let Some(listing) = listings.get(key) else { return from };
        let end = listing.len().min(from + budget);
        let tick = Tick::at(now);
        for group in listing.slots(from..end).chunks(FETCHED_TOGETHER) {
            fetch(slots, group);
            for slot in group {
                let Some(series) = listed(slots, *slot) else { continue };
                if !job.filter.has_segment(series.segment()) {
                    continue;
                }
                if settings.expiry.is_due(*slot, series, extras, tick)
                    && !first_seen.is_awaited(*slot, series, now)
                {
                    first_seen.record_expired(*slot, series, now);
                    continue;
                }
                if series.flags.is_new() && job.writes_start(first_seen, *slot, series, &shown) {
                    continue;
                }
                let Series { labels, value, flags, .. } = series;
                let exemplars = extras.exemplars(*slot, *flags);
                job.write(&shown, *slot, labels.pairs(), value, exemplars, now);
            }
        }
        end
    }
}

/// Touches what writing the series will read. Of many series hardly any are in
/// the processor's cache; here it waits for all of the group at once, where
/// writing one after the other it would wait for each.
fn fetch(slots: &mut [Option<Series>], group: &[Slot]) {
    let mut touched = 0;
    for slot in group {
        let labels =
            listed(slots, *slot).map_or(&[][..], |series| series.labels.pairs().as_bytes());
        touched ^= labels.first().unwrap_or(&0) ^ labels.last().unwrap_or(&0);
    }
    std::hint::black_box(touched);
}

/// The series in a slot of a listing; `None` for a hole.
fn listed(slots: &mut [Option<Series>], slot: Slot) -> Option<&mut Series> {
    slots.get_mut(slot.0 as usize)?.as_mut()
}
