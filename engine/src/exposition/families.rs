//! The families of one exposition, and what they mean for each other's names.
//!
//! A counter loses its `_total` in OpenMetrics' HELP and TYPE, and its *stem*
//! may then be a name that something else in the exposition has. And a name may
//! change hands while the shards answer, so that two families which never lived
//! at the same time meet here.
//!
//! An exposition may be a part of all there is, for a scraper that asks for some
//! names or for a share of the series. What a name is to others is decided for
//! all parts alike: by the catalog too, which has the families that are not in
//! this one.

use crate::catalog::{Catalog, Family};
use crate::format::Format;
use crate::metric::{Kind, reserving};

/// The families that one exposition shows.
#[derive(Debug)]
pub struct Families<'a> {
    shown: Vec<&'a Family>,
    living: &'a Catalog,
}

/// The name and the type that HELP and TYPE give to a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The family's name; in OpenMetrics a counter's without `_total`.
    pub name: &'a str,
    /// The word in the TYPE line.
    pub type_word: &'static str,
}

impl<'a> Families<'a> {
    /// The families of an exposition: sorted by name, one for each name; beside
    /// those that live, of which they may be a part.
    pub fn new(sorted: impl IntoIterator<Item = &'a Family>, living: &'a Catalog) -> Self {
        let shown: Vec<_> = sorted.into_iter().collect();
        debug_assert!(shown.is_sorted_by(|left, right| left.name() < right.name()));
        Self { shown, living }
    }

