//! The native side of a histogram as it is stored, and back.

use crate::metric::native::{NativeHistogram, NativePlan, Schema, ZERO_THRESHOLD};
use crate::record::{NativeRecord, Since, StateError};
use crate::timestamp::Moment;

impl NativeHistogram {
    /// What is stored of it at `now`.
    pub(super) fn record(&self, now: Moment) -> NativeRecord {
        NativeRecord {
            schema: self.schema.number(),
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            age: now.0.saturating_sub(self.began.0),
            positive: self.positive.iter().collect(),
            negative: self.negative.iter().collect(),
        }
    }

    /// What was stored of a series of a family that has this plan now: where it may
    /// have fewer buckets than then, it is made coarser.
    pub(super) fn from_record(
        record: &NativeRecord,
        plan: &NativePlan,
        since: Since,
    ) -> Result<Self, StateError> {
        let schema = Schema::new(record.schema).filter(|schema| *schema <= plan.schema);
        let schema = schema.ok_or(StateError::malformed("a native histogram of another factor"))?;
        let age = i64::try_from(record.age).unwrap_or(i64::MAX);
        let mut native = Self {
            positive: record.positive.iter().copied().collect(),
            negative: record.negative.iter().copied().collect(),
            zero_count: record.zero_count,
            zero_threshold: record.zero_threshold,
            // What was before the process started counts from there on.
            began: Moment(u64::try_from(since.milliseconds(-age)).unwrap_or(0)),
            schema,
        };
        native.limit(&plan.limits);
        Ok(native)
    }
}

impl NativeRecord {
    /// Says what was expected of the native side of a histogram with so many
    /// observations that no samples come to.
    pub(super) fn check(&self, observations: u64) -> Result<(), &'static str> {
        let Some(schema) = Schema::new(self.schema) else { return Err("a schema from -4 to 8") };
        if !self.zero_threshold.is_finite() || self.zero_threshold < ZERO_THRESHOLD {
            return Err("a threshold of zero as it can be");
        }
        let (first, last) = schema.range();
        for side in [&self.positive, &self.negative] {
            let rise = side.is_sorted_by(|(lower, _), (upper, _)| lower < upper);
            let is_bucket = |(at, count): &(i32, u64)| (first..=last).contains(at) && *count > 0;
            if !rise || !side.iter().all(is_bucket) {
                return Err("native buckets that rise and have counts");
            }
        }
        let counts = self.positive.iter().chain(&self.negative).map(|(_, count)| *count);
        let sum = counts.fold(self.zero_count, u64::saturating_add);
        if sum != observations {
            return Err("as many observations in native buckets as in others");
        }
        Ok(())
    }
}
