//! What the series of a family are made of.

use super::histogram::BucketLayout;
use super::summary::SummaryPlan;

/// What the series of a family are made of.
#[derive(Debug, PartialEq)]
pub enum Shape {
    /// A number that rises.
    Counter,
    /// A number that is set.
    Gauge,
    /// Counts for these buckets.
    Histogram(BucketLayout),
    /// Quantiles for these objectives.
    Summary(SummaryPlan),
}

impl Shape {
    /// How many buckets a histogram has, `+Inf` included; `None` for other
    /// types.
    pub fn buckets(&self) -> Option<usize> {
        match self {
            Shape::Histogram(layout) => Some(layout.bounds().len() + 1),
            Shape::Counter | Shape::Gauge | Shape::Summary(_) => None,
        }
    }
}
