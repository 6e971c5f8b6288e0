//! What one series holds, as the HTTP API answers it in JSON. A number that need
//! not be finite is a text, as the text format prints it.

use serde::Serialize;

use super::number::{self, Notation};
use crate::metric::native::NativeHistogram;
use crate::metric::{Shape, Value};
use crate::timestamp::Moment;

/// What a series holds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ValueJson {
    /// A counter or a gauge.
    Number {
        /// Its only number.
        value: Box<str>,
    },
    /// A histogram.
    Histogram {
        /// How many observations there are.
        count: u64,
        /// The sum of the observations.
        sum: Box<str>,
        /// `+Inf` last.
        buckets: Vec<BucketJson>,
        /// Its native side, where it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        native: Option<NativeJson>,
    },
    /// A summary.
    Summary {
        /// How many observations there are.
        count: u64,
        /// The sum of the observations.
        sum: Box<str>,
        /// Over the sliding window, in the order of the objectives.
        quantiles: Vec<QuantileJson>,
    },
}

/// How many observations are at or below a bound.
#[derive(Debug, PartialEq, Serialize)]
pub struct BucketJson {
    le: Box<str>,
    count: u64,
}

/// The native side of a histogram.
#[derive(Debug, PartialEq, Serialize)]
pub struct NativeJson {
    /// How fine it is now.
    schema: i8,
    /// How many times the bound before it each bound is.
    factor: f64,
    /// Those with counts, ascending; that around zero has a bound on each side of it.
    buckets: Vec<NativeBucketJson>,
}

/// How many observations are between two bounds.
#[derive(Debug, PartialEq, Serialize)]
pub struct NativeBucketJson {
    from: Box<str>,
    to: Box<str>,
    count: u64,
}

impl NativeJson {
    fn new(native: &NativeHistogram) -> Self {
        let (schema, zero) = (native.schema(), native.zero_threshold());
        let bound = |bucket| schema.upper_bound(bucket);
        let bucket = |from, to, count| NativeBucketJson { from: text(from), to: text(to), count };
        let below =
            native.negative().iter().map(|(at, count)| bucket(-bound(at), -bound(at - 1), count));
        let mut buckets: Vec<_> = below.collect();
        buckets.reverse();
        if native.zero_count() > 0 {
            buckets.push(bucket(-zero, zero, native.zero_count()));
        }
        let above = native.positive().iter();
        buckets.extend(above.map(|(at, count)| bucket(bound(at - 1), bound(at), count)));
        Self { schema: schema.number(), factor: schema.factor(), buckets }
    }
}

/// The answer to one objective.
#[derive(Debug, PartialEq, Serialize)]
pub struct QuantileJson {
    quantile: Box<str>,
    value: Box<str>,
}

impl ValueJson {
    /// What `value`, of a series of that shape, holds `now`.
    pub(crate) fn new(value: &mut Value, shape: &Shape, now: Moment) -> Self {
        match (value, shape) {
            (
                Value::Counter(number, _) | Value::Gauge(number, _) | Value::GaugeTotal(number, _),
                _,
            ) => Self::Number { value: text(*number) },
            (Value::Histogram(histogram), Shape::Histogram(layout)) => {
                let bounds = layout.bounds().iter().chain(&[f64::INFINITY]);
                let buckets = bounds.zip(histogram.cumulative());
                let buckets = buckets.map(|(bound, count)| BucketJson { le: text(*bound), count });
                let (count, sum) = (histogram.count(), text(histogram.sum()));
                let native = histogram.native().map(NativeJson::new);
                Self::Histogram { count, sum, buckets: buckets.collect(), native }
            }
            (Value::Summary(summary), Shape::Summary(plan)) => {
                let mut values = Vec::with_capacity(plan.objectives().len());
                summary.quantiles(plan, now, &mut values);
                let quantiles = plan.objectives().iter().zip(values).map(|((rank, _), value)| {
                    QuantileJson { quantile: text(*rank), value: text(value) }
                });
                let (count, sum) = (summary.count(), text(summary.sum()));
                Self::Summary { count, sum, quantiles: quantiles.collect() }
            }
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
    }

    /// How many buckets or quantiles it has.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::Number { .. } => 0,
            Self::Histogram { buckets, native, .. } => {
                buckets.len() + native.as_ref().map_or(0, |native| native.buckets.len())
            }
            Self::Summary { quantiles, .. } => quantiles.len(),
        }
    }
}

fn text(value: f64) -> Box<str> {
    number::text_of(value, Notation::Plain)
}
