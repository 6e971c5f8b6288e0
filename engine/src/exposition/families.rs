//! The families of one exposition, and whether they fit together.
//!
//! A name may change hands while the shards answer, so that two families which
//! never lived at the same time meet here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::catalog::Family;
use crate::metric::{Kind, reserving};

/// Every name under which some format shows the family or a line of its series: its
/// own ones, and those that scrapers of legacy names see where these are others.
pub(crate) fn shown_names(family: &Family) -> impl Iterator<Item = Cow<'_, str>> {
    let with = |name: &str, suffix: &str| Cow::Owned(format!("{name}{suffix}"));
    let names =
        [(family.name(), counter_stem(family)), (family.printed_name(), printed_stem(family))];
    let is_escaped = family.printed_name() != family.name();
    names.into_iter().take(1 + usize::from(is_escaped)).flat_map(move |(name, stem)| {
        let derived = family.kind().suffixes().iter().map(move |suffix| with(name, suffix));
        let of_stem = stem.into_iter().flat_map(move |stem| [stem.into(), with(stem, "_created")]);
        std::iter::once(Cow::Borrowed(name)).chain(derived).chain(of_stem)
    })
}

/// The name of a counter without `_total`, where it has that and something else.
/// OpenMetrics calls the family so.
pub(super) fn counter_stem(family: &Family) -> Option<&str> {
    let stem = family.kind().stem(family.name());
    (stem != family.name()).then_some(stem)
}

/// The same as scrapers of legacy names see it.
pub(super) fn printed_stem(family: &Family) -> Option<&str> {
    counter_stem(family).and_then(|_| family.printed_name().strip_suffix("_total"))
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

/// The families of an exposition. Asked for is by the names that scrapers of legacy
/// names see, which tell what collides, see [`escaping`](crate::name::escaping).
#[derive(Debug)]
pub struct Families<'a> {
    /// Sorted by name, one for each name.
    shown: Vec<ShownFamily<'a>>,
    /// Those whose names are escaped, by the escaped ones.
    escaped: BTreeMap<&'a str, Vec<&'a Family>>,
}

impl<'a> Families<'a> {
    /// Families that are sorted by name, one for each name.
    pub fn new(sorted: Vec<ShownFamily<'a>>) -> Self {
        debug_assert!(sorted.is_sorted_by(|left, right| left.family.name() < right.family.name()));
        let mut escaped: BTreeMap<&str, Vec<&Family>> = BTreeMap::new();
        for ShownFamily { family, .. } in &sorted {
            if family.printed_name() != family.name() {
                escaped.entry(family.printed_name()).or_default().push(family);
            }
        }
        Self { shown: sorted, escaped }
    }

    /// The families in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &ShownFamily<'a>> {
        self.shown.iter()
    }

    /// The type of the one that is printed so.
    pub fn kind_of(&self, printed: &str) -> Option<Kind> {
        self.find(printed).next().map(Family::kind)
    }

    /// Whether a newer one of these families prints a name that `family` prints
    /// too. The catalog allows that only after `family` has gone, so what the
    /// shards gave of it is from before.
    pub fn is_displaced(&self, family: &Family) -> bool {
        let newer = |other: &Family| other.uid() > family.uid();
        self.find(family.printed_name()).any(newer)
            || self.deriving(family.printed_name()).any(newer)
            || self.derived_from(family).any(newer)
    }

    /// The families that print `name` besides their own.
    fn deriving(&self, name: &str) -> impl Iterator<Item = &'a Family> {
        reserving(name).flat_map(|(base, suffix)| {
            let derives = |family: &&Family| family.kind().reserved_suffixes().contains(&suffix);
            self.find(base).filter(derives).collect::<Vec<_>>()
        })
    }

    /// The families whose own name is one that `family` prints besides its own.
    fn derived_from(&self, family: &Family) -> impl Iterator<Item = &'a Family> {
        let (name, suffixes) = (family.printed_name(), family.kind().reserved_suffixes());
        suffixes
            .iter()
            .flat_map(move |suffix| self.find(&format!("{name}{suffix}")).collect::<Vec<_>>())
    }

    /// The families whose own name is printed so; there may be several of which only
    /// one lives.
    fn find(&self, printed: &str) -> impl Iterator<Item = &'a Family> {
        let position = self.shown.binary_search_by(|shown| shown.family.name().cmp(printed)).ok();
        let legacy = position.map(|position| self.shown[position].family);
        // A name that is escaped is called so by nobody.
        let legacy = legacy.filter(|family| family.printed_name() == family.name());
        let escaped = self.escaped.get(printed).into_iter().flatten().copied();
        legacy.into_iter().chain(escaped)
    }
}
