//! Native histograms: the buckets of a series are powers of one factor, so that no
//! producer has to know them before, and only those that have counts take room.
//!
//! Which bucket a value falls into, and the three steps that are taken where there are
//! too many buckets, are those of Prometheus' client_golang (prometheus/histogram.go):
//! begin anew if enough time has passed, widen the bucket around zero, make two buckets
//! one. So what a scraper sees of a series is what that library would have shown.

mod add;
mod bounds;
mod buckets;
mod counts;
mod plan;
mod schema;
#[cfg(test)]
mod tests;

pub use buckets::Buckets;
pub use counts::NativeCounts;
pub use plan::{NativeLimits, NativeMode, NativePlan, NativeSettings};
pub use schema::Schema;

use crate::timestamp::Moment;

/// Up to here values count as zero at first: 2^-128, as in client_golang.
pub(super) const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// The native side of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeHistogram {
    pub(super) positive: Buckets,
    /// By the magnitudes of their values.
    pub(super) negative: Buckets,
    /// Of values that are no further from zero than the threshold.
    pub(super) zero_count: u64,
    pub(super) zero_threshold: f64,
    /// When it was empty last.
    pub(super) began: Moment,
    pub(super) schema: Schema,
}

/// Too many buckets, of a histogram that is old enough to begin anew.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ToBeginAnew;

impl NativeHistogram {
    /// One without observations.
    pub fn new(plan: &NativePlan, now: Moment) -> Self {
        Self {
            positive: Buckets::default(),
            negative: Buckets::default(),
            zero_count: 0,
            zero_threshold: ZERO_THRESHOLD,
            began: now,
            schema: plan.schema,
        }
    }

    /// How fine its buckets are now.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The magnitude up to which values count as zero now.
    pub fn zero_threshold(&self) -> f64 {
        self.zero_threshold
    }

    /// How many values count as zero.
    pub fn zero_count(&self) -> u64 {
        self.zero_count
    }

    /// The buckets of values above zero.
    pub fn positive(&self) -> &Buckets {
        &self.positive
    }

    /// Those of values below zero, by their magnitudes.
    pub fn negative(&self) -> &Buckets {
        &self.negative
    }

    /// How many buckets have counts, besides that around zero.
    #[inline]
    pub fn buckets(&self) -> usize {
        self.positive.filled() + self.negative.filled()
    }

    /// Whether it may begin anew where it has too many buckets.
    pub(super) fn is_old(&self, plan: &NativePlan, now: Moment) -> bool {
        let age = now.0.saturating_sub(self.began.0);
        plan.limits.min_reset_ms > 0 && age >= plan.limits.min_reset_ms
    }

    /// Whether it has been made coarser than it was meant to be.
    pub(super) fn is_degraded(&self, plan: &NativePlan) -> bool {
        self.schema != plan.schema || self.zero_threshold != ZERO_THRESHOLD
    }

    /// Counts finite values. Where they are too many buckets and it `is_old`, some of
    /// the values are counted and it has to begin anew.
    #[inline]
    pub(super) fn observe_all(
        &mut self,
        values: &[f64],
        plan: &NativePlan,
        is_old: bool,
    ) -> Result<(), ToBeginAnew> {
        for value in values {
            self.observe(*value);
            if self.buckets() > plan.limits.max_buckets as usize {
                if is_old {
                    return Err(ToBeginAnew);
                }
                self.limit(&plan.limits);
            }
        }
        Ok(())
    }

    #[inline]
    fn observe(&mut self, value: f64) {
        let magnitude = value.abs();
        if magnitude <= self.zero_threshold {
            self.zero_count += 1;
            return;
        }
        let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
        side.add(self.schema.bucket_of(magnitude), 1);
    }

    /// Makes it coarser until it has no more buckets than it may, as far as it goes.
    #[cold]
    pub(super) fn limit(&mut self, limits: &NativeLimits) {
        while self.buckets() > limits.max_buckets as usize {
            match self.wider_zero(limits) {
                Some(threshold) => self.widen_zero_to(threshold),
                None if self.halve() => {}
                None => return,
            }
        }
    }

    /// The threshold by which what is nearest to zero, on either side, goes into the bucket
    /// around it: until no more buckets are left than may be, or as far as it may reach.
    /// `None` where it may reach no further.
    fn wider_zero(&self, limits: &NativeLimits) -> Option<f64> {
        let mut threshold = None;
        let mut left = self.buckets();
        let mut sides = [&self.positive, &self.negative].map(|side| side.iter().peekable());
        while left > limits.max_buckets as usize {
            let nearest = sides.iter_mut().filter_map(|side| side.peek()).map(|(at, _)| *at).min();
            let bound = nearest.map(|bucket| self.schema.upper_bound(bucket));
            let bound = bound.filter(|bound| *bound <= limits.max_zero_threshold);
            if bound.is_none() || self.zero_threshold >= limits.max_zero_threshold {
                break;
            }
            threshold = bound;
            for side in &mut sides {
                left -= usize::from(side.next_if(|(at, _)| Some(*at) == nearest).is_some());
            }
        }
        threshold
    }

    /// Puts what is no further from zero than that into the bucket around it, if it
    /// reaches less far.
    fn widen_zero_to(&mut self, threshold: f64) {
        for side in [&mut self.positive, &mut self.negative] {
            let is_within = |bucket| self.schema.upper_bound(bucket) <= threshold;
            self.zero_count += side.take_first(is_within);
        }
        self.zero_threshold = self.zero_threshold.max(threshold);
    }

    /// Makes two buckets one; false where it is as coarse as can be.
    fn halve(&mut self) -> bool {
        let Some(coarser) = self.schema.halved() else { return false };
        self.schema = coarser;
        self.positive.halve();
        self.negative.halve();
        true
    }

    /// Finds the number below which a share of the observations lies, as a query
    /// does by the bounds of buckets: somewhere within one.
    #[cfg(test)]
    pub(super) fn bucket_at_rank(&self, rank: u64) -> (f64, f64) {
        let bound = |bucket| self.schema.upper_bound(bucket);
        let negative: Vec<_> = self.negative.iter().collect();
        let below =
            negative.iter().rev().map(|(at, count)| ((-bound(*at), -bound(at - 1)), *count));
        let zero = ((-self.zero_threshold, self.zero_threshold), self.zero_count);
        let above = self.positive.iter().map(|(at, count)| ((bound(at - 1), bound(at)), count));
        let mut seen = 0;
        let mut all = below.chain([zero]).chain(above);
        let found = all.find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.expect("a rank of an observation").0
    }
}
