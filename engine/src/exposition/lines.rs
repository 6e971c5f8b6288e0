//! Lines of text: what the two text formats have in common.

use super::encoder::ShownSeries;
use super::number::{self, Notation};
use super::printed_name::PrintedName;
use crate::catalog::Family;
use crate::exemplar::{KeptExemplar, SeriesExemplars};
use crate::labels::LabelPairs;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::summary::{QuantilePlan, Summary};
use crate::metric::{Shape, Value};
use crate::name::escaping::Escaping;
use crate::timestamp::Moment;

/// What one line needs beside its name and labels: braces, quotes, separators,
/// a suffix, and the longest number (24 bytes).
const LINE_OVERHEAD: usize = 64;

/// In which points the lines of a format differ from those of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// How numbers are written that need not be integers.
    pub notation: Notation,
    /// Whether a sum, a bound of a bucket or a quantile may be negative.
    pub takes_negative: bool,
}

#[derive(Debug)]
pub(super) struct LineWriter {
    dialect: Dialect,
    escaping: Escaping,
    /// Of the family that was begun last.
    name: PrintedName,
    /// Labels that are escaped.
    labels: String,
    bounds: NumberTexts,
    quantiles: NumberTexts,
}

/// The texts of the bounds or quantiles that were written last. Those of all
/// series of a family are the same, and often those of the next family too, so
/// comparing numbers saves formatting them.
#[derive(Debug, Default)]
struct NumberTexts {
    numbers: Vec<f64>,
    texts: Vec<Box<str>>,
}

impl NumberTexts {
    fn of(
        &mut self,
        numbers: impl Iterator<Item = f64> + Clone,
        notation: Notation,
    ) -> &[Box<str>] {
        if !numbers.clone().eq(self.numbers.iter().copied()) {
            self.numbers.clear();
            self.numbers.extend(numbers);
            let text = |number: &f64| number::text_of(*number, notation);
            self.texts = self.numbers.iter().map(text).collect();
        }
        &self.texts
    }
}

impl LineWriter {
    pub fn new(dialect: Dialect, escaping: Escaping) -> Self {
        Self {
            dialect,
            escaping,
            name: PrintedName::default(),
            labels: String::new(),
            bounds: NumberTexts::default(),
            quantiles: NumberTexts::default(),
        }
    }

    /// The series that come next are of this family.
    pub fn begin_family(&mut self, family: &Family) {
        self.name.set(family.name(), self.escaping);
    }

    /// How a family of that name is called.
    pub fn printed(&self, name: &str) -> PrintedName {
        PrintedName::new(name, self.escaping)
    }

    /// How a counter of that name is called without its `_total`.
    pub fn printed_stem(&self, counter: &str) -> PrintedName {
        PrintedName::of_stem(counter, self.escaping)
    }

    /// Appends the lines of one series.
    pub fn write(&mut self, out: &mut Vec<u8>, family: &Family, series: ShownSeries<'_>) {
        let ShownSeries { labels, value, now, exemplars, created: _ } = series;
        let Self { dialect, escaping, name, labels: buffer, bounds, quantiles } = self;
        let labels = escaped(labels, *escaping, buffer);
        let mut lines = SeriesLines { out, dialect: *dialect, name, labels, exemplars };
        match (value, family.shape()) {
            (
                Value::Counter(number, _) | Value::Gauge(number, _) | Value::GaugeTotal(number, _),
                _,
            ) => {
                lines.start("");
                lines.end_with_total(*number);
            }
            (Value::Histogram(histogram), Shape::Histogram(layout)) => {
                lines.histogram(histogram, layout, bounds);
            }
            (Value::Summary(summary), Shape::Summary(plan)) => {
                lines.summary(summary, plan, now, quantiles);
            }
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
    }

    /// Appends a line of its own.
    pub fn write_line(
        &mut self,
        out: &mut Vec<u8>,
        name: &PrintedName,
        suffix: &str,
        labels: LabelPairs<'_>,
        value: f64,
    ) {
        let dialect = self.dialect;
        let labels = escaped(labels, self.escaping, &mut self.labels);
        SeriesLines { out, dialect, name, labels, exemplars: None }.value(suffix, value);
    }
}

/// Labels as they are printed under that escaping, in `buffer` where not as they are.
#[inline]
fn escaped<'a>(
    labels: LabelPairs<'a>,
    escaping: Escaping,
    buffer: &'a mut String,
) -> LabelPairs<'a> {
    if !labels.are_escaped(escaping) {
        return labels;
    }
    buffer.clear();
    labels.append_escaped(buffer, escaping);
    LabelPairs::from_text(buffer)
}

/// What stands before the series of a family.
pub(super) struct Header<'a> {
    pub name: &'a PrintedName,
    pub type_word: &'a str,
    pub help: &'a str,
    /// Empty where there is none, or the format has no place for it.
    pub unit: &'a str,
}

/// Appends HELP and TYPE, and UNIT where there is one. Where `help` is empty the HELP
/// line ends in a space: every family has its one HELP line, as in the reference.
pub(super) fn write_header(
    out: &mut Vec<u8>,
    header: &Header<'_>,
    append_help: fn(&mut String, &str),
) {
    let Header { name, type_word, help, unit } = *header;
    let mut lines = String::with_capacity(3 * name.text().len() + help.len() + unit.len() + 48);
    lines.push_str("# HELP ");
    name.append_to(&mut lines);
    lines.push(' ');
    append_help(&mut lines, help);
    lines.push_str("\n# TYPE ");
    name.append_to(&mut lines);
    lines.push(' ');
    lines.push_str(type_word);
    lines.push('\n');
    if !unit.is_empty() {
        lines.push_str("# UNIT ");
        name.append_to(&mut lines);
        lines.push(' ');
        lines.push_str(unit);
        lines.push('\n');
    }
    out.extend_from_slice(lines.as_bytes());
}

