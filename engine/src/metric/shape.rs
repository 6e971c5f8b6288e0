//! What the series of a family have in common besides their name: the type, and
//! the buckets or objectives that its first sample came with.

use super::Kind;
use super::histogram::BucketLayout;
use super::native::{Buckets, NativeHistogram, NativePlan, Schema};
use super::summary::{QuantilePlan, SummarySettings};

/// What a bucket or an objective is charged in a family.
const BYTES_PER_BOUND: usize = 64;

/// What the series of a family are made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A number that rises.
    Counter,
    /// A number that is set, or added to.
    Gauge,
    /// Counts for these buckets.
    Histogram(BucketLayout),
    /// Quantiles for these objectives.
    Summary(QuantilePlan),
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
            Kind::Summary => Shape::Summary(QuantilePlan::new(objectives, summary)),
        }
    }

    /// The same, of histograms that are native by this plan, if there is one.
    #[must_use]
    pub fn with_native(self, plan: Option<NativePlan>) -> Self {
        match self {
            Shape::Histogram(layout) => Shape::Histogram(layout.with_native(plan)),
            Shape::Counter | Shape::Gauge | Shape::Summary(_) => self,
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
        self.bounds().is_none_or(|own| own == buckets)
            && self.objectives().is_none_or(|own| own == objectives)
    }

    /// Whether its series are as fine as a sample asks for, if it does.
    pub fn is_as_fine_as(&self, asked: Option<Schema>) -> bool {
        asked.is_none_or(|asked| self.native().is_some_and(|plan| plan.schema == asked))
    }

    /// The bucket whose exemplar one of `value` is, and the only one of a counter; `None`
    /// where there are no exemplars.
    pub(crate) fn bucket_of(&self, value: f64) -> Option<u32> {
        match self {
            Shape::Counter => Some(0),
            Shape::Histogram(layout) => Some(layout.exemplar_place(value)),
            Shape::Gauge | Shape::Summary(_) => None,
        }
    }

    /// About how many bytes a family keeps for it.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.bounds().map_or(0, <[_]>::len) + self.objectives().map_or(0, <[_]>::len);
        numbers * BYTES_PER_BOUND
    }

    /// How many bytes the counts of a series take beside its labels; of a native one
    /// as many as they may come to take.
    pub(crate) fn bytes_of_counts(&self) -> usize {
        let classic = self.bounds().map_or(0, |bounds| (bounds.len() + 1) * size_of::<u64>());
        let of_native = |plan: &NativePlan| {
            size_of::<NativeHistogram>() + plan.most_buckets() * Buckets::BYTES_OF_ONE
        };
        classic + self.native().map_or(0, of_native)
    }

    /// How its series are native, if they are.
    pub fn native(&self) -> Option<&NativePlan> {
        match self {
            Shape::Histogram(layout) => layout.native(),
            Shape::Counter | Shape::Gauge | Shape::Summary(_) => None,
        }
    }

    /// The finite upper bounds of buckets, where it has some.
    pub fn bounds(&self) -> Option<&[f64]> {
        match self {
            Shape::Histogram(layout) => Some(layout.bounds()),
            Shape::Counter | Shape::Gauge | Shape::Summary(_) => None,
        }
    }

    /// The (φ, ε) pairs, where it has some.
    pub fn objectives(&self) -> Option<&[(f64, f64)]> {
        match self {
            Shape::Summary(plan) => Some(plan.objectives()),
            Shape::Counter | Shape::Gauge | Shape::Histogram(_) => None,
        }
    }
}
