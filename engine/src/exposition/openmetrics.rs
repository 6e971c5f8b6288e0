//! OpenMetrics, 1.0.0, in its text form.
//!
//! A counter loses its `_total` in HELP and TYPE, and its *stem* may then be a
//! name that another family has. Where it is, the counter is announced by its own
//! name, as `unknown`, and can't say when its totals began: OpenMetrics has no
//! `_created` for that type.
//!
//! Each shard decides that by the families that live when it comes to the
//! counter. Where one says `_created`, the counter is announced as a counter, and
//! what has come to claim its stem meanwhile is left out of this exposition.

use super::encoder::{Encoder, ShownSeries};
use super::families::{Families, ShownFamily, counter_stem};
use super::lines::{Dialect, LineWriter, write_header};
use super::number::Notation;
use crate::catalog::{Catalog, Family};
use crate::labels::escape;
use crate::metric::{Kind, reserving};

/// No sum, bound or quantile may be negative, and the reference parser refuses
/// all of a page for one.
const DIALECT: Dialect = Dialect { notation: Notation::Pointed, takes_negative: false };

/// One exposition in OpenMetrics.
#[derive(Debug)]
pub(super) struct OpenMetricsEncoder {
    lines: LineWriter,
    living: Catalog,
    created: CreatedLines,
}

/// Whether the family that is being written has `_created` lines.
#[derive(Debug)]
enum CreatedLines {
    /// Nobody has asked for one yet.
    Undecided,
    /// It may not have any, see the top of this file.
    Without,
    /// Each of them begins with this name.
    Named(String),
}

impl OpenMetricsEncoder {
    pub fn new(living: Catalog) -> Self {
        Self { lines: LineWriter::new(DIALECT), living, created: CreatedLines::Undecided }
    }

    fn decide_created(&self, family: &Family) -> CreatedLines {
        let name = if family.kind().drops_total() {
            counter_stem(family)
                .filter(|stem| claimants(stem, |name| self.living.kind_of(name)).is_empty())
        } else {
            family.kind().suffixes().contains(&"_created").then_some(family.name())
        };
        name.map_or(CreatedLines::Without, |name| CreatedLines::Named(name.to_owned()))
    }

    /// The name and the type that HELP and TYPE give to a family.
    fn heading<'a>(
        &self,
        shown: &ShownFamily<'a>,
        among: &Families<'_>,
    ) -> (&'a str, &'static str) {
        let own = (shown.family.name(), shown.family.kind().as_str());
        if !shown.family.kind().drops_total() {
            return own;
        }
        // Families that are in another part of the exposition count too.
        let kind_of = |name: &str| among.kind_of(name).or_else(|| self.living.kind_of(name));
        match counter_stem(shown.family) {
            Some(stem) if shown.has_created || claimants(stem, kind_of).is_empty() => (stem, own.1),
            Some(_) | None => (own.0, "unknown"),
        }
    }
}

impl Encoder for OpenMetricsEncoder {
    fn shows_created(&self) -> bool {
        true
    }

    fn begin_family(&mut self) {
        self.created = CreatedLines::Undecided;
    }

    fn write_series(
        &mut self,
        out: &mut Vec<u8>,
        family: &Family,
        series: ShownSeries<'_>,
    ) -> bool {
        let (labels, created) = (series.labels, series.created);
        self.lines.write(out, family, series);
        let Some(created) = created else { return false };
        if let CreatedLines::Undecided = self.created {
            self.created = self.decide_created(family);
        }
        let CreatedLines::Named(name) = &self.created else { return false };
        self.lines.write_line(out, name, "_created", labels, created.seconds());
        true
    }

    fn write_header(&self, out: &mut Vec<u8>, shown: &ShownFamily<'_>, among: &Families<'_>) {
        let (name, type_word) = self.heading(shown, among);
        // Quotes are escaped in HELP too: the grammar demands it, and a parser that
        // looks for quoted names stumbles without.
        write_header(out, name, type_word, shown.family.help(), escape::append_label_value);
    }

    fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"# EOF\n");
    }

    fn displaced_newcomers(&self, shown: &Families<'_>) -> Vec<String> {
        let with_created = shown.iter().filter(|shown| shown.has_created);
        let stems = with_created.filter_map(|shown| counter_stem(shown.family));
        stems.flat_map(|stem| claimants(stem, |name| shown.kind_of(name))).collect()
    }
}

/// The families whose names a counter of this stem needs for itself: the stem, and
/// the stem followed by `_created`.
fn claimants(stem: &str, kind_of: impl Fn(&str) -> Option<Kind>) -> Vec<String> {
    let created = format!("{stem}_created");
    let created_total = format!("{created}_total");
    let mut found = Vec::new();
    if kind_of(stem).is_some() {
        found.push(stem.to_owned());
    }
    // One that derives `stem_created` would be called `stem`.
    for (base, suffix) in reserving(stem) {
        if kind_of(base).is_some_and(|kind| kind.reserved_suffixes().contains(&suffix)) {
            found.push(base.to_owned());
        }
    }
    if kind_of(&created).is_some() {
        found.push(created);
    }
    if kind_of(&created_total).is_some_and(Kind::drops_total) {
        found.push(created_total);
    }
    found
}