/// The lines of one series: where they go, and what they have in common.
struct SeriesLines<'a> {
    out: &'a mut Vec<u8>,
    dialect: Dialect,
    name: &'a PrintedName,
    labels: LabelPairs<'a>,
    exemplars: Option<&'a SeriesExemplars>,
}

impl SeriesLines<'_> {
    fn histogram(&mut self, histogram: &Histogram, layout: &BucketLayout, texts: &mut NumberTexts) {
        // OpenMetrics has sum and count together, and neither beside a negative
        // bound.
        if self.takes(histogram.sum()) && layout.bounds().first().is_none_or(|b| self.takes(*b)) {
            self.value("_sum", histogram.sum());
            self.count("_count", histogram.count());
        }
        let bounds = layout.bounds().iter().copied().chain([f64::INFINITY]);
        let texts = texts.of(bounds, self.dialect.notation);
        for (bucket, (le, count)) in texts.iter().zip(histogram.cumulative()).enumerate() {
            self.start_with_last_label("_bucket", "le", le);
            number::write_count(self.out, count);
            // Those of a native histogram alone are of no bucket that is shown.
            match layout.is_native_only() {
                false => self.end_with_exemplar(bucket as u32),
                true => self.end_with(self.exemplars.and_then(SeriesExemplars::newest)),
            }
        }
    }

    fn summary(
        &mut self,
        summary: &mut Summary,
        plan: &QuantilePlan,
        now: Moment,
        texts: &mut NumberTexts,
    ) {
        if self.takes(summary.sum()) {
            self.value("_sum", summary.sum());
        }
        self.count("_count", summary.count());
        let objectives = plan.objectives();
        if objectives.is_empty() {
            return;
        }
        let mut quantiles = Vec::with_capacity(objectives.len());
        summary.quantiles(plan, now, &mut quantiles);
        let ranks = objectives.iter().map(|(rank, _)| *rank);
        let texts = texts.of(ranks, self.dialect.notation);
        for (text, value) in texts.iter().zip(quantiles) {
            if self.takes(value) {
                self.start_with_last_label("", "quantile", text);
                self.end_with_value(value);
            }
        }
    }

    /// Whether the format has room for that sum, bound or quantile.
    fn takes(&self, value: f64) -> bool {
        self.dialect.takes_negative || value.is_nan() || value >= 0.0
    }

    fn value(&mut self, suffix: &str, value: f64) {
        self.start(suffix);
        self.end_with_value(value);
    }

    fn count(&mut self, suffix: &str, count: u64) {
        self.start(suffix);
        number::write_count(self.out, count);
        self.out.push(b'\n');
    }

    /// Appends name and labels, and the space after them.
    fn start(&mut self, suffix: &str) {
        self.start_name(suffix, 0);
        if !self.labels.is_empty() {
            self.out.push(if self.name.is_quoted() { b',' } else { b'{' });
            self.labels.write_text(self.out);
            self.out.push(b'}');
        } else if self.name.is_quoted() {
            self.out.push(b'}');
        }
        self.out.push(b' ');
    }

    /// Appends name and labels with one more label, which needs no escaping.
    fn start_with_last_label(&mut self, suffix: &str, label: &str, text: &str) {
        self.start_name(suffix, text.len());
        self.out.push(if self.name.is_quoted() { b',' } else { b'{' });
        if !self.labels.is_empty() {
            self.labels.write_text(self.out);
            self.out.push(b',');
        }
        self.out.extend_from_slice(label.as_bytes());
        self.out.extend_from_slice(b"=\"");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\"} ");
    }

    /// Appends the name; a quoted one stands behind the opening brace.
    fn start_name(&mut self, suffix: &str, more: usize) {
        let name = self.name.text();
        self.out.reserve(name.len() + self.labels.as_bytes().len() + more + LINE_OVERHEAD);
        if self.name.is_quoted() {
            self.out.extend_from_slice(b"{\"");
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        if self.name.is_quoted() {
            self.out.push(b'"');
        }
    }

    /// A total that has no buckets, with its exemplar where it has one.
    fn end_with_total(&mut self, total: f64) {
        number::write_value(self.out, total, self.dialect.notation);
        self.end_with_exemplar(0);
    }

    #[inline]
    fn end_with_exemplar(&mut self, bucket: u32) {
        self.end_with(self.exemplars.and_then(|exemplars| exemplars.of(bucket)));
    }

    #[inline]
    fn end_with(&mut self, exemplar: Option<&KeptExemplar>) {
        if let Some(exemplar) = exemplar {
            self.exemplar(exemplar);
        }
        self.out.push(b'\n');
    }

    #[cold]
    fn exemplar(&mut self, exemplar: &KeptExemplar) {
        self.out.extend_from_slice(b" # {");
        exemplar.labels().write_text(self.out);
        self.out.extend_from_slice(b"} ");
        number::write_value(self.out, exemplar.value, self.dialect.notation);
        self.out.push(b' ');
        number::write_value(self.out, exemplar.timestamp.seconds(), self.dialect.notation);
    }

    fn end_with_value(&mut self, value: f64) {
        number::write_value(self.out, value, self.dialect.notation);
        self.out.push(b'\n');
    }
}
