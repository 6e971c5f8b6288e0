//! What the series of a family are made of.

use super::Kind;
use super::histogram::BucketLayout;
use super::summary::SummaryPlan;

/// What a bucket or an objective is charged in a family.
const BYTES_PER_BOUND: usize = 64;

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
    /// The type whose series are made so.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Shape::Counter => Kind::Counter,
            Shape::Gauge => Kind::Gauge,
            Shape::Histogram(_) => Kind::Histogram,
            Shape::Summary(_) => Kind::Summary,
        }
    }

    /// About how many bytes a family keeps for it.
    pub(crate) fn bytes(&self) -> usize {
        let bounds = match self {
            Shape::Counter | Shape::Gauge => 0,
            Shape::Histogram(layout) => layout.bounds().len(),
            Shape::Summary(plan) => plan.objectives().len(),
        };
        bounds * BYTES_PER_BOUND
    }

    /// How many bytes the counts of a series take beside its labels.
    pub(crate) fn bytes_of_counts(&self) -> usize {
        self.buckets().unwrap_or(0) * size_of::<u64>()
    }

    /// How many buckets a histogram has, `+Inf` included; `None` for other
    /// types.
    pub fn buckets(&self) -> Option<usize> {
        match self {
            Shape::Histogram(layout) => Some(layout.bounds().len() + 1),
            Shape::Counter | Shape::Gauge | Shape::Summary(_) => None,
        }
    }
}
