//! The families of one exposition, and whether they fit together.
//!
//! A name may change hands while the shards answer, so that two families which
//! never lived at the same time meet here.

use std::borrow::Cow;

use crate::catalog::Family;
use crate::metric::{Kind, reserving};

/// Every name under which some format shows the family or a line of its series.
pub(crate) fn shown_names(family: &Family) -> impl Iterator<Item = Cow<'_, str>> {
    let (name, suffixes) = (family.name(), family.kind().suffixes());
    let with = |name: &str, suffix: &str| Cow::Owned(format!("{name}{suffix}"));
    let stem = counter_stem(family);
    [Cow::Borrowed(name)]
        .into_iter()
        .chain(suffixes.iter().map(move |suffix| with(name, suffix)))
        .chain(stem.into_iter().flat_map(move |stem| [stem.into(), with(stem, "_created")]))
}

/// The name of a counter without `_total`, where it has that and something else.
/// OpenMetrics calls the family so.
pub(super) fn counter_stem(family: &Family) -> Option<&str> {
    let stem = family.kind().stem(family.name());
    (stem != family.name()).then_some(stem)
}

/// A family of an exposition.
#[derive(Debug, Clone, Copy)]
pub struct ShownFamily<'a> {
    /// The family itself.
    pub family: &'a Family,
    /// See [`Fragment::is_typed`](super::Fragment::is_typed).
    pub is_typed: bool,
    /// How many bytes its series are.
    pub bytes: usize,
}

/// The families of an exposition.
#[derive(Debug)]
pub struct Families<'a> {
    /// Sorted by name, one for each name.
    shown: Vec<ShownFamily<'a>>,
}

impl<'a> Families<'a> {
    /// Families that are sorted by name, one for each name.
    pub fn new(sorted: Vec<ShownFamily<'a>>) -> Self {
        debug_assert!(sorted.is_sorted_by(|left, right| left.family.name() < right.family.name()));
        Self { shown: sorted }
    }

    /// The families in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &ShownFamily<'a>> {
        self.shown.iter()
    }

    /// The type of the one that is called so.
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        self.find(name).map(Family::kind)
    }

    /// Whether a newer one of these families prints a name that `family` prints
    /// too. The catalog allows that only after `family` has gone, so what the
    /// shards gave of it is from before.
    pub fn is_displaced(&self, family: &Family) -> bool {
        let newer = |other: &Family| other.uid() > family.uid();
        self.deriving(family.name()).any(newer) || self.derived_from(family).any(newer)
    }

    /// The families that print `name` besides their own.
    fn deriving(&self, name: &str) -> impl Iterator<Item = &'a Family> {
        reserving(name).filter_map(|(base, suffix)| {
            let family = self.find(base)?;
            family.kind().reserved_suffixes().contains(&suffix).then_some(family)
        })
    }

    /// The families whose own name is one that `family` prints besides its own.
    fn derived_from(&self, family: &Family) -> impl Iterator<Item = &'a Family> {
        let (name, suffixes) = (family.name(), family.kind().reserved_suffixes());
        suffixes.iter().filter_map(move |suffix| self.find(&format!("{name}{suffix}")))
    }

    fn find(&self, name: &str) -> Option<&'a Family> {
        let position = self.shown.binary_search_by(|shown| shown.family.name().cmp(name)).ok()?;
        Some(self.shown[position].family)
    }
}
