//! A whole native histogram: the counts of its buckets, or why they are none.

use super::buckets::{GREATEST_COUNT, bad_buckets, is_count};
use super::{shown, too_much, without_minus_zero};
use crate::metric::native::{NativeCounts, Schema};
use crate::reject::{Reason, Reject};

/// A whole native histogram as an encoding has read it; its sum is the sample's.
#[derive(Debug, Default)]
pub struct RawNative {
    /// Infinite where they overflow, as other numbers are too.
    pub schema: Option<f64>,
    pub zero_threshold: Option<f64>,
    pub zero_count: Option<f64>,
    pub positive: RawSide,
    pub negative: RawSide,
}

/// The buckets on one side of zero.
#[derive(Debug, Default)]
pub struct RawSide {
    /// How many numbers were sent. Of each list no more than the limit need be kept.
    pub indexes_sent: usize,
    pub counts_sent: usize,
    pub indexes: Vec<f64>,
    pub counts: Vec<f64>,
}

impl RawNative {
    /// Makes it one that says nothing.
    pub fn clear(&mut self) {
        let Self { schema, zero_threshold, zero_count, positive, negative } = self;
        (*schema, *zero_threshold, *zero_count) = (None, None, None);
        positive.clear();
        negative.clear();
    }

    /// Refuses more buckets than there may be values.
    pub(super) fn check_lengths(&self, most: usize) -> Result<(), Reject> {
        for RawSide { indexes_sent, counts_sent, .. } in [&self.positive, &self.negative] {
            let sent = *indexes_sent.max(counts_sent);
            if sent > most {
                let detail = too_much("buckets on one side of native", most, sent);
                return Err(Reject::new(Reason::TooManyValues, detail));
            }
        }
        Ok(())
    }

    /// Leaves in `counts` what it has counted.
    pub(super) fn normalize(&self, counts: &mut NativeCounts) -> Result<(), Reject> {
        counts.schema = schema_of(self.schema)?;
        counts.zero_threshold = threshold_of(self.zero_threshold)?;
        counts.zero_count = count_of(self.zero_count.unwrap_or(0.0))?;
        self.positive.normalize(counts.schema, &mut counts.positive)?;
        self.negative.normalize(counts.schema, &mut counts.negative)?;
        let all = counts.count();
        if all > GREATEST_COUNT as u64 {
            return Err(bad_buckets(format!(
                "expected counts of up to 2^53 observations, got {all}"
            )));
        }
        Ok(())
    }
}

impl RawSide {
    /// Makes it one without buckets.
    pub fn clear(&mut self) {
        let Self { indexes_sent, counts_sent, indexes, counts } = self;
        (*indexes_sent, *counts_sent) = (0, 0);
        indexes.clear();
        counts.clear();
    }

    /// Leaves in `buckets` those that have counts.
    fn normalize(&self, schema: Schema, buckets: &mut Vec<(i32, u64)>) -> Result<(), Reject> {
        buckets.clear();
        let Self { indexes_sent, counts_sent, indexes, counts } = self;
        if indexes_sent != counts_sent {
            let got = format!("got {indexes_sent} and {counts_sent}");
            return Err(bad_buckets(format!("expected as many indexes as counts, {got}")));
        }
        let (first, last) = schema.range();
        let is_index = |index: &f64| {
            index.fract() == 0.0 && (f64::from(first)..=f64::from(last)).contains(index)
        };
        if let Some(other) = indexes.iter().find(|index| !is_index(index)) {
            return Err(bad_buckets(format!(
                "expected indexes of buckets from {first} to {last}, as schema {} has them, got {}",
                schema.number(),
                shown(*other)
            )));
        }
        if !indexes.is_sorted_by(|lower, upper| lower < upper) {
            let detail = "expected indexes that strictly increase, got some that do not";
            return Err(bad_buckets(detail));
        }
        for (index, count) in indexes.iter().zip(counts) {
            match count_of(*count)? {
                0 => {}
                count => buckets.push((*index as i32, count)),
            }
        }
        Ok(())
    }
}

fn schema_of(sent: Option<f64>) -> Result<Schema, Reject> {
    let whole = sent.filter(|number| number.fract() == 0.0 && number.abs() <= 127.0);
    whole.and_then(|number| Schema::new(number as i8)).ok_or_else(|| {
        let got = sent.map_or("none".into(), shown);
        bad_buckets(format!("expected a whole number from -4 to 8 as native.schema, got {got}"))
    })
}

fn threshold_of(sent: Option<f64>) -> Result<f64, Reject> {
    let threshold = sent.unwrap_or(0.0);
    if threshold.is_finite() && threshold >= 0.0 {
        return Ok(without_minus_zero(threshold));
    }
    let expected = "expected a finite number of at least 0 as native.zero_threshold";
    Err(bad_buckets(format!("{expected}, got {}", shown(threshold))))
}

fn count_of(sent: f64) -> Result<u64, Reject> {
    if is_count(sent) {
        return Ok(sent as u64);
    }
    let detail = format!("expected whole numbers up to 2^53 as counts, got {}", shown(sent));
    Err(bad_buckets(detail))
}
