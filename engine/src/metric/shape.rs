//! What the series of a family have in common besides their name: the type, and
//! the buckets or objectives that its first sample came with.

use super::Kind;
use super::histogram::BucketLayout;
use super::summary::{SummaryPlan, SummarySettings};

/// What a bucket or an objective is charged in a family.
const BYTES_PER_BOUND: usize = 64;

/// What the series of a family are made of.
#[derive(Debug, Clone, PartialEq)]
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
    /// The shape of a family whose first sample has these buckets and objectives,
    /// as in [`crate::sample::Sample`].
    pub fn new(
        kind: Kind,
        buckets: &[f64],
        objectives: &[(f64, f64)],
        summary: SummarySettings,
    ) -> Self {
        match kind {
            Kind::Counter => Shape::Counter,
            Kind::Gauge => Shape::Gauge,
            Kind::Histogram => Shape::Histogram(BucketLayout::new(buckets)),
            Kind::Summary => Shape::Summary(SummaryPlan::new(objectives, summary)),
        }
    }

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

    /// Whether a sample of its type with these buckets and objectives agrees with
    /// it.
    pub fn agrees(&self, buckets: &[f64], objectives: &[(f64, f64)]) -> bool {
        match self {
            Shape::Counter | Shape::Gauge => true,
            Shape::Histogram(layout) => layout.bounds() == buckets,
            Shape::Summary(plan) => plan.objectives() == objectives,
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
