//! The buckets of an exponential histogram, as those of a native one.

use std::iter::zip;

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

use super::refusal::Refusal;
use super::sums::{add_up_to, sum_of};
use crate::doors::sample::{PushedBuckets, PushedNative, PushedValue};

/// The scales that native histograms have.
const FINEST: i32 = 8;
const COARSEST: i32 = -4;

/// What an exponential histogram counted, as a native one counts.
#[derive(Debug)]
pub struct NativeCounts {
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    positive: Side,
    negative: Side,
    sum: f64,
}

/// Buckets that have counts: their indexes, rising, and as many counts. The upper bound
/// of one is the base to the power of its index.
#[derive(Debug, Default, PartialEq, Eq)]
struct Side {
    indexes: Vec<i32>,
    counts: Vec<u64>,
}

impl NativeCounts {
    /// Those of a data point, if they are a histogram.
    pub fn of(point: &ExponentialHistogramDataPoint) -> Result<Self, Refusal> {
        let ExponentialHistogramDataPoint { count, scale, zero_threshold, zero_count, .. } = point;
        let sum = sum_of(point.sum, *count)?;
        let rescaled = Rescaled::new(*scale)?;
        let positive = rescaled.side(point.positive.as_ref())?;
        let negative = rescaled.side(point.negative.as_ref())?;
        let of_sides = positive.counts.iter().chain(&negative.counts);
        if *zero_threshold < 0.0 || !add_up_to(*count, of_sides.chain([zero_count])) {
            return Err(Refusal::BadBuckets);
        }
        let (zero_threshold, zero_count) = (*zero_threshold, *zero_count);
        Ok(Self { schema: rescaled.schema, zero_threshold, zero_count, positive, negative, sum })
    }

    /// As a sample has them.
    pub fn pushed(&self) -> PushedValue<'_> {
        let native = PushedNative {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            positive: self.positive.pushed(),
            negative: self.negative.pushed(),
        };
        PushedValue::Native { native, sum: self.sum }
    }
}

impl Side {
    fn pushed(&self) -> PushedBuckets<'_> {
        let Self { indexes, counts } = self;
        PushedBuckets { indexes, counts }
    }
}

/// How much coarser than it was sent a histogram is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rescaled {
    /// The scale as a native histogram's schema.
    schema: i32,
    /// Each step of it makes one bucket of two.
    steps: u32,
}

impl Rescaled {
    fn new(scale: i32) -> Result<Self, Refusal> {
        if scale < COARSEST {
            return Err(Refusal::BadScale);
        }
        let schema = scale.min(FINEST);
        Ok(Self { schema, steps: scale.abs_diff(schema) })
    }

    fn side(self, buckets: Option<&Buckets>) -> Result<Side, Refusal> {
        let mut side = Side::default();
        let Some(Buckets { offset, bucket_counts }) = buckets else { return Ok(side) };
        let counted = zip(i64::from(*offset).., bucket_counts).filter(|(_, count)| **count > 0);
        for (at, count) in counted {
            // OpenTelemetry numbers buckets by their lower bound.
            let index = (at >> self.steps.min(i64::BITS - 1)) + 1;
            let index = i32::try_from(index).map_err(|_| Refusal::BadBuckets)?;
            match side.counts.last_mut() {
                Some(last) if side.indexes.last() == Some(&index) => {
                    *last = last.checked_add(*count).ok_or(Refusal::BadBuckets)?;
                }
                Some(_) | None => {
                    side.indexes.push(index);
                    side.counts.push(*count);
                }
            }
        }
        Ok(side)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side(indexes: &[i32], counts: &[u64]) -> Result<Side, Refusal> {
        Ok(Side { indexes: indexes.to_vec(), counts: counts.to_vec() })
    }

    fn upper_bound(schema: i32, index: i32) -> f64 {
        2_f64.powf(f64::from(index) * 2_f64.powi(-schema))
    }

    #[test]
    fn scales_that_native_histograms_have_stay() {
        for scale in [-4, 0, 3, 8] {
            let buckets = Buckets { offset: -2, bucket_counts: vec![1, 0, 0, 4] };
            let rescaled = Rescaled::new(scale).expect("a scale that there is");
            assert_eq!(rescaled.schema, scale);
            assert_eq!(rescaled.side(Some(&buckets)), side(&[-1, 2], &[1, 4]));
        }
        assert_eq!(Rescaled::new(-5), Err(Refusal::BadScale));
    }

    #[test]
    fn the_ends_of_what_can_be_sent() {
        let buckets = |offset| Buckets { offset, bucket_counts: vec![1, 1] };
        let rescaled = |scale| Rescaled::new(scale).expect("a scale that there is");
        let of = |scale, offset| rescaled(scale).side(Some(&buckets(offset)));
        assert_eq!(of(8, i32::MAX), Err(Refusal::BadBuckets));
        assert_eq!(of(8, i32::MIN), side(&[i32::MIN + 1, i32::MIN + 2], &[1, 1]));
        assert_eq!(of(i32::MAX, i32::MAX), side(&[1], &[2]));
        assert_eq!(of(i32::MAX, -1), side(&[0, 1], &[1, 1]));
        let overflow = Buckets { offset: 0, bucket_counts: vec![u64::MAX, 1] };
        assert_eq!(rescaled(9).side(Some(&overflow)), Err(Refusal::BadBuckets));
        assert_eq!(rescaled(9).side(None), side(&[], &[]));
    }

    proptest! {
        /// A value that was in a bucket is in the one that it came into, and no other.
        #[test]
        fn what_was_counted_stays_within_its_bounds(scale in -4..=20_i32, offset in -3000..3000_i32) {
            let buckets = Buckets { offset, bucket_counts: vec![7] };
            let rescaled = Rescaled::new(scale).expect("a scale that there is");
            let Side { indexes, counts } = rescaled.side(Some(&buckets)).expect("it fits");
            prop_assert_eq!((indexes.len(), counts), (1, vec![7]));
            // The middle of it, which rounding does not move out.
            let middle = 2_f64.powf((f64::from(offset) + 0.5) * 2_f64.powi(-scale));
            prop_assume!(middle.is_normal());
            prop_assert!(middle < upper_bound(rescaled.schema, indexes[0]));
            prop_assert!(middle > upper_bound(rescaled.schema, indexes[0] - 1));
        }
    }
}
