//! Lines of text: what the two text formats have in common.

use super::encoder::ShownSeries;
use super::number::{self, Notation};
use crate::catalog::Family;
use crate::labels::LabelPairs;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::summary::{QuantilePlan, Summary};
use crate::metric::{Shape, Value};
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
    pub fn new(dialect: Dialect) -> Self {
        let (bounds, quantiles) = (NumberTexts::default(), NumberTexts::default());
        Self { dialect, bounds, quantiles }
    }

    /// Appends the lines of one series.
    pub fn write(&mut self, out: &mut Vec<u8>, family: &Family, series: ShownSeries<'_>) {
        let ShownSeries { labels, value, now, created: _ } = series;
        let Self { dialect, bounds, quantiles } = self;
        let mut lines = SeriesLines { out, dialect: *dialect, name: family.name(), labels };
        match (value, family.shape()) {
            (Value::Counter(number) | Value::Gauge(number, _), _) => lines.value("", *number),
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
        &self,
        out: &mut Vec<u8>,
        name: &str,
        suffix: &str,
        labels: LabelPairs<'_>,
        value: f64,
    ) {
        SeriesLines { out, dialect: self.dialect, name, labels }.value(suffix, value);
    }
}

/// Appends HELP and TYPE. Where `help` is empty the HELP line ends in a space:
/// every family has its one HELP line, as in the reference.
pub(super) fn write_header(
    out: &mut Vec<u8>,
    name: &str,
    type_word: &str,
    help: &str,
    append_help: fn(&mut String, &str),
) {
    let mut lines = String::with_capacity(2 * name.len() + help.len() + 32);
    lines.push_str("# HELP ");
    lines.push_str(name);
    lines.push(' ');
    append_help(&mut lines, help);
    lines.push_str("\n# TYPE ");
    lines.push_str(name);
    lines.push(' ');
    lines.push_str(type_word);
    lines.push('\n');
    out.extend_from_slice(lines.as_bytes());
}

/// The lines of one series: where they go, and what they have in common.
struct SeriesLines<'a> {
    out: &'a mut Vec<u8>,
    dialect: Dialect,
    name: &'a str,
    labels: LabelPairs<'a>,
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
        for (le, count) in texts.iter().zip(histogram.cumulative()) {
            self.start_with_last_label("_bucket", "le", le);
            number::write_count(self.out, count);
            self.out.push(b'\n');
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
            self.out.push(b'{');
            self.labels.write_text(self.out);
            self.out.push(b'}');
        }
        self.out.push(b' ');
    }

    /// Appends name and labels with one more label, which needs no escaping.
    fn start_with_last_label(&mut self, suffix: &str, label: &str, text: &str) {
        self.start_name(suffix, text.len());
        self.out.push(b'{');
        if !self.labels.is_empty() {
            self.labels.write_text(self.out);
            self.out.push(b',');
        }
        self.out.extend_from_slice(label.as_bytes());
        self.out.extend_from_slice(b"=\"");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\"} ");
    }

    fn start_name(&mut self, suffix: &str, more: usize) {
        self.out.reserve(self.name.len() + self.labels.as_bytes().len() + more + LINE_OVERHEAD);
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
    }

    fn end_with_value(&mut self, value: f64) {
        number::write_value(self.out, value, self.dialect.notation);
        self.out.push(b'\n');
    }
}
