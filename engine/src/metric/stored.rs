//! Shapes and values as they are stored, and back. What no samples can make is
//! refused: whoever can write the state could otherwise write totals that nothing
//! came to.

mod native;

use std::borrow::Cow;

use super::histogram::{BucketLayout, Histogram};
use super::native::{NativeHistogram, NativeLimits, NativePlan, Schema};
use super::summary::{QuantilePlan, Summary, SummarySettings};
use super::{Kind, Shape, Value, counter};
use crate::limits::SMALLEST_EPSILON;
use crate::record::{ShapeRecord, Since, StateError, ValueRecord};
use crate::timestamp::{Moment, UnixTime};

/// No process counts that far, and there is room for what comes. Twice of what
/// whole histograms come to.
const GREATEST_COUNT: u64 = u64::MAX >> 8;

impl Shape {
    pub(crate) fn record(&self) -> ShapeRecord<'_> {
        match self {
            Shape::Counter => ShapeRecord::Counter,
            Shape::Gauge => ShapeRecord::Gauge,
            Shape::Histogram(layout) => {
                let bounds = Cow::Borrowed(layout.bounds());
                match layout.native() {
                    None => ShapeRecord::Histogram(bounds),
                    Some(plan) => {
                        ShapeRecord::NativeHistogram { bounds, schema: plan.schema.number() }
                    }
                }
            }
            Shape::Summary(plan) => ShapeRecord::Summary {
                objectives: Cow::Borrowed(plan.objectives()),
                window: plan.window_settings(),
            },
        }
    }

    /// What was stored, as these settings have it.
    pub(crate) fn from_record(
        record: &ShapeRecord<'_>,
        summary: SummarySettings,
        limits: NativeLimits,
    ) -> Self {
        match record {
            ShapeRecord::Counter => Shape::Counter,
            ShapeRecord::Gauge => Shape::Gauge,
            ShapeRecord::Histogram(bounds) => Shape::Histogram(BucketLayout::new(bounds)),
            ShapeRecord::Summary { objectives, window: _ } => {
                Shape::Summary(QuantilePlan::new(objectives, summary))
            }
            ShapeRecord::NativeHistogram { bounds, schema } => {
                let plan = Schema::new(*schema).map(|schema| NativePlan { schema, limits });
                Shape::Histogram(BucketLayout::new(bounds).with_native(plan))
            }
        }
    }
}

impl ShapeRecord<'_> {
    /// The type whose series are made so.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            ShapeRecord::Counter => Kind::Counter,
            ShapeRecord::Gauge => Kind::Gauge,
            ShapeRecord::Histogram(_) | ShapeRecord::NativeHistogram { .. } => Kind::Histogram,
            ShapeRecord::Summary { .. } => Kind::Summary,
        }
    }

    /// Says what was expected of a shape that no sample has.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self {
            ShapeRecord::Counter | ShapeRecord::Gauge => Ok(()),
            ShapeRecord::Histogram(bounds) => check_bounds(bounds),
            ShapeRecord::NativeHistogram { bounds, schema } => match Schema::new(*schema) {
                Some(_) => check_bounds(bounds),
                None => Err("a schema from -4 to 8"),
            },
            ShapeRecord::Summary { objectives, window: _ } => {
                let valid = |(quantile, error): &(f64, f64)| {
                    is_number(*quantile)
                        && (0.0..=1.0).contains(quantile)
                        && (SMALLEST_EPSILON..=1.0).contains(error)
                };
                let rise = objectives.is_sorted_by(|(lower, _), (upper, _)| lower < upper);
                if !rise || !objectives.iter().all(valid) {
                    return Err("objectives of a summary");
                }
                Ok(())
            }
        }
    }
}

impl ValueRecord<'_> {
    /// Says what was expected of a value that no samples come to.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self {
            ValueRecord::Counter(total) if is_number(*total) && *total >= 0.0 => Ok(()),
            ValueRecord::Counter(_) => Err("a number of at least 0 as a counter's total"),
            // Half of the rest rounds away even below a power of two, where steps
            // are half as large.
            ValueRecord::ExactCounter { sum, rest }
                if sum.is_finite()
                    && *sum >= counter::FIRST_WITH_REST
                    && sum + f64::from(*rest) / 2.0 == *sum =>
            {
                Ok(())
            }
            ValueRecord::ExactCounter { .. } => Err("a counter's total and less than a step of it"),
            ValueRecord::Gauge { value, at: _ } | ValueRecord::GaugeTotal { value, at: _ }
                if value.is_finite() =>
            {
                Ok(())
            }
            ValueRecord::Gauge { .. } | ValueRecord::GaugeTotal { .. } => {
                Err("a number as a gauge's value")
            }
            ValueRecord::Histogram { counts, sum } => check_observations(counts, *sum).map(drop),
            ValueRecord::Summary { sum, count, window: _ } => {
                check_observations(&[*count], *sum).map(drop)
            }
            ValueRecord::NativeHistogram { counts, sum, native } => {
                native.check(check_observations(counts, *sum)?)
            }
        }
    }
}

