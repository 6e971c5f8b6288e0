//! `ckms-biased`: the `quantiles` crate's CKMS.
//!
//! It implements the full-biased invariant of Cormode, Korn, Muthukrishnan,
//! Srivastava, "Effective Computation of Biased Quantiles over Data Streams",
//! ICDE 2005: the rank error at φ is ε·φ·n, so one ε = min(εᵢ/φᵢ) meets every
//! objective. Two of its sketches can't be merged (`+=` forgets weights), and
//! it keeps neither minimum nor maximum exactly, so both are kept beside it.
//!
//! The crate counts ranks in entries, block by block, and so understates the
//! uncertainty of what it inserts below an entry that stands for others: up to
//! 2ε'·r, which adds to the ε'·r of its query. Extremes first, then the rest in
//! ascending order, showed errors of 1.7 ε'. It gets a third of ε therefore.
//!
//! It is not stored, since the crate keeps its fields to itself: such windows
//! start empty when a gateway starts.

use quantiles::ckms::CKMS;

use super::{QuantilePlan, rank_of};

/// Of an objective's relative error, what the sketch is told to keep to.
const SAFE_SHARE: f64 = 1.0 / 3.0;

/// The one ε with which a sketch meets every objective; `None` where each φ is
/// 0 or 1.
pub fn relative_error(objectives: &[(f64, f64)]) -> Option<f64> {
    let inner = objectives.iter().filter(|(quantile, _)| *quantile > 0.0 && *quantile < 1.0);
    let tightest = inner.map(|(quantile, error)| error / quantile).reduce(f64::min);
    tightest.map(|error| error * SAFE_SHARE)
}

/// A CKMS, made at the first value since it reserves 32 KB.
#[derive(Debug, Clone, Default)]
pub struct BiasedSketch {
    extremes: Option<(f64, f64)>,
    ckms: Option<Box<CKMS<f64>>>,
}

impl BiasedSketch {
    pub fn is_empty(&self) -> bool {
        self.extremes.is_none()
    }

    /// Takes finite values in, which are in ascending order.
    pub fn insert(&mut self, sorted: &[f64], relative_error: Option<f64>) {
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return };
        let (minimum, maximum) = self.extremes.unwrap_or((*first, *last));
        self.extremes = Some((minimum.min(*first), maximum.max(*last)));
        let Some(relative_error) = relative_error else { return };
        let ckms = self.ckms.get_or_insert_with(|| Box::new(CKMS::new(relative_error)));
        sorted.iter().for_each(|value| ckms.insert(*value));
    }

    /// Pushes an answer for each objective.
    pub fn push_quantiles(&self, plan: &QuantilePlan, out: &mut Vec<f64>) {
        out.extend(plan.objectives.iter().map(|(quantile, _)| self.quantile(*quantile)));
    }

    fn quantile(&self, quantile: f64) -> f64 {
        let Some((minimum, maximum)) = self.extremes else { return f64::NAN };
        if quantile <= 0.0 {
            return minimum;
        }
        if quantile >= 1.0 {
            return maximum;
        }
        // Asked for φ itself, it answers one rank low where n is small.
        let answer = self.ckms.as_ref().and_then(|ckms| {
            let count = ckms.count() as u64;
            ckms.query(rank_of(quantile, count) as f64 / count as f64)
        });
        answer.map_or(f64::NAN, |(_, value)| value)
    }
}
