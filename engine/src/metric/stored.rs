//! Shapes and values as they are stored, and back.

use std::borrow::Cow;

use super::histogram::{BucketLayout, Histogram};
use super::summary::{Summary, SummaryPlan, SummarySettings};
use super::{Kind, Shape, Value};
use crate::record::{ShapeRecord, Since, StateError, ValueRecord};
use crate::timestamp::{Moment, UnixTime};

impl Shape {
    /// What is stored of it.
    pub(crate) fn record(&self) -> ShapeRecord<'_> {
        match self {
            Shape::Counter => ShapeRecord::Counter,
            Shape::Gauge => ShapeRecord::Gauge,
            Shape::Histogram(layout) => ShapeRecord::Histogram(Cow::Borrowed(layout.bounds())),
            Shape::Summary(plan) => ShapeRecord::Summary {
                objectives: Cow::Borrowed(plan.objectives()),
                window: plan.window_settings(),
            },
        }
    }

    /// What was stored.
    pub(crate) fn from_record(record: &ShapeRecord<'_>, summary: SummarySettings) -> Self {
        match record {
            ShapeRecord::Counter => Shape::Counter,
            ShapeRecord::Gauge => Shape::Gauge,
            ShapeRecord::Histogram(bounds) => Shape::Histogram(BucketLayout::new(bounds)),
            ShapeRecord::Summary { objectives, window: _ } => {
                Shape::Summary(SummaryPlan::new(objectives, summary))
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
            ShapeRecord::Histogram(_) => Kind::Histogram,
            ShapeRecord::Summary { .. } => Kind::Summary,
        }
    }
}

impl Value {
    /// What is stored of it at `now`.
    pub(crate) fn record(&self, now: Moment) -> ValueRecord<'_> {
        match self {
            Value::Counter(total) => ValueRecord::Counter(*total),
            Value::Gauge(last, at) => {
                ValueRecord::Gauge { value: *last, at: UnixTime::from(*at).micros() }
            }
            Value::Histogram(histogram) => ValueRecord::Histogram {
                counts: Cow::Borrowed(histogram.counts()),
                sum: histogram.sum(),
            },
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
            (ValueRecord::Counter(total), Shape::Counter) => Ok(Value::Counter(total)),
            (ValueRecord::Gauge { value, at }, Shape::Gauge) => {
                Ok(Value::Gauge(value, UnixTime::from_micros(at).into()))
            }
            (ValueRecord::Histogram { counts, sum }, Shape::Histogram(layout)) => {
                if counts.len() != layout.bounds().len() + 1 {
                    return Err(StateError::malformed("a histogram of other buckets"));
                }
                let counts = counts.into_owned().into();
                Ok(Value::Histogram(Box::new(Histogram::from_parts(counts, sum))))
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
                | ValueRecord::Gauge { .. }
                | ValueRecord::Histogram { .. }
                | ValueRecord::Summary { .. },
                _,
            ) => Err(StateError::malformed("a series of another type than its family")),
        }
    }
}
