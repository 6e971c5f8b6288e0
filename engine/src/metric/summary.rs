//! Summary: quantiles over a sliding window, sum and count for ever.

pub use super::quantile::QuantilePlan;
use super::quantile::Window;
use super::{GREATEST_TOTAL, Unapplied, sum_of};
use crate::record::{Since, StateError, WindowRecord};
use crate::timestamp::Moment;

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
    /// `quantiles::ckms::CKMS` with one ε that meets every objective. Its memory
    /// grows with the observations, and its inserts slow down.
    CkmsBiased,
    /// Targeted-quantile CKMS with sound bounds.
    CkmsTargeted,
}

impl Default for SummarySettings {
    fn default() -> Self {
        Self { max_age_ms: 600_000, age_buckets: 5, estimator: Estimator::CkmsTargeted }
    }
}

/// The observations of one series.
#[derive(Debug, Clone)]
pub struct Summary {
    sum: f64,
    count: u64,
    /// `None` where there are no objectives.
    window: Option<Window>,
}

impl Summary {
    /// A summary without observations.
    pub fn new(plan: &QuantilePlan, now: Moment) -> Self {
        let has_objectives = !plan.objectives().is_empty();
        let window = has_objectives.then(|| Window::new(plan, now));
        Self { sum: 0.0, count: 0, window }
    }

    /// A summary as it was stored; without a window where that has to start empty.
    pub(crate) fn restore(
        sum: f64,
        count: u64,
        window: Option<WindowRecord<'_>>,
        plan: &QuantilePlan,
        since: Since,
    ) -> Result<Self, StateError> {
        let mut summary = Self { sum, count, ..Self::new(plan, since.now) };
        if let (Some(window), Some(record)) = (&mut summary.window, window) {
            *window = Window::from_record(record, plan, since)?;
        }
        Ok(summary)
    }

    /// The observations of the last minutes, where there are objectives.
    pub(crate) fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Takes one finite value in.
    pub fn observe(
        &mut self,
        value: f64,
        plan: &QuantilePlan,
        now: Moment,
    ) -> Result<(), Unapplied> {
        self.observe_all(&[value], plan, now)
    }

    /// Takes finite values in, all of them or none.
    #[inline]
    pub fn observe_all(
        &mut self,
        values: &[f64],
        plan: &QuantilePlan,
        now: Moment,
    ) -> Result<(), Unapplied> {
        self.sum = sum_of(self.sum, values)?;
        self.count += values.len() as u64;
        if let Some(window) = &mut self.window {
            values.iter().for_each(|value| window.observe(*value, plan, now));
        }
        Ok(())
    }

    /// Adds so many observations whose sum is `sum`, or nothing. No quantile has them,
    /// since nobody knows what they were.
    pub fn add(&mut self, count: u64, sum: f64) -> Result<(), Unapplied> {
        let total = self.count.saturating_add(count);
        if total > GREATEST_TOTAL {
            return Err(Unapplied::NonFinite);
        }
        self.sum = sum_of(self.sum, &[sum])?;
        self.count = total;
        Ok(())
    }

    /// Replaces what `out` holds by one value for each objective, in their
    /// order: `NaN` where the window is empty.
    pub fn quantiles(&mut self, plan: &QuantilePlan, now: Moment, out: &mut Vec<f64>) {
        out.clear();
        if let Some(window) = &mut self.window {
            window.push_quantiles(plan, now, out);
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

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTIVES: &[(f64, f64)] = &[(0.0, 0.01), (0.5, 0.05), (1.0, 0.01)];

    fn quantiles(summary: &mut Summary, plan: &QuantilePlan, at: u64) -> Vec<f64> {
        // What is in there must not stay.
        let mut out = vec![-1.0; 7];
        summary.quantiles(plan, Moment(at), &mut out);
        out
    }

    #[test]
    fn sum_and_count_are_for_ever_and_quantiles_are_not() {
        let plan = QuantilePlan::new(OBJECTIVES, SummarySettings::default());
        let mut summary = Summary::new(&plan, Moment(5));
        assert_eq!((summary.sum(), summary.count()), (0.0, 0));
        assert!(quantiles(&mut summary, &plan, 5).iter().all(|value| value.is_nan()));
        for value in [4.0, -1.5, 2.0] {
            summary.observe(value, &plan, Moment(5)).expect("a finite sum");
        }
        assert_eq!(quantiles(&mut summary, &plan, 600_004), [-1.5, 2.0, 4.0]);
        let expired = quantiles(&mut summary, &plan, 600_005);
        assert!(expired.len() == 3 && expired.iter().all(|value| value.is_nan()), "{expired:?}");
        assert_eq!((summary.sum(), summary.count()), (4.5, 3));
        summary.observe(10.0, &plan, Moment(700_000)).expect("a finite sum");
        assert_eq!((summary.sum(), summary.count()), (14.5, 4));
        assert_eq!(quantiles(&mut summary, &plan, 700_000), [10.0; 3]);
    }

    #[test]
    fn without_objectives_there_is_no_window() {
        let plan = QuantilePlan::new(&[], SummarySettings::default());
        let mut summary = Summary::new(&plan, Moment(0));
        for value in 0..1000 {
            summary.observe(f64::from(value), &plan, Moment(0)).expect("a finite sum");
        }
        assert!(summary.window.is_none());
        assert!(quantiles(&mut summary, &plan, 0).is_empty());
        assert_eq!((summary.sum(), summary.count()), (499_500.0, 1000));
    }

    #[test]
    fn targeted_is_the_default() {
        assert_eq!(SummarySettings::default().estimator, Estimator::CkmsTargeted);
    }
}
