//! Histogram: how many observations fell at or below each upper bound.

use super::{Unapplied, sum_of};

/// The upper bounds of a family's buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketLayout {
    /// Strictly increasing and finite; `+Inf` follows unwritten.
    bounds: Box<[f64]>,
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
        Self { bounds: bounds.into() }
    }

    /// The finite upper bounds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The bucket that takes `value`: the first whose bound is not below it.
    pub(super) fn bucket_of(&self, value: f64) -> usize {
        // Layouts of everyday size are scanned faster than they are bisected.
        if self.bounds.len() <= 16 {
            return self.bounds.iter().take_while(|bound| value > **bound).count();
        }
        self.bounds.partition_point(|bound| value > *bound)
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

/// No process counts that far one by one. Whole histograms do not take a total
/// beyond it, so that a stored one is read again, whatever is counted after them.
const GREATEST_TOTAL: u64 = u64::MAX >> 9;

/// The observations of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Not cumulative; the last is the `+Inf` bucket.
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// A histogram without observations.
    pub fn new(layout: &BucketLayout) -> Self {
        Self { counts: vec![0; layout.bounds.len() + 1].into(), sum: 0.0 }
    }

    /// A histogram of these counts, not cumulative, one for each bucket.
    pub fn from_parts(counts: Box<[u64]>, sum: f64) -> Self {
        Self { counts, sum }
    }

    /// The counts, not cumulative, one for each bucket.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts one finite value.
    pub fn observe(&mut self, value: f64, layout: &BucketLayout) -> Result<(), Unapplied> {
        self.observe_all(&[value], layout)
    }

    /// Counts finite values, all of them or none.
    #[inline]
    pub fn observe_all(&mut self, values: &[f64], layout: &BucketLayout) -> Result<(), Unapplied> {
        self.sum = sum_of(self.sum, values)?;
        for value in values {
            self.counts[layout.bucket_of(*value)] += 1;
        }
        Ok(())
    }

    /// Adds `counts`, one for each bucket, of observations whose sum is `sum`; all of
    /// them or none.
    pub fn add(&mut self, counts: &[u64], sum: f64) -> Result<(), Unapplied> {
        let total = counts.iter().fold(self.count(), |total, count| total.saturating_add(*count));
        if total > GREATEST_TOTAL {
            return Err(Unapplied::NonFinite);
        }
        self.sum = sum_of(self.sum, &[sum])?;
        self.counts.iter_mut().zip(counts).for_each(|(own, more)| *own += more);
        Ok(())
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
