//! Several families of one name. A router forwards samples to the home of their metric,
//! which decides about type and layout; until then each stands for itself, so there a
//! name has a family for each type and layout that it came with, and none is refused.

use super::{Catalog, CatalogSettings, Family};
use crate::limits::SeriesLimits;
use crate::metric::Observations;
use crate::sample::Sample;

/// What tells families of one name apart, where there may be several, besides their
/// shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Variant {
    /// As in [`Sample`].
    pub buckets_by_default: bool,
    /// Whether its samples are what producers have counted.
    pub is_counted: bool,
}

impl Catalog {
    /// An empty catalog in which a name may have several families, and which refuses
    /// nothing.
    pub(crate) fn of_variants() -> Self {
        let limits = SeriesLimits {
            max_series: usize::MAX,
            max_series_per_metric: usize::MAX,
            max_series_bytes: usize::MAX,
        };
        Self::with(CatalogSettings { limits, ..CatalogSettings::default() }, true)
    }
}

impl Variant {
    pub(super) fn of(sample: &Sample<'_>) -> Self {
        let is_counted = match sample.observations {
            Observations::One | Observations::Values(_) => false,
            Observations::Counts(_) | Observations::Native(_) => true,
        };
        Self { buckets_by_default: sample.buckets_by_default, is_counted }
    }
}

impl Family {
    pub(crate) fn variant(&self) -> Variant {
        self.variant
    }

    /// Whether its name may be that of others.
    pub(crate) fn is_one_of_several(&self) -> bool {
        self.variant_key.is_some()
    }

    /// Whether it is the one of several that a sample of its name is of.
    pub(crate) fn is_variant_of(&self, sample: &Sample<'_>) -> bool {
        let schema = self.shape.native().map(|plan| plan.schema);
        self.kind() == sample.kind
            && self.variant == Variant::of(sample)
            && schema == sample.schema
            && self.shape.agrees(sample.buckets, sample.objectives)
    }
}

/// What finds the family of a sample where its name does not: no two have the same.
pub(super) fn key(sample: &Sample<'_>) -> Box<str> {
    let Sample { name, kind, schema, buckets, objectives, .. } = sample;
    let Variant { buckets_by_default, is_counted } = Variant::of(sample);
    let schema = schema.map(|schema| schema.number());
    let name = format!("{}:{name}", name.len());
    let kind = kind.as_str();
    format!("{name} {kind} {buckets_by_default} {is_counted} {schema:?} {buckets:?} {objectives:?}")
        .into()
}
