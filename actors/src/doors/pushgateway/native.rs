//! Native histograms: spans and differences, as protobuf has them, become the indexes
//! and the counts of buckets.

use psg_engine::protobuf::{BucketSpan, Histogram};

use super::body::Fault;
use crate::doors::sample::{PushedBuckets, PushedNative, PushedValue};

/// What a native histogram has counted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NativeCounts {
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    positive: Side,
    negative: Side,
}

/// Buckets of one sign that have counts, by their indexes.
#[derive(Debug, Default, PartialEq)]
struct Side {
    indexes: Vec<i32>,
    counts: Vec<u64>,
}

impl NativeCounts {
    /// The native side of a histogram, if it has one; as Prometheus tells that.
    pub(super) fn of(histogram: &Histogram) -> Result<Option<Self>, Fault> {
        let Histogram { positive_span, negative_span, .. } = histogram;
        let zero_threshold = histogram.zero_threshold.unwrap_or(0.0);
        let zero_count = histogram.zero_count.unwrap_or(0);
        let zero_count_float = histogram.zero_count_float.unwrap_or(0.0);
        let has_spans = !positive_span.is_empty() || !negative_span.is_empty();
        let has_zero = zero_threshold > 0.0 || zero_count > 0 || zero_count_float > 0.0;
        if !(has_spans || has_zero) {
            return Ok(None);
        }
        let has_floats = !histogram.positive_count.is_empty()
            || !histogram.negative_count.is_empty()
            || zero_count_float > 0.0;
        if has_floats {
            return Err("expected a native histogram of whole counts, got one of floats".into());
        }
        let native = Self {
            schema: histogram.schema.unwrap_or(0),
            zero_threshold,
            zero_count,
            positive: Side::of(positive_span, &histogram.positive_delta)?,
            negative: Side::of(negative_span, &histogram.negative_delta)?,
        };
        let all = native.positive.counts.iter().chain(&native.negative.counts);
        let all = all.fold(zero_count, |all, count| all.saturating_add(*count));
        let told = histogram.sample_count.unwrap_or(0);
        if all != told {
            let expected = "expected as many observations in all as in the buckets";
            return Err(format!("{expected}, {all}, got {told}: NaN is in no bucket").into());
        }
        Ok(Some(native))
    }

    /// The same buckets of no observations, as far as a sample needs some.
    pub(super) fn of_nothing(&self) -> Self {
        let Self { schema, zero_threshold, .. } = *self;
        Self { schema, zero_threshold, ..Self::default() }
    }

    /// What a sample says of it.
    pub(super) fn value(&self, sum: f64) -> PushedValue<'_> {
        let Self { schema, zero_threshold, zero_count, positive, negative } = self;
        let native = PushedNative {
            schema: *schema,
            zero_threshold: *zero_threshold,
            zero_count: *zero_count,
            positive: positive.pushed(),
            negative: negative.pushed(),
        };
        PushedValue::Native { native, sum }
    }
}

impl Side {
    /// Each span begins so far behind the one before it, and each bucket has so many
    /// more than the one before it.
    fn of(spans: &[BucketSpan], deltas: &[i64]) -> Result<Self, Fault> {
        let too_few = "expected a count for each bucket of the spans";
        let too_far = "expected indexes and counts that whole numbers hold, and none below 0";
        let mut side = Self::default();
        let (mut index, mut count) = (0_i32, 0_i64);
        let mut deltas = deltas.iter();
        for BucketSpan { offset, length } in spans {
            index = index.checked_add(offset.unwrap_or(0)).ok_or(too_far)?;
            for _ in 0..length.unwrap_or(0) {
                count = count.checked_add(*deltas.next().ok_or(too_few)?).ok_or(too_far)?;
                let alone = u64::try_from(count).map_err(|_| too_far)?;
                if alone > 0 {
                    side.indexes.push(index);
                    side.counts.push(alone);
                }
                index = index.checked_add(1).ok_or(too_far)?;
            }
        }
        match deltas.next() {
            None => Ok(side),
            Some(_) => Err(too_few.into()),
        }
    }

    fn pushed(&self) -> PushedBuckets<'_> {
        PushedBuckets { indexes: &self.indexes, counts: &self.counts }
    }
}
