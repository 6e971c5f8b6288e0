//! What a sample observed: a value, several, or counts; and what a gauge's does to
//! its series.

use super::{SampleLists, normalize_value, too_much};
use crate::limits::PayloadLimits;
use crate::metric::{GaugeOp, Kind, Observations, is_whole_sum, total_of};
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
            let got = if word.is_empty() { "an empty text".into() } else { printable(word, SHORT) };
            let detail = format!("expected set, add, max or min as op, got {got}");
            Err(Reject::new(Reason::InvalidField, detail))
        }
    }
}

/// A factor is of native buckets, in which a producer can't have counted.
#[inline(always)]
pub(super) fn check_factor(
    sent: Option<f64>,
    observed: Observed,
    kind: Kind,
) -> Result<(), Reject> {
    match (sent, observed, kind) {
        (None, _, _) | (Some(_), Observed::Value(_) | Observed::Values { .. }, Kind::Histogram) => {
            Ok(())
        }
        (Some(_), Observed::Counts { .. }, _) => {
            Err(not_together("no factor beside counts", "one"))
        }
        (Some(_), Observed::Native { .. }, _) => {
            Err(not_together("no factor beside native", "one"))
        }
        (Some(_), _, Kind::Counter | Kind::Gauge | Kind::Summary) => {
            Err(not_together("a factor on a histogram alone", kind.as_str()))
        }
    }
}

/// By which fields a sample says what was observed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Observed {
    Value(f64),
    Values { sent: usize },
    Counts { sent: usize, sum: f64 },
    Native { sum: f64 },
}

impl Observed {
    /// What these fields say together, for a sample of that type.
    #[inline(always)]
    pub(super) fn of(
        value: Option<f64>,
        (values, counts, has_native): (Option<usize>, Option<usize>, bool),
        sum: Option<f64>,
        kind: Kind,
    ) -> Result<Self, Reject> {
        if has_native {
            return Observed::of_native(value, (values, counts), sum, kind);
        }
        match (value, values, counts, sum) {
            (value, None, None, None) => Ok(Observed::Value(value.unwrap_or(0.0))),
            (None, Some(sent), None, None) if kind != Kind::Gauge => Ok(Observed::Values { sent }),
            (None, None, Some(sent), Some(sum))
                if matches!(kind, Kind::Histogram | Kind::Summary) =>
            {
                Ok(Observed::Counts { sent, sum })
            }
            (_, Some(_), None, None) if kind == Kind::Gauge => {
                Err(not_together("no values on a gauge", "some"))
            }
            (None, None, Some(_), Some(_)) => {
                Err(not_together("counts on a histogram or a summary alone", kind.as_str()))
            }
            (_, _, None, Some(_)) => {
                Err(not_together("a sum beside counts or native", "one without"))
            }
            (None, None, Some(_), None) => Err(not_together("a sum beside counts", "none")),
            (..) => Err(not_together("one of value, values, counts and native", "several")),
        }
    }

    #[cold]
    fn of_native(
        value: Option<f64>,
        lists: (Option<usize>, Option<usize>),
        sum: Option<f64>,
        kind: Kind,
    ) -> Result<Self, Reject> {
        match (value, lists, sum, kind) {
            (None, (None, None), Some(sum), Kind::Histogram) => Ok(Observed::Native { sum }),
            (None, (None, None), None, Kind::Histogram) => {
                Err(not_together("a sum beside native", "none"))
            }
            (None, (None, None), _, Kind::Counter | Kind::Gauge | Kind::Summary) => {
                Err(not_together("native on a histogram alone", kind.as_str()))
            }
            (..) => Err(not_together("one of value, values, counts and native", "several")),
        }
    }

    /// What a sample of that type with this value and these lists observed.
    #[inline(always)]
    pub(super) fn observations<'a>(
        self,
        kind: Kind,
        value: f64,
        lists: &'a SampleLists,
    ) -> Observations<'a> {
        match self {
            Observed::Values { .. } if kind != Kind::Counter || !is_whole_sum(value) => {
                Observations::Values(&lists.values)
            }
            Observed::Counts { .. } => Observations::Counts(&lists.counts),
            Observed::Native { .. } => Observations::Native(&lists.native),
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
            Observed::Native { sum } => {
                lists.native_sent.check_lengths(limits.max_values)?;
                normalize_value(sum, kind)
            }
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
    let sum = total_of(kind, values).map_err(|_| {
        let detail = "expected values whose sum a double holds, got ones that overflow";
        Reject::new(Reason::NonFinite, detail)
    })?;
    match kind {
        Kind::Counter => Ok(sum),
        Kind::Gauge | Kind::Histogram | Kind::Summary => Ok(0.0),
    }
}