fn check_bounds(bounds: &[f64]) -> Result<(), &'static str> {
    let rise = bounds.is_sorted_by(|lower, upper| lower < upper);
    match rise && bounds.iter().copied().all(is_number) {
        true => Ok(()),
        false => Err("bounds of buckets that rise"),
    }
}

/// How many observations there are.
fn check_observations(counts: &[u64], sum: f64) -> Result<u64, &'static str> {
    if !sum.is_finite() {
        return Err("a number as a sum");
    }
    match counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)) {
        Some(count @ 0..=GREATEST_COUNT) => Ok(count),
        Some(_) | None => Err("fewer observations"),
    }
}

/// Whether it is one that is printed like the same number from a payload: minus
/// zero is zero there.
fn is_number(number: f64) -> bool {
    number.is_finite() && (number != 0.0 || number.is_sign_positive())
}

impl Value {
    /// What is stored of it at `now`.
    pub(crate) fn record(&self, now: Moment) -> ValueRecord<'_> {
        match self {
            Value::Counter(sum, rest) if *rest == 0.0 => ValueRecord::Counter(*sum),
            Value::Counter(sum, rest) => ValueRecord::ExactCounter { sum: *sum, rest: *rest },
            Value::Gauge(last, at) => {
                ValueRecord::Gauge { value: *last, at: UnixTime::from(*at).micros() }
            }
            Value::GaugeTotal(total, at) => {
                ValueRecord::GaugeTotal { value: *total, at: UnixTime::from(*at).micros() }
            }
            Value::Histogram(histogram) => {
                let (counts, sum) = (Cow::Borrowed(histogram.counts()), histogram.sum());
                match histogram.native() {
                    None => ValueRecord::Histogram { counts, sum },
                    Some(native) => {
                        ValueRecord::NativeHistogram { counts, sum, native: native.record(now) }
                    }
                }
            }
            Value::Summary(summary) => ValueRecord::Summary {
                sum: summary.sum(),
                count: summary.count(),
                window: summary.window().and_then(|window| window.record(now)),
            },
        }
    }

    /// What was stored of a series of a family that is of that shape now, and was
    /// `stored` so. Windows that were cut in another way than now start empty.
    pub(crate) fn from_record(
        record: ValueRecord<'_>,
        shape: &Shape,
        stored: &ShapeRecord<'_>,
        since: Since,
    ) -> Result<Self, StateError> {
        match (record, shape) {
            (ValueRecord::Counter(total), Shape::Counter) => Ok(Value::Counter(total, 0.0)),
            (ValueRecord::ExactCounter { sum, rest }, Shape::Counter) => {
                Ok(Value::Counter(sum, rest))
            }
            (ValueRecord::Gauge { value, at }, Shape::Gauge) => {
                Ok(Value::Gauge(value, UnixTime::from_micros(at).into()))
            }
            (ValueRecord::GaugeTotal { value, at }, Shape::Gauge) => {
                Ok(Value::GaugeTotal(value, UnixTime::from_micros(at).into()))
            }
            (ValueRecord::Histogram { counts, sum }, Shape::Histogram(layout)) => {
                restored_histogram(counts, sum, None, layout)
            }
            (ValueRecord::NativeHistogram { counts, sum, native }, Shape::Histogram(layout)) => {
                let Some(plan) = layout.native() else {
                    return Err(StateError::malformed("a native histogram in a family of others"));
                };
                let native = NativeHistogram::from_record(&native, plan, since)?;
                restored_histogram(counts, sum, Some(native), layout)
            }
            (ValueRecord::Summary { sum, count, window }, Shape::Summary(plan)) => {
                // Those of ckms-biased are only there in what an earlier version stored.
                let fits = matches!(stored, ShapeRecord::Summary { window, .. }
                    if window.targeted && *window == plan.window_settings());
                let window = if fits { window } else { None };
                Ok(Value::Summary(Box::new(Summary::restore(sum, count, window, plan, since)?)))
            }
            (
                ValueRecord::Counter(_)
                | ValueRecord::ExactCounter { .. }
                | ValueRecord::Gauge { .. }
                | ValueRecord::GaugeTotal { .. }
                | ValueRecord::Histogram { .. }
                | ValueRecord::NativeHistogram { .. }
                | ValueRecord::Summary { .. },
                _,
            ) => Err(StateError::malformed("a series of another type than its family")),
        }
    }
}

fn restored_histogram(
    counts: Cow<'_, [u64]>,
    sum: f64,
    native: Option<NativeHistogram>,
    layout: &BucketLayout,
) -> Result<Value, StateError> {
    if counts.len() != layout.bounds().len() + 1 {
        return Err(StateError::malformed("a histogram of other buckets"));
    }
    let histogram = Histogram::from_parts(counts.into_owned().into(), sum);
    Ok(Value::Histogram(Box::new(match native {
        None => histogram,
        Some(native) => histogram.with_native(native),
    })))
}
