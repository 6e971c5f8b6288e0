//! Histogram: how many observations fell at or below each upper bound, and where it is
//! native into buckets that nobody had to lay out.

use super::native::{NativeCounts, NativeHistogram, NativePlan, Schema};
use super::{Applied, GREATEST_TOTAL, Unapplied, sum_of};
use crate::timestamp::Moment;

/// How many exemplars a series that is native alone may have.
const NATIVE_EXEMPLARS: i32 = 10;

/// The upper bounds of a family's buckets, and how its series are native, if they are.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketLayout {
    /// Strictly increasing and finite; `+Inf` follows unwritten.
    bounds: Box<[f64]>,
    native: Option<NativePlan>,
}

/// What is wrong with a list of upper bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBounds {
    /// One that is infinite, or no number, and not a last `+Inf`.
    NotFinite,
    /// One that is not above the one before it.
    NotIncreasing,
}

impl BucketLayout {
    /// Leaves in `bounds` those of a layout, without the last `+Inf` that it may
    /// have; or says why they are none.
    pub fn normalize(bounds: &mut Vec<f64>) -> Result<(), BadBounds> {
        if bounds.last() == Some(&f64::INFINITY) {
            bounds.pop();
        }
        if !bounds.iter().all(|bound| bound.is_finite()) {
            return Err(BadBounds::NotFinite);
        }
        if !bounds.is_sorted_by(|lower, upper| lower < upper) {
            return Err(BadBounds::NotIncreasing);
        }
        // Minus zero is zero.
        bounds.iter_mut().for_each(|bound| *bound += 0.0);
        Ok(())
    }

    /// A layout from bounds that are strictly increasing and finite.
    pub fn new(bounds: &[f64]) -> Self {
        Self { bounds: bounds.into(), native: None }
    }

    /// The same, of series that are native by this plan, if there is one.
    #[must_use]
    pub fn with_native(mut self, plan: Option<NativePlan>) -> Self {
        self.native = plan;
        self
    }

    /// How its series are native, if they are.
    pub fn native(&self) -> Option<&NativePlan> {
        self.native.as_ref()
    }

    /// Whether it has no bounds to count by but `+Inf`, since its series are native.
    pub fn is_native_only(&self) -> bool {
        self.native.is_some() && self.bounds.is_empty()
    }

    /// The finite upper bounds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The bucket that takes `value`: the first whose bound is not below it.
    #[inline]
    pub(crate) fn bucket_of(&self, value: f64) -> usize {
        // Layouts of everyday size are scanned faster than they are bisected.
        if self.bounds.len() <= 16 {
            return self.bounds.iter().take_while(|bound| value > **bound).count();
        }
        self.bounds.partition_point(|bound| value > *bound)
    }

    /// Where an exemplar of `value` is kept: with its bucket. Where series are native
    /// alone, it is one of [`NATIVE_EXEMPLARS`] places by the magnitude, so that those
    /// of what happens often leave room for others.
    pub(super) fn exemplar_place(&self, value: f64) -> u32 {
        if !self.is_native_only() {
            return self.bucket_of(value) as u32;
        }
        let of_magnitude = match value.abs() {
            0.0 => 0,
            magnitude => Schema::POWERS_OF_FOUR.bucket_of(magnitude),
        };
        of_magnitude.rem_euclid(NATIVE_EXEMPLARS) as u32
    }

    /// Whether all its bounds are among `bounds`, so that counts by these are counts
    /// by its own once they are added up.
    pub fn is_among(&self, bounds: &[f64]) -> bool {
        let is_one = |own: &f64| bounds.binary_search_by(|bound| bound.total_cmp(own)).is_ok();
        self.bounds.iter().all(is_one)
    }

    /// Leaves in `folded` what `counts` by `bounds`, which its own are among, come to:
    /// one for each of its buckets.
    pub fn fold(&self, bounds: &[f64], counts: &[u64], folded: &mut Vec<u64>) {
        folded.clear();
        folded.resize(self.bounds.len() + 1, 0);
        for (bucket, count) in counts.iter().enumerate() {
            let upper = bounds.get(bucket);
            let own = upper.map_or(self.bounds.len(), |bound| self.bucket_of(*bound));
            // Where it does not fit, it is more than a histogram takes.
            folded[own] = folded[own].saturating_add(*count);
        }
    }
}

/// The observations of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Not cumulative; the last is the `+Inf` bucket.
    counts: Box<[u64]>,
    sum: f64,
    /// Has all observations too; `None` for good once a producer has counted some.
    native: Option<Box<NativeHistogram>>,
}

