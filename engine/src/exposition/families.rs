//! The families of one exposition, and what they mean for each other's names.
//!
//! A counter loses its `_total` in OpenMetrics' HELP and TYPE, and its *stem*
//! may then be a name that something else in the exposition has. And a name may
//! change hands while the shards answer, so that two families which never lived
//! at the same time meet here.

use crate::catalog::{DERIVED, Family};
use crate::format::Format;
use crate::sample::Kind;

/// The families that one exposition shows.
#[derive(Debug)]
pub struct Families<'a>(Vec<&'a Family>);

/// The name and the type that HELP and TYPE give to a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The family's name; in OpenMetrics a counter's without `_total`.
    pub name: &'a str,
    /// The word in the TYPE line.
    pub type_word: &'static str,
}

impl<'a> Families<'a> {
    /// The families of an exposition: sorted by name, one for each name.
    pub fn new(sorted: impl IntoIterator<Item = &'a Family>) -> Self {
        let families: Vec<_> = sorted.into_iter().collect();
        debug_assert!(families.is_sorted_by(|left, right| left.name() < right.name()));
        Self(families)
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
        self.deriving(family.name()).any(newer)
            || (derives(family) && self.derived_from(family.name()).any(newer))
    }

    /// Whether a counter may claim `stem`, hence `stem_created` too.
    fn is_free(&self, stem: &str) -> bool {
        let created = format!("{stem}_created");
        // Were there a histogram or summary that derives `stem_created`, it
        // would be `stem` itself.
        self.find(stem).is_none()
            && self.deriving(stem).next().is_none()
            && self.find(&created).is_none()
            && !self.is_stem(&created)
    }

    /// Whether a counter here has `name` as its stem.
    fn is_stem(&self, name: &str) -> bool {
        self.find(&format!("{name}_total")).is_some_and(|family| family.kind() == Kind::Counter)
    }

    /// The families that print `name` besides their own.
    fn deriving(&self, name: &str) -> impl Iterator<Item = &'a Family> {
        let bases = DERIVED.iter().filter_map(move |ending| name.strip_suffix(ending));
        bases.filter_map(|base| self.find(base)).filter(|family| derives(family))
    }

    /// The families whose own name is one that a histogram or summary `name` prints.
    fn derived_from(&self, name: &str) -> impl Iterator<Item = &'a Family> {
        DERIVED.iter().filter_map(move |ending| self.find(&format!("{name}{ending}")))
    }

    fn find(&self, name: &str) -> Option<&'a Family> {
        let position = self.0.binary_search_by(|family| family.name().cmp(name)).ok()?;
        Some(self.0[position])
    }
}

/// The name of a counter without `_total`, where something is left of it.
pub(super) fn stem(counter: &Family) -> Option<&str> {
    counter.name().strip_suffix("_total").filter(|stem| !stem.is_empty())
}

/// Whether `family` prints names besides its own.
fn derives(family: &Family) -> bool {
    match family.kind() {
        Kind::Counter | Kind::Gauge => false,
        Kind::Histogram | Kind::Summary => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Catalog;
    use crate::limits::SeriesLimits;
    use crate::metric::summary::SummarySettings;
    use crate::sample::{Labels, Sample};

    /// Families with rising uids; each is dropped before the next is claimed.
    fn claimed(families: &[(&str, Kind)]) -> Vec<Arc<Family>> {
        let catalog = Catalog::new(SeriesLimits::default(), SummarySettings::default());
        let claim = |(name, kind): &(&str, Kind)| {
            let sample = Sample {
                kind: *kind,
                name,
                help: "",
                value: 1.0,
                value_at: None,
                labels: Labels::NONE,
                buckets: &[1.0],
                timestamp: None,
                ttl: None,
                objectives: &[],
            };
            catalog.claim(&sample).expect("a valid family").family().clone()
        };
        families.iter().map(claim).collect()
    }

    fn sorted(families: &[Arc<Family>]) -> Families<'_> {
        let mut families: Vec<&Family> = families.iter().map(|family| &**family).collect();
        families.sort_by_key(|family| family.name());
        Families::new(families)
    }

    /// The heading of the first of `families` in OpenMetrics.
    fn check_heading(families: &[(&str, Kind)], name: &str, type_word: &str) {
        let families = claimed(families);
        let shown = sorted(&families);
        let openmetrics = shown.heading(&families[0], Format::OpenMetrics);
        assert_eq!((openmetrics.name, openmetrics.type_word), (name, type_word), "{shown:?}");
        let text = shown.heading(&families[0], Format::Text);
        let own = (families[0].name(), families[0].kind().as_str());
        assert_eq!((text.name, text.type_word), own, "{shown:?}");
    }

    /// Which of `families`, given from old to new, are displaced.
    fn check_displaced(families: &[(&str, Kind)], expected: &[&str]) {
        let families = claimed(families);
        let found = sorted(&families);
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
