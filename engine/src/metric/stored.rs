//! Values as they are stored, and back.

use std::borrow::Cow;

use super::histogram::Histogram;
use super::summary::Summary;
use super::{Shape, Value};
use crate::record::{Since, StateError, ValueRecord, WindowSettings};
use crate::timestamp::{Moment, UnixTime};

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
                window: summary.window().map(|window| window.record(now)),
            },
        }
    }

    /// What was stored, of a series of that shape; windows that were cut in
    /// another way than now begin anew.
    pub(crate) fn from_record(
        record: ValueRecord<'_>,
        shape: &Shape,
        window_settings: Option<WindowSettings>,
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
                let fits = window_settings == Some(plan.window_settings());
                let window = window.filter(|_| fits);
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
