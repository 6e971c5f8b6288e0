//! What the fields that few samples have come to: a unit, an op, and what was observed
//! where that is not one value.

use super::observed::{Observed, check_factor, check_op};
use super::{Rules, unit};
use crate::metric::{GaugeOp, Kind};
use crate::reject::Reject;

/// The fields that few samples have, of one that has any of them, as an encoding has
/// read them.
#[derive(Debug, Clone, Copy)]
pub struct RawRare<'a> {
    /// Empty where absent.
    pub unit: &'a str,
    pub op: Option<&'a str>,
    /// How many were sent, where the list was there; see
    /// [`RawSample`](super::RawSample).
    pub values_sent: Option<usize>,
    pub counts_sent: Option<usize>,
    /// Of what the counts count.
    pub sum: Option<f64>,
    /// How much wider each bucket may be than the one before it.
    pub factor: Option<f64>,
    /// Whether one was sent, which is in the lists then.
    pub has_exemplar: bool,
    /// As for an exemplar.
    pub has_native: bool,
}

/// What these fields come to, together with the value.
pub struct Said {
    /// Whether the name got its unit.
    pub is_named: bool,
    pub op: GaugeOp,
    pub observed: Observed,
}

impl Said {
    /// What a sample says that has none of these fields.
    #[inline(always)]
    pub fn by_value(value: Option<f64>) -> Self {
        let observed = Observed::Value(value.unwrap_or(0.0));
        Self { is_named: false, op: GaugeOp::Set, observed }
    }

    /// What a sample of that name and type says; `named` gets the name with its unit,
    /// where that is appended.
    #[inline(never)]
    pub fn by_rare(
        rare: &RawRare<'_>,
        value: Option<f64>,
        (name, kind): (&str, Kind),
        named: &mut String,
        rules: &Rules,
    ) -> Result<Self, Reject> {
        let RawRare { unit, op, sum, factor, .. } = *rare;
        let is_named = !unit.is_empty() && unit::name_with(named, name, unit, kind, rules)?;
        let op = check_op(op, kind)?;
        let lists_sent = (rare.values_sent, rare.counts_sent, rare.has_native);
        let observed = Observed::of(value, lists_sent, sum, kind)?;
        check_factor(factor, observed, kind)?;
        Ok(Self { is_named, op, observed })
    }
}