// There may be millions.
const _: () = assert!(size_of::<Histogram>() == 32);

impl Histogram {
    /// A histogram without observations.
    pub fn new(layout: &BucketLayout, now: Moment) -> Self {
        let native = layout.native.map(|plan| Box::new(NativeHistogram::new(&plan, now)));
        Self { counts: vec![0; layout.bounds.len() + 1].into(), sum: 0.0, native }
    }

    /// A histogram of these counts, not cumulative, one for each bucket.
    pub fn from_parts(counts: Box<[u64]>, sum: f64) -> Self {
        Self { counts, sum, native: None }
    }

    /// The same with a native side that has as many observations.
    pub(super) fn with_native(mut self, native: NativeHistogram) -> Self {
        self.native = Some(Box::new(native));
        self
    }

    /// Its native side, where it has one.
    pub fn native(&self) -> Option<&NativeHistogram> {
        self.native.as_deref()
    }

    /// The counts, not cumulative, one for each bucket.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts one finite value.
    #[inline]
    pub fn observe(
        &mut self,
        value: f64,
        layout: &BucketLayout,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        self.observe_all(&[value], layout, now)
    }

    /// Counts finite values, all of them or none.
    #[inline]
    pub fn observe_all(
        &mut self,
        values: &[f64],
        layout: &BucketLayout,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        if self.native.is_some() {
            return self.observe_all_natively(values, layout, now);
        }
        self.sum = sum_of(self.sum, values)?;
        self.count_by_bounds(values, layout);
        Ok(Applied::Added)
    }

    /// The same on both sides. Apart, so that the one above is part of the loop that
    /// applies samples.
    #[inline(never)]
    fn observe_all_natively(
        &mut self,
        values: &[f64],
        layout: &BucketLayout,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        let sum = sum_of(self.sum, values)?;
        if let (Some(native), Some(plan)) = (&mut self.native, &layout.native) {
            let is_old = native.is_old(plan, now) && sum_of(0.0, values).is_ok();
            let has_to = is_old && native.is_degraded(plan);
            if has_to || native.observe_all(values, plan, is_old).is_err() {
                *self = Self::new(layout, now);
                // It is not old any more.
                return self.observe_all(values, layout, now).map(|_| Applied::BeganAnew);
            }
        }
        self.sum = sum;
        self.count_by_bounds(values, layout);
        Ok(Applied::Added)
    }

    #[inline]
    fn count_by_bounds(&mut self, values: &[f64], layout: &BucketLayout) {
        for value in values {
            self.counts[layout.bucket_of(*value)] += 1;
        }
    }

    /// Adds `counts`, one for each bucket, of observations whose sum is `sum`; all of
    /// them or none. Which native buckets they are of nobody knows.
    pub fn add(&mut self, counts: &[u64], sum: f64) -> Result<(), Unapplied> {
        let total = counts.iter().fold(self.count(), |total, count| total.saturating_add(*count));
        if total > GREATEST_TOTAL {
            return Err(Unapplied::NonFinite);
        }
        self.sum = sum_of(self.sum, &[sum])?;
        self.native = None;
        self.counts.iter_mut().zip(counts).for_each(|(own, more)| *own += more);
        Ok(())
    }

    /// Adds what a producer has counted by native buckets, whose sum is `sum`; all of it
    /// or none. The histogram has no bounds: which of them it is below nobody knows.
    pub fn add_native(
        &mut self,
        counts: &NativeCounts,
        sum: f64,
        layout: &BucketLayout,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        let more = counts.count();
        if self.count().saturating_add(more) > GREATEST_TOTAL {
            return Err(Unapplied::NonFinite);
        }
        let sum_of_all = sum_of(self.sum, &[sum])?;
        if let (Some(native), Some(plan)) = (&mut self.native, &layout.native) {
            let is_old = native.is_old(plan, now);
            let has_to = is_old && native.is_coarser_than(counts, plan);
            if has_to || native.add(counts, plan, is_old).is_err() {
                *self = Self::new(layout, now);
                // It is not old any more.
                return self.add_native(counts, sum, layout, now).map(|_| Applied::BeganAnew);
            }
        }
        self.sum = sum_of_all;
        if let Some(all) = self.counts.last_mut() {
            *all += more;
        }
        Ok(Applied::Added)
    }

    /// The sum of all observations.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The number of all observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The exposed counts, one for each `le`: observations at or below it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        })
    }
}
