//! What a sample observed: a value, several, or counts; and what a gauge's does to
//! its series.

use super::{SampleLists, bad_buckets, normalize_value, shown, too_much};
use crate::limits::PayloadLimits;
use crate::metric::{GaugeOp, Kind, Observations};
use crate::printable::{SHORT, printable};
use crate::reject::{Reason, Reject};

/// What a value does to its series; `add` is what it does to a counter anyway.
#[inline(always)]
pub(super) fn check_op(sent: Option<&str>, kind: Kind) -> Result<GaugeOp, Reject> {
    let Some(word) = sent else { return Ok(GaugeOp::Set) };
    match (GaugeOp::from_word(word), kind) {
        (Some(op), Kind::Gauge) => Ok(op),
        (Some(GaugeOp::Add), Kind::Counter) => Ok(GaugeOp::Set),
        (Some(_), Kind::Counter | Kind::Histogram | Kind::Summary) => {
            let detail = format!("expected no op on a {}, got {word}", kind.as_str());
            Err(Reject::new(Reason::InvalidField, detail))
        }
        (None, _) => {
            let detail =
                format!("expected set, add, max or min as op, got {}", printable(word, SHORT));
            Err(Reject::new(Reason::InvalidField, detail))
        }
    }
}

/// By which fields a sample says what was observed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Observed {
    Value(f64),
    Values { sent: usize },
    Counts { sent: usize, sum: f64 },
}

impl Observed {
    /// What these fields say together, for a sample of that type.
    #[inline(always)]
    pub(super) fn of(
        value: Option<f64>,
        values: Option<usize>,
        counts: Option<usize>,
        sum: Option<f64>,
        kind: Kind,
    ) -> Result<Self, Reject> {
        match (value, values, counts, sum) {
            (value, None, None, None) => Ok(Observed::Value(value.unwrap_or(0.0))),
            (None, Some(sent), None, None) if kind != Kind::Gauge => Ok(Observed::Values { sent }),
            (None, None, Some(sent), Some(sum)) if kind == Kind::Histogram => {
                Ok(Observed::Counts { sent, sum })
            }
            (_, Some(_), None, None) if kind == Kind::Gauge => {
                Err(not_together("no values on a gauge", "some"))
            }
            (None, None, Some(_), Some(_)) => {
                Err(not_together("counts on a histogram alone", kind.as_str()))
            }
            (_, _, None, Some(_)) => Err(not_together("a sum beside counts", "one without")),
            (None, None, Some(_), None) => Err(not_together("a sum beside counts", "none")),
            (..) => Err(not_together("one of value, values and counts", "several")),
        }
    }

    /// What a sample of that type with these lists observed.
    #[inline(always)]
    pub(super) fn observations<'a>(
        self,
        kind: Kind,
        values: &'a [f64],
        counts: &'a [u64],
    ) -> Observations<'a> {
        match self {
            Observed::Values { .. } if kind != Kind::Counter => Observations::Values(values),
            Observed::Counts { .. } => Observations::Counts(counts),
            Observed::Value(_) | Observed::Values { .. } => Observations::One,
        }
    }

    /// The value of the sample, where what was observed is a number.
    #[inline(always)]
    pub(super) fn value(
        self,
        lists: &SampleLists,
        kind: Kind,
        limits: &PayloadLimits,
    ) -> Result<f64, Reject> {
        match self {
            Observed::Value(value) => normalize_value(value, kind),
            Observed::Counts { sum, .. } => normalize_value(sum, kind),
            Observed::Values { sent } => value_of_several(&lists.values, sent, kind, limits),
        }
    }
}

#[cold]
fn not_together(expected: &str, got: &str) -> Reject {
    Reject::new(Reason::InvalidField, format!("expected {expected}, got {got}"))
}

/// The sum of values where they are a counter's, else 0; a series could not begin with
/// a sum that is infinite.
#[cold]
fn value_of_several(
    values: &[f64],
    sent: usize,
    kind: Kind,
    limits: &PayloadLimits,
) -> Result<f64, Reject> {
    if sent == 0 {
        return Err(not_together("at least one value in values", "none"));
    }
    if sent > limits.max_values {
        let detail = too_much("values", limits.max_values, sent);
        return Err(Reject::new(Reason::TooManyValues, detail));
    }
    values.iter().try_for_each(|value| normalize_value(*value, kind).map(drop))?;
    let sum = normalize_value(values.iter().sum(), kind)?;
    match kind {
        Kind::Counter => Ok(sum),
        Kind::Gauge | Kind::Histogram | Kind::Summary => Ok(0.0),
    }
}

/// Whole numbers beyond this are not told apart by a double.
const GREATEST_COUNT: f64 = (1_u64 << 53) as f64;

/// Leaves in `counts` one for each bucket that was sent, and one for `+Inf`.
#[cold]
pub(super) fn normalize_counts(
    lists: &mut SampleLists,
    sent: usize,
    buckets_by_default: bool,
) -> Result<(), Reject> {
    let SampleLists { buckets, counts_sent, counts, .. } = lists;
    if buckets_by_default {
        return Err(bad_buckets("expected the buckets that the counts are of, got none"));
    }
    if sent != buckets.len() && sent != buckets.len() + 1 {
        let expected = format!("expected {0} counts or {1}", buckets.len() + 1, buckets.len());
        let detail = format!("{expected}, for the +Inf bucket may be left out, got {sent}");
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    let is_count = |count: &f64| (0.0..=GREATEST_COUNT).contains(count) && count.fract() == 0.0;
    if let Some(other) = counts_sent.iter().find(|count| !is_count(count)) {
        let detail = format!("expected whole numbers up to 2^53 as counts, got {}", shown(*other));
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    counts.clear();
    counts.extend(counts_sent.iter().map(|count| *count as u64));
    counts.resize(buckets.len() + 1, 0);
    let all = counts.iter().fold(0_u64, |all, count| all.saturating_add(*count));
    if all > GREATEST_COUNT as u64 {
        let detail = format!("expected counts of up to 2^53 observations, got {all}");
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    Ok(())
}
