//! Quantile estimators behind one narrow seam.
//!
//! A [`Window`] holds the observations of the last minutes. Few of them it
//! keeps as they came, and answers exactly; many go into a [`Sketch`] for each
//! age bucket, which condenses them within the objectives' rank errors. Which
//! kind of sketch that is, and how exact it has to be, says the [`QuantilePlan`].

mod biased;
mod targeted;
#[cfg(test)]
mod tests;
mod window;

#[cfg(test)]
use window::EXACT;
pub use window::Window;

use super::summary::{Estimator, SummarySettings};
use crate::record::{SketchRecord, StateError, WindowSettings};
use biased::BiasedSketch;
use targeted::{GapRule, TargetedSketch};

/// What the summaries of one family have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantilePlan {
    /// (φ, ε), φ ascending.
    objectives: Box<[(f64, f64)]>,
    settings: SummarySettings,
    /// Relative rank error of a biased sketch; `None` where no objective
    /// needs one, since minimum and maximum suffice.
    biased_error: Option<f64>,
    /// What bounds the gaps of a targeted sketch.
    targets: Box<[GapRule]>,
}

impl QuantilePlan {
    /// A plan that meets every (φ, ε) of `objectives`, φ ascending.
    pub fn new(objectives: &[(f64, f64)], settings: SummarySettings) -> Self {
        Self {
            objectives: objectives.into(),
            settings,
            biased_error: biased::relative_error(objectives),
            targets: targeted::targets(objectives),
        }
    }

    /// The (φ, ε) pairs, φ ascending.
    pub fn objectives(&self) -> &[(f64, f64)] {
        &self.objectives
    }

    /// How windows are cut, as it is stored with them.
    pub(crate) fn window_settings(&self) -> WindowSettings {
        let targeted = match self.settings.estimator {
            Estimator::CkmsBiased => false,
            Estimator::CkmsTargeted => true,
        };
        WindowSettings { slot_ms: self.slot_ms(), slots: self.slots(), targeted }
    }

    /// How long one age bucket is the current one, in milliseconds.
    fn slot_ms(&self) -> u64 {
        (self.settings.max_age_ms / u64::from(self.settings.age_buckets.max(1))).max(1)
    }

    /// How many slots an age bucket is read for.
    fn slots(&self) -> u64 {
        u64::from(self.settings.age_buckets.max(1))
    }
}

/// The condensed observations of one age bucket. Empty ones allocate nothing.
#[derive(Debug, Clone)]
enum Sketch {
    Biased(BiasedSketch),
    Targeted(TargetedSketch),
}

impl Sketch {
    fn new(plan: &QuantilePlan) -> Self {
        match plan.settings.estimator {
            Estimator::CkmsBiased => Sketch::Biased(BiasedSketch::default()),
            Estimator::CkmsTargeted => Sketch::Targeted(TargetedSketch::default()),
        }
    }

    /// What is stored of it; nothing of a biased one, whose crate keeps what it
    /// holds to itself.
    fn record(&self) -> Option<SketchRecord<'_>> {
        match self {
            Sketch::Biased(_) => None,
            Sketch::Targeted(sketch) => Some(sketch.record()),
        }
    }

    fn from_record(record: SketchRecord<'_>) -> Result<Self, StateError> {
        match record {
            SketchRecord::Targeted { count, tuples } => {
                TargetedSketch::from_record(count, &tuples).map(Sketch::Targeted)
            }
            SketchRecord::Biased { .. } => {
                Err(StateError::malformed("a sketch of another estimator"))
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Sketch::Biased(sketch) => sketch.is_empty(),
            Sketch::Targeted(sketch) => sketch.is_empty(),
        }
    }

    /// Bytes on the heap; of a biased one, which can't tell, none.
    #[cfg(test)]
    fn allocated_bytes(&self) -> usize {
        match self {
            Sketch::Biased(_) => 0,
            Sketch::Targeted(sketch) => sketch.allocated_bytes(),
        }
    }

    /// Pushes an answer for each objective, from what it holds and from
    /// `sorted` values besides; a biased one has to hold all.
    fn push_quantiles(&self, sorted: &[f64], plan: &QuantilePlan, out: &mut Vec<f64>) {
        match self {
            Sketch::Biased(sketch) => sketch.push_quantiles(plan, out),
            Sketch::Targeted(sketch) => sketch.push_quantiles(sorted, plan, out),
        }
    }

    /// Takes finite values in, which are in ascending order.
    fn insert_sorted(&mut self, sorted: &[f64], plan: &QuantilePlan) {
        match self {
            Sketch::Biased(sketch) => sketch.insert(sorted, plan.biased_error),
            Sketch::Targeted(sketch) => sketch.insert(sorted, &plan.targets),
        }
    }
}

/// The rank that answers φ among `count` values: ⌈φ·count⌉, at least 1.
///
/// A product that rounding put a hair above a whole number counts as that
/// number, so that 0.07 of 100 values is the 7th (0.07 × 100 is
/// 7.000000000000001 in `f64`).
fn rank_of(quantile: f64, count: u64) -> u64 {
    let product = quantile * count as f64;
    let whole = product.round();
    let is_whole = (product - whole).abs() <= 4.0 * f64::EPSILON * product;
    let rank = if is_whole { whole } else { product.ceil() };
    (rank as u64).clamp(1, count.max(1))
}

/// Pushes the exact answer for each objective.
fn push_exact(sorted: &[f64], plan: &QuantilePlan, out: &mut Vec<f64>) {
    let answer = |(quantile, _): &(f64, f64)| {
        let rank = rank_of(*quantile, sorted.len() as u64);
        sorted.get(rank as usize - 1).copied().unwrap_or(f64::NAN)
    };
    out.extend(plan.objectives.iter().map(answer));
}
