//! What producers have counted by native buckets, as a delta.

use serde::{Deserialize, Serialize};

use super::{Full, MOST_OBSERVATIONS, MOST_VALUES};
use crate::metric::native::{NativeCounts, Schema};
use crate::metric::sum_of;

/// Counts of one schema and one bucket around zero: others are in another delta, so
/// that the home adds each as it adds the samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NativeDelta {
    /// The number of the schema.
    schema: i8,
    zero_threshold: f64,
    zero_count: u64,
    /// Numbers of buckets and their counts, as in [`NativeCounts`].
    positive: Vec<(i32, u64)>,
    negative: Vec<(i32, u64)>,
    sum: f64,
}

impl NativeDelta {
    /// That of one sample.
    pub(super) fn of(counts: &NativeCounts, sum: f64) -> Self {
        let NativeCounts { schema, zero_threshold, zero_count, positive, negative } = counts;
        Self {
            schema: schema.number(),
            zero_threshold: *zero_threshold,
            zero_count: *zero_count,
            positive: positive.clone(),
            negative: negative.clone(),
            sum,
        }
    }

    /// About how many bytes it is in a frame.
    pub(super) fn bytes(&self) -> usize {
        28 + 3 * (self.positive.len() + self.negative.len())
    }

    /// Adds what another sample has counted, or changes nothing.
    pub(super) fn add(&mut self, new: &NativeCounts, new_sum: f64) -> Result<(), Full> {
        let is_same =
            self.schema == new.schema.number() && self.zero_threshold == new.zero_threshold;
        let is_short = [(&self.positive, &new.positive), (&self.negative, &new.negative)]
            .iter()
            .all(|(own, new)| own.len() + new.len() <= MOST_VALUES);
        let count = self.count().saturating_add(new.count());
        if !is_same || !is_short || count > MOST_OBSERVATIONS {
            return Err(Full);
        }
        self.sum = sum_of(self.sum, &[new_sum]).map_err(|_| Full)?;
        self.zero_count += new.zero_count;
        add_buckets(&mut self.positive, &new.positive);
        add_buckets(&mut self.negative, &new.negative);
        Ok(())
    }

    /// What was counted, and the sum of it; `None` where no samples come to it.
    pub(crate) fn counts(&self) -> Option<(NativeCounts, f64)> {
        let Self { schema, zero_threshold, zero_count, positive, negative, sum } = self;
        let schema = Schema::new(*schema)?;
        let counts = NativeCounts {
            schema,
            zero_threshold: *zero_threshold,
            zero_count: *zero_count,
            positive: positive.clone(),
            negative: negative.clone(),
        };
        let (first, last) = schema.range();
        let is_side = |side: &[(i32, u64)]| {
            let is_bucket = |(at, count): &(i32, u64)| (first..=last).contains(at) && *count > 0;
            side.is_sorted_by(|(lower, _), (upper, _)| lower < upper) && side.iter().all(is_bucket)
        };
        let is_valid = is_side(positive)
            && is_side(negative)
            && zero_threshold.is_finite()
            && *zero_threshold >= 0.0
            && counts.count() <= MOST_OBSERVATIONS
            && sum.is_finite();
        is_valid.then_some((counts, *sum))
    }

    fn count(&self) -> u64 {
        let sides = self.positive.iter().chain(&self.negative).map(|(_, count)| *count);
        sides.fold(self.zero_count, u64::saturating_add)
    }
}

fn add_buckets(own: &mut Vec<(i32, u64)>, new: &[(i32, u64)]) {
    for (bucket, count) in new {
        match own.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
            Ok(position) => own[position].1 += count,
            Err(position) => own.insert(position, (*bucket, *count)),
        }
    }
}
