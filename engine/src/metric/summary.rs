//! Summary: quantiles over a sliding window, sum and count for ever.

use super::Moment;

/// Window and estimator, the same for every summary of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummarySettings {
    /// Length of the window in milliseconds; at least 1.
    pub max_age_ms: u64,
    /// Age buckets that the window is cut into; at least 1.
    pub age_buckets: u32,
    /// How quantiles are estimated.
    pub estimator: Estimator,
}

/// How quantiles are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// `quantiles::ckms::CKMS` with one ε that meets every objective.
    CkmsBiased,
    /// Targeted-quantile CKMS (PODS 2006).
    CkmsTargeted,
}

impl Default for SummarySettings {
    fn default() -> Self {
        Self { max_age_ms: 600_000, age_buckets: 5, estimator: Estimator::CkmsBiased }
    }
}

/// What the summaries of one family have in common.
#[derive(Debug, PartialEq)]
pub struct SummaryPlan {
    /// (φ, ε), φ ascending.
    objectives: Box<[(f64, f64)]>,
    settings: SummarySettings,
}

impl SummaryPlan {
    /// A plan for objectives as in [`crate::sample::Sample::objectives`].
    pub fn new(objectives: &[(f64, f64)], settings: SummarySettings) -> Self {
        Self { objectives: objectives.into(), settings }
    }

    /// The (φ, ε) pairs, φ ascending.
    pub fn objectives(&self) -> &[(f64, f64)] {
        &self.objectives
    }
}

/// The observations of one series.
#[derive(Debug)]
pub struct Summary {
    sum: f64,
    count: u64,
}

impl Summary {
    /// A summary without observations.
    pub fn new(_plan: &SummaryPlan, _now: Moment) -> Self {
        Self { sum: 0.0, count: 0 }
    }

    /// Takes one finite value in.
    pub fn observe(&mut self, value: f64, _plan: &SummaryPlan, _now: Moment) {
        self.sum += value;
        self.count += 1;
    }

    /// The sum of all observations.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The number of all observations.
    pub fn count(&self) -> u64 {
        self.count
    }
}
