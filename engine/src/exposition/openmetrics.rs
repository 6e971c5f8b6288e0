//! OpenMetrics, 1.0.0, in its text form.
//!
//! A counter loses its `_total` in HELP and TYPE, and its *stem* may then be a
//! name that another family has. Where it is, the counter is announced by its own
//! name, as `unknown`, and can't say when its totals began, nor show exemplars or a
//! unit that stands before `_total`: OpenMetrics has none of these for that type.
//!
//! Each shard decides that by the families that live when it comes to the
//! counter. Where one says `_created` or shows an exemplar, the counter is announced
//! as a counter, and what has come to claim its stem meanwhile is left out of this
//! exposition.

use super::encoder::{Encoder, ShownSeries};
use super::families::{Families, ShownFamily, counter_stem, printed_stem};
use super::lines::{Dialect, Header, LineWriter, write_header};
use super::number::Notation;
use super::printed_name::PrintedName;
use crate::catalog::{Catalog, Family};
use crate::labels::escape;
use crate::metric::{Kind, reserving};
use crate::name::escaping::Escaping;
use crate::name::is_of_unit;

/// No sum, bound or quantile may be negative, and the reference parser refuses
/// all of a page for one.
const DIALECT: Dialect = Dialect { notation: Notation::Pointed, takes_negative: false };

/// One exposition in OpenMetrics.
#[derive(Debug)]
pub(super) struct OpenMetricsEncoder {
    lines: LineWriter,
    living: Catalog,
    typed: TypedLines,
}

/// Whether the family that is being written has `_created` lines and exemplars.
#[derive(Debug)]
enum TypedLines {
    /// Nobody has asked for one yet.
    Undecided,
    /// It may not have any, see the top of this file.
    Without,
    /// It may; each `_created` line begins with this name.
    Named(PrintedName),
}

impl OpenMetricsEncoder {
    pub fn new(escaping: Escaping, living: Catalog) -> Self {
        let lines = LineWriter::new(DIALECT, escaping);
        Self { lines, living, typed: TypedLines::Undecided }
    }

    fn decide_typed(&self, family: &Family) -> TypedLines {
        let kind_of = |name: &str| self.living.kind_of(name);
        let may_have = match counter_stem(family) {
            Some(_) => claimants_of(family, kind_of).is_empty(),
            None => family.kind().suffixes().contains(&"_created"),
        };
        match may_have {
            true => TypedLines::Named(self.heading_name(family)),
            false => TypedLines::Without,
        }
    }

    /// The name that HELP and TYPE give to a family whose type they tell.
    fn heading_name(&self, family: &Family) -> PrintedName {
        match counter_stem(family) {
            Some(_) => self.lines.printed_stem(family.name()),
            None => self.lines.printed(family.name()),
        }
    }

    /// Whether HELP and TYPE tell the type of a family; else it is unknown.
    fn is_typed(&self, shown: &ShownFamily<'_>, among: &Families<'_>) -> bool {
        if !shown.family.kind().drops_total() {
            return true;
        }
        // Families that are in another part of the exposition count too.
        let kind_of = |name: &str| among.kind_of(name).or_else(|| self.living.kind_of(name));
        counter_stem(shown.family).is_some()
            && (shown.is_typed || claimants_of(shown.family, kind_of).is_empty())
    }
}

impl Encoder for OpenMetricsEncoder {
    fn shows_created(&self) -> bool {
        true
    }

    fn begin_family(&mut self, family: &Family) {
        self.lines.begin_family(family);
        self.typed = TypedLines::Undecided;
    }

    fn write_series(
        &mut self,
        out: &mut Vec<u8>,
        family: &Family,
        series: ShownSeries<'_>,
    ) -> bool {
        let ShownSeries { labels, created, exemplars, .. } = series;
        if created.is_none() && exemplars.is_none() {
            self.lines.write(out, family, series);
            return false;
        }
        if let TypedLines::Undecided = self.typed {
            self.typed = self.decide_typed(family);
        }
        let TypedLines::Named(name) = &self.typed else {
            self.lines.write(out, family, ShownSeries { exemplars: None, ..series });
            return false;
        };
        self.lines.write(out, family, series);
        if let Some(created) = created {
            self.lines.write_line(out, name, "_created", labels, created.seconds());
        }
        true
    }

    fn write_header(&self, out: &mut Vec<u8>, shown: &ShownFamily<'_>, among: &Families<'_>) {
        let family = shown.family;
        let (name, type_word) = match self.is_typed(shown, among) {
            true => (self.heading_name(family), family.kind().as_str()),
            false => (self.lines.printed(family.name()), "unknown"),
        };
        // Quotes are escaped in HELP too: the grammar demands it, and a parser that
        // looks for quoted names stumbles without.
        let (help, unit) = (family.help(), family.unit());
        // Parsers look for it in the name that they see, which may be an escaped one.
        let unit = if is_of_unit(name.text(), unit) { unit } else { "" };
        write_header(
            out,
            &Header { name: &name, type_word, help, unit },
            escape::append_label_value,
        );
    }

    fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"# EOF\n");
    }

    fn displaced_newcomers(&self, shown: &Families<'_>) -> Vec<String> {
        let typed = shown.iter().filter(|shown| shown.is_typed);
        typed.flat_map(|it| claimants_of(it.family, |name| shown.kind_of(name))).collect()
    }
}

/// The families whose names a counter needs for its stem, as it is printed to scrapers
/// of legacy names and, where that is another one, under [`Escaping::Values`], where a
/// legacy name may look the same. What is told apart under these two is under all.
fn claimants_of(counter: &Family, kind_of: impl Fn(&str) -> Option<Kind>) -> Vec<String> {
    let Some(stem) = printed_stem(counter) else { return Vec::new() };
    let mut found = claimants(stem, &kind_of);
    if counter.printed_name() != counter.name() {
        let stem = PrintedName::of_stem(counter.name(), Escaping::Values);
        found.extend(claimants(stem.text(), kind_of));
    }
    found
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
