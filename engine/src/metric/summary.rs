//! Summary: quantiles over a sliding window, sum and count for ever.

use super::Moment;
use super::quantile::{QuantilePlan, Window};
use crate::exposition::{Format, number};

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
    quantiles: QuantilePlan,
    text: Box<[Box<str>]>,
    openmetrics: Box<[Box<str>]>,
}

impl SummaryPlan {
    /// A plan for objectives as in [`crate::sample::Sample::objectives`].
    pub fn new(objectives: &[(f64, f64)], settings: SummarySettings) -> Self {
        let texts = |format| {
            objectives.iter().map(|(quantile, _)| number::label_text(*quantile, format)).collect()
        };
        Self {
            quantiles: QuantilePlan::new(objectives, settings),
            text: texts(Format::Text),
            openmetrics: texts(Format::OpenMetrics),
        }
    }

    /// The (φ, ε) pairs, φ ascending.
    pub fn objectives(&self) -> &[(f64, f64)] {
        self.quantiles.objectives()
    }

    /// The `quantile` label values, in the order of the objectives.
    pub fn quantile_texts(&self, format: Format) -> &[Box<str>] {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        }
    }
}

/// The observations of one series.
#[derive(Debug)]
pub struct Summary {
    sum: f64,
    count: u64,
    /// `None` where there are no objectives.
    window: Option<Window>,
}

impl Summary {
    /// A summary without observations.
    pub fn new(plan: &SummaryPlan, now: Moment) -> Self {
        let has_objectives = !plan.objectives().is_empty();
        let window = has_objectives.then(|| Window::new(&plan.quantiles, now));
        Self { sum: 0.0, count: 0, window }
    }

    /// Takes one finite value in.
    pub fn observe(&mut self, value: f64, plan: &SummaryPlan, now: Moment) {
        self.sum += value;
        self.count += 1;
        if let Some(window) = &mut self.window {
            window.observe(value, &plan.quantiles, now);
        }
    }

    /// Replaces what `out` holds by one value for each objective, in their
    /// order: `NaN` where the window is empty.
    pub fn quantiles(&mut self, plan: &SummaryPlan, now: Moment, out: &mut Vec<f64>) {
        out.clear();
        if let Some(window) = &mut self.window {
            window.push_quantiles(&plan.quantiles, now, out);
        }
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
