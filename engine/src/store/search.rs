//! A search: some series of some families of one shard with what they hold, in
//! slices. What it finds is bounded in number and in bytes, so that it does not
//! matter how many series there are.

use std::sync::Arc;

use super::listing::FamilyKey;
use super::tick::Tick;
use super::{Series, Store};
use crate::catalog::Family;
use crate::exposition::ValueJson;
use crate::labels::{EmptyInstance, SeriesLabels};
use crate::series::Slot;
use crate::timestamp::Moment;

/// What finding a series costs, in series that are only looked at: the
/// quantiles of a summary are worked out.
const COST_OF_FOUND: usize = 16;
/// What a found series takes besides its labels and numbers, in bytes.
const BYTES_OF_FOUND: usize = 64;
/// What a bucket or a quantile takes.
const BYTES_OF_NUMBER: usize = 64;

/// What is looked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SearchOrder {
    /// Whose series are wanted, the most wanted first.
    pub families: Arc<[Arc<Family>]>,
    /// What [`crate::labels::LabelPairs::contains`] has to find; empty is in any.
    pub labels: Arc<str>,
    /// How many series may be found.
    pub series: usize,
    /// After how many bytes no further one is looked for.
    pub bytes: usize,
}

/// A search under way in one shard.
#[derive(Debug)]
pub struct SearchJob {
    order: SearchOrder,
    family: usize,
    position: usize,
    bytes: usize,
    found: Found,
    instance: EmptyInstance,
}

/// What a shard has found.
#[derive(Debug, Default)]
pub struct Found {
    /// The series, in the order of their families.
    pub series: Vec<FoundSeries>,
    /// Whether a bound has ended the search before its end.
    pub is_cut: bool,
}

/// A series, and what it held when its turn came.
#[derive(Debug)]
pub struct FoundSeries {
    /// Which one of [`SearchOrder::families`] it is of.
    pub family: usize,
    /// The labels that it shows.
    pub labels: SeriesLabels,
    /// Milliseconds since its last sample.
    pub idle_ms: u64,
    /// What it held then.
    pub value: ValueJson,
}

impl SearchJob {
    /// A search from the beginning.
    pub fn new(order: SearchOrder) -> Self {
        Self {
            order,
            family: 0,
            position: 0,
            bytes: 0,
            found: Found::default(),
            instance: EmptyInstance::default(),
        }
    }

    /// What was found.
    pub fn finish(self) -> Found {
        self.found
    }

    fn is_full(&self) -> bool {
        self.found.series.len() >= self.order.series || self.bytes >= self.order.bytes
    }

    /// Takes a series, with the labels that it shows; how many numbers it holds.
    fn take(
        &mut self,
        series: &mut Series,
        labels: SeriesLabels,
        family: &Family,
        now: Moment,
    ) -> usize {
        let found = FoundSeries {
            family: self.family,
            labels,
            idle_ms: Tick::at(now).moment().0.saturating_sub(series.touched.moment().0),
            value: ValueJson::new(&mut series.value, family.shape(), now),
        };
        let numbers = found.value.parts();
        let bytes_of_labels = found.labels.pairs().as_bytes().len();
        self.bytes += BYTES_OF_FOUND + bytes_of_labels + numbers * BYTES_OF_NUMBER;
        self.found.series.push(found);
        numbers
    }
}

impl Store {
    /// Looks at about `budget` more series; true when nothing is left, or enough
    /// is found. Series that have been idle for too long by `now` are passed
    /// over, as a scrape does.
    pub fn search_some(&mut self, job: &mut SearchJob, budget: usize, now: Moment) -> bool {
        let mut left = budget;
        while let Some(family) = job.order.families.get(job.family).cloned() {
            if left == 0 {
                return false;
            }
            let slots = self.slots_from(&family, job.position, left);
            if slots.is_empty() {
                job.family += 1;
                job.position = 0;
            }
            for slot in slots {
                job.position += 1;
                left = left.saturating_sub(1);
                let Some((series, labels)) = self.wanted(slot, job, now) else { continue };
                if job.is_full() {
                    job.found.is_cut = true;
                    return true;
                }
                let numbers = job.take(series, labels, &family, now);
                left = left.saturating_sub(COST_OF_FOUND + numbers);
                if left == 0 {
                    break;
                }
            }
        }
        true
    }

    /// What stands in a family's listing from a position on: slots, and holes.
    fn slots_from(&self, family: &Arc<Family>, position: usize, count: usize) -> Vec<Slot> {
        match self.listings.get(&FamilyKey(family.clone())) {
            // It may have become shorter since the last slice.
            Some(listing) if position < listing.len() => {
                listing.slots(position..listing.len().min(position + count)).to_vec()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The series in a slot where it is live and its labels contain what is
    /// wanted, and these labels.
    fn wanted(
        &mut self,
        slot: Slot,
        job: &mut SearchJob,
        now: Moment,
    ) -> Option<(&mut Series, SeriesLabels)> {
        let Self { slots, settings, extras, .. } = self;
        let series = slots.get_mut(slot.0 as usize)?.as_mut()?;
        if settings.expiry.is_due(slot, series, extras, Tick::at(now)) {
            return None;
        }
        let wanted = &job.order.labels;
        let labels = match settings.empty_instance {
            false => series.labels.pairs().contains(wanted).then(|| series.labels.clone())?,
            true => {
                let labels = job.instance.added_to(series.labels.pairs(), true);
                labels.contains(wanted).then(|| labels.into())?
            }
        };
        Some((series, labels))
    }
}