    /// How `family`, one of these, is announced.
    pub fn heading(&self, family: &'a Family, format: Format) -> Heading<'a> {
        let own = Heading { name: family.name(), type_word: family.kind().as_str() };
        match (format, family.kind()) {
            (Format::OpenMetrics, Kind::Counter) => match stem(family) {
                Some(stem) if self.is_free(stem) => Heading { name: stem, ..own },
                Some(_) | None => Heading { type_word: "unknown", ..own },
            },
            (Format::OpenMetrics, Kind::Gauge | Kind::Histogram | Kind::Summary)
            | (Format::Text, _) => own,
        }
    }

    /// The name of `_created` lines that a counter has and may not show, since it
    /// is no counter to OpenMetrics beside the others.
    pub fn stray_created(&self, family: &Family) -> Option<String> {
        let stem = stem(family).filter(|_| family.kind() == Kind::Counter)?;
        (!self.is_free(stem)).then(|| format!("{stem}_created"))
    }

    /// Whether a newer one of these families prints a name that `family` prints
    /// too. The catalog allows that only after `family` has gone, so what the
    /// shards gave of it is from before.
    pub fn is_displaced(&self, family: &Family) -> bool {
        let newer = |other: &Family| other.uid() > family.uid();
        self.deriving(family.name()).any(newer) || self.derived_from(family).any(newer)
    }

    /// Whether a counter may claim `stem`, hence `stem_created` too.
    fn is_free(&self, stem: &str) -> bool {
        let created = format!("{stem}_created");
        // Were there a histogram or summary that derives `stem_created`, it
        // would be `stem` itself.
        self.kind_of(stem).is_none()
            && !reserving(stem).any(|(base, suffix)| {
                self.kind_of(base).is_some_and(|kind| kind.reserved_suffixes().contains(&suffix))
            })
            && self.kind_of(&created).is_none()
            && self.kind_of(&format!("{created}_total")) != Some(Kind::Counter)
    }

    /// The type of what has this name, here or in another part.
    fn kind_of(&self, name: &str) -> Option<Kind> {
        self.find(name).map(Family::kind).or_else(|| self.living.kind_of(name))
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
        let position = self.shown.binary_search_by(|family| family.name().cmp(name)).ok()?;
        Some(self.shown[position])
    }
}

/// The name of a counter without `_total`, where something is left of it.
pub(super) fn stem(counter: &Family) -> Option<&str> {
    counter.name().strip_suffix("_total").filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::FamilyRef;
    use crate::sample::{Labels, Sample};

    fn claim(catalog: &Catalog, name: &str, kind: Kind) -> FamilyRef {
        let sample = Sample {
            kind,
            name,
            help: "",
            value: 1.0,
            labels: Labels::NONE,
            buckets: &[1.0],
            timestamp: None,
            ttl: None,
            objectives: &[],
        };
        catalog.claim(&sample).expect("a valid family")
    }

    /// Families with rising uids; each is dropped before the next is claimed, so
    /// that none is left in the catalog.
    fn claimed(catalog: &Catalog, families: &[(&str, Kind)]) -> Vec<Arc<Family>> {
        let claimed = families.iter().map(|(name, kind)| claim(catalog, name, *kind));
        claimed.map(|family| family.family().clone()).collect()
    }

    fn sorted<'a>(catalog: &'a Catalog, families: &'a [Arc<Family>]) -> Families<'a> {
        let mut families: Vec<&Family> = families.iter().map(|family| &**family).collect();
        families.sort_by_key(|family| family.name());
        Families::new(families, catalog)
    }

    /// The heading of the first of `families` in OpenMetrics.
    fn check_heading(families: &[(&str, Kind)], name: &str, type_word: &str) {
        let catalog = Catalog::default();
        check_parts(families, name, type_word);
        let families = claimed(&catalog, families);
        let shown = sorted(&catalog, &families);
        let openmetrics = shown.heading(&families[0], Format::OpenMetrics);
        assert_eq!((openmetrics.name, openmetrics.type_word), (name, type_word), "{shown:?}");
        let text = shown.heading(&families[0], Format::Text);
        let own = (families[0].name(), families[0].kind().as_str());
        assert_eq!((text.name, text.type_word), own, "{shown:?}");
    }

    /// The same, where it is the only one in a part of the exposition and the
    /// others live.
    fn check_parts(families: &[(&str, Kind)], name: &str, type_word: &str) {
        let catalog = Catalog::default();
        let first = claimed(&catalog, &families[..1]);
        let others = families[1..].iter().map(|(name, kind)| claim(&catalog, name, *kind));
        let _living: Vec<FamilyRef> = others.collect();
        let shown = sorted(&catalog, &first);
        let heading = shown.heading(&first[0], Format::OpenMetrics);
        assert_eq!((heading.name, heading.type_word), (name, type_word), "{families:?}");
        let is_stray = type_word == "unknown" && families[0].0.len() > "_total".len();
        let stray = shown.stray_created(&first[0]);
        assert_eq!(stray.is_some(), is_stray && families[0].0.ends_with("_total"), "{families:?}");
    }

    /// Which of `families`, given from old to new, are displaced.
    fn check_displaced(families: &[(&str, Kind)], expected: &[&str]) {
        let catalog = Catalog::default();
        let families = claimed(&catalog, families);
        let found = sorted(&catalog, &families);
        let displaced = families.iter().filter(|family| found.is_displaced(family));
        let names: Vec<&str> = displaced.map(|family| family.name()).collect();
        assert_eq!(names, expected, "{found:?}");
    }

    #[test]
    fn a_counter_loses_total_where_its_stem_is_free() {
        use Kind::*;
        check_heading(&[("x_total", Counter)], "x", "counter");
        check_heading(&[("x_total", Counter), ("y", Gauge)], "x", "counter");
        check_heading(&[("x_total_total", Counter)], "x_total", "counter");
        check_heading(&[("x_count_total", Counter), ("x", Gauge)], "x_count", "counter");
        check_heading(&[("x_total", Counter), ("x_created_total", Gauge)], "x", "counter");
        check_heading(&[("x_total", Counter), ("x_total_total", Counter)], "x", "counter");

        check_heading(&[("x", Counter)], "x", "unknown");
        check_heading(&[("_total", Counter)], "_total", "unknown");
        check_heading(&[("x_total", Counter), ("x", Gauge)], "x_total", "unknown");
        check_heading(&[("x_total", Counter), ("x", Counter)], "x_total", "unknown");
        check_heading(
            &[("x_total_total", Counter), ("x_total", Counter)],
            "x_total_total",
            "unknown",
        );
        check_heading(&[("x_total", Counter), ("x_created", Gauge)], "x_total", "unknown");
        check_heading(&[("x_total", Counter), ("x_created_total", Counter)], "x_total", "unknown");
        check_heading(
            &[("x_created_total", Counter), ("x_total", Counter)],
            "x_created",
            "counter",
        );
        for derived in ["x_count_total", "x_sum_total", "x_bucket_total", "x_created_total"] {
            check_heading(&[(derived, Counter), ("x", Histogram)], derived, "unknown");
            check_heading(&[(derived, Counter), ("x", Summary)], derived, "unknown");
        }
    }

    #[test]
    fn other_types_keep_their_names() {
        check_heading(&[("x_total", Kind::Gauge)], "x_total", "gauge");
        check_heading(&[("x_total", Kind::Histogram)], "x_total", "histogram");
        check_heading(&[("x_total", Kind::Summary), ("x", Kind::Gauge)], "x_total", "summary");
    }

    #[test]
    fn the_newer_of_two_that_print_a_name_stays() {
        use Kind::*;
        check_displaced(&[("x", Histogram), ("y_count", Gauge)], &[]);
        check_displaced(&[("x", Gauge), ("x_count", Gauge)], &[]);
        check_displaced(&[("x", Histogram), ("x_count", Gauge)], &["x"]);
        check_displaced(&[("x_bucket", Gauge), ("x", Histogram)], &["x_bucket"]);
        check_displaced(&[("x", Summary), ("x_sum", Summary)], &["x"]);
        check_displaced(
            &[("x_created", Counter), ("x_sum", Gauge), ("x", Summary)],
            &["x_created", "x_sum"],
        );
        check_displaced(
            &[("x", Summary), ("x_sum", Summary), ("x_sum_sum", Gauge)],
            &["x", "x_sum"],
        );
    }
}
