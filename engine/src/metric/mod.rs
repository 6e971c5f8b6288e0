//! What a series holds: one aggregate for each metric type, a file each.

pub mod gauge;
pub mod histogram;
pub mod quantile;
mod shape;
mod stored;
pub mod summary;

use crate::timestamp::{Moment, PackedTime, Stamp, UnixTime};
use histogram::Histogram;
pub use shape::Shape;
use summary::Summary;

/// The aggregate of one series.
#[derive(Debug)]
pub enum Value {
    /// The sum of all samples.
    Counter(f64),
    /// The sample that was measured last, and when that was.
    Gauge(f64, PackedTime),
    /// Counts per bucket, and the sum.
    Histogram(Box<Histogram>),
    /// Quantiles over the window; sum and count for ever.
    Summary(Box<Summary>),
}

impl Value {
    /// What stands in place of a value where there is none.
    pub(crate) const NONE: Value = Value::Counter(0.0);

    /// The aggregate of no sample, of a series of that shape.
    pub fn new(shape: &Shape, now: Moment) -> Self {
        match shape {
            Shape::Counter => Value::Counter(0.0),
            Shape::Gauge => Value::Gauge(0.0, UnixTime::MIN.into()),
            Shape::Histogram(layout) => Value::Histogram(Box::new(Histogram::new(layout))),
            Shape::Summary(plan) => Value::Summary(Box::new(Summary::new(plan, now))),
        }
    }

    /// A copy, where it is a total that rises.
    pub fn copy_of_total(&self) -> Option<Self> {
        match self {
            Value::Counter(total) => Some(Value::Counter(*total)),
            Value::Histogram(histogram) => Some(Value::Histogram(histogram.clone())),
            Value::Gauge(..) | Value::Summary(_) => None,
        }
    }

    /// Takes one sample in. `shape` is the one that the value was made for.
    #[inline]
    pub fn apply(&mut self, sample: f64, stamp: Stamp, shape: &Shape, now: Moment) {
        match (self, shape) {
            (Value::Counter(total), _) => *total += sample,
            (Value::Gauge(last, at), _) => gauge::observe(last, at, sample, stamp),
            (Value::Histogram(histogram), Shape::Histogram(layout)) => {
                histogram.observe(sample, layout);
            }
            (Value::Summary(summary), Shape::Summary(plan)) => summary.observe(sample, plan, now),
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be millions of them.
    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
    }
}
