//! What a series holds: one aggregate for each metric type, a file each.

pub mod histogram;
pub mod quantile;
pub mod summary;

use crate::catalog::{Family, Shape};
use histogram::Histogram;
use summary::Summary;

/// A point on the monotonic clock: milliseconds since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

/// The aggregate of one series.
#[derive(Debug)]
pub enum Value {
    /// The sum of all samples.
    Counter(f64),
    /// The last sample.
    Gauge(f64),
    /// Counts per bucket, and the sum.
    Histogram(Box<Histogram>),
    /// Quantiles over the window; sum and count for ever.
    Summary(Box<Summary>),
}

impl Value {
    /// The aggregate of no sample, of the type and shape of `family`.
    pub fn new(family: &Family, now: Moment) -> Self {
        match family.shape() {
            Shape::Counter => Value::Counter(0.0),
            Shape::Gauge => Value::Gauge(0.0),
            Shape::Histogram(layout) => Value::Histogram(Box::new(Histogram::new(layout))),
            Shape::Summary(plan) => Value::Summary(Box::new(Summary::new(plan, now))),
        }
    }

    /// Takes one sample in. `family` is the one that the value was made for.
    pub fn apply(&mut self, sample: f64, family: &Family, now: Moment) {
        match (self, family.shape()) {
            (Value::Counter(total), _) => *total += sample,
            (Value::Gauge(last), _) => *last = sample,
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
