//! The lines of one series.

use super::families::stem;
use crate::catalog::Family;
use crate::format::{Format, number};
use crate::labels::LabelPairs;
use crate::metric::Kind;
use crate::metric::Shape;
use crate::metric::Value;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::summary::{Summary, SummaryPlan};
use crate::timestamp::Moment;
use crate::timestamp::UnixTime;

/// What one line needs beside its name and labels: braces, quotes, separators,
/// a suffix, and the longest number (24 bytes).
const LINE_OVERHEAD: usize = 64;

/// Appends the lines of one series to `out`.
///
/// `now` is when quantiles are asked for.
pub fn write_series(
    out: &mut Vec<u8>,
    format: Format,
    family: &Family,
    labels: LabelPairs<'_>,
    value: &mut Value,
    now: Moment,
) {
    let mut lines = Lines { out, format, name: family.name(), labels };
    match (value, family.shape()) {
        (Value::Counter(number) | Value::Gauge(number, _), _) => lines.value("", *number),
        (Value::Histogram(histogram), Shape::Histogram(layout)) => {
            lines.histogram(histogram, layout);
        }
        (Value::Summary(summary), Shape::Summary(plan)) => lines.summary(summary, plan, now),
        (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
        | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
            unreachable!("a series keeps the type of its family")
        }
    }
}

/// Appends the line of OpenMetrics that tells when the total of a series began,
/// behind its others. A counter has one where its name ends in `_total`: else it
/// is `unknown` there, which has none.
pub fn write_created(
    out: &mut Vec<u8>,
    family: &Family,
    labels: LabelPairs<'_>,
    created: UnixTime,
) {
    let name = match family.kind() {
        Kind::Counter => stem(family),
        Kind::Gauge => None,
        Kind::Histogram | Kind::Summary => Some(family.name()),
    };
    if let Some(name) = name {
        let mut lines = Lines { out, format: Format::OpenMetrics, name, labels };
        lines.value("_created", created.seconds());
    }
}

/// Where the lines go, and what they have in common.
struct Lines<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
    name: &'a str,
    labels: LabelPairs<'a>,
}

impl Lines<'_> {
    fn histogram(&mut self, histogram: &Histogram, layout: &BucketLayout) {
        // OpenMetrics has the one with the other, and neither beside a negative
        // threshold.
        if self.takes(histogram.sum()) && layout.bounds().first().is_none_or(|b| self.takes(*b)) {
            self.value("_sum", histogram.sum());
            self.count("_count", histogram.count());
        }
        for (le, count) in layout.le(self.format).iter().zip(histogram.cumulative()) {
            self.start_with_last_label("_bucket", "le", le);
            number::write_count(self.out, count);
            self.out.push(b'\n');
        }
    }

    fn summary(&mut self, summary: &mut Summary, plan: &SummaryPlan, now: Moment) {
        if self.takes(summary.sum()) {
            self.value("_sum", summary.sum());
        }
        self.count("_count", summary.count());
        let texts = plan.quantile_texts(self.format);
        if texts.is_empty() {
            return;
        }
        let mut quantiles = Vec::with_capacity(texts.len());
        summary.quantiles(plan, now, &mut quantiles);
        for (text, value) in texts.iter().zip(quantiles) {
            if self.takes(value) {
                self.start_with_last_label("", "quantile", text);
                self.end_with_value(value);
            }
        }
    }

    /// Whether the format has room for that sum, threshold or quantile: in
    /// OpenMetrics 1.0 none may be negative, and its reference parser refuses all
    /// of a page for one.
    fn takes(&self, value: f64) -> bool {
        match self.format {
            Format::Text => true,
            Format::OpenMetrics => value.is_nan() || value >= 0.0,
        }
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
        number::write_value(self.out, value, self.format);
        self.out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::summary::SummarySettings;
    use crate::timestamp::Stamp;

    const NOW: Moment = Moment(1);
    const UNTOLD: Stamp = Stamp::untold(UnixTime::MIN);

    /// Compares the lines of one series after `samples` with what is expected in
    /// either format, given as lines that are written with a `|` in between.
    fn check(shape: Shape, labels: &str, samples: &[f64], text: &str, openmetrics: &str) {
        let family = Family::standalone("x", "", shape);
        let mut value = Value::new(family.shape(), NOW);
        for sample in samples {
            value.apply(*sample, UNTOLD, family.shape(), NOW).expect("a finite total");
        }
        for (format, expected) in [(Format::Text, text), (Format::OpenMetrics, openmetrics)] {
            let mut out = b"before\n".to_vec();
            let labels = LabelPairs::from_text(labels);
            write_series(&mut out, format, &family, labels, &mut value, NOW);
            let expected = format!("before\n{}\n", expected.replace('|', "\n"));
            assert_eq!(String::from_utf8_lossy(&out), expected, "in {format:?}");
        }
    }

    fn histogram(bounds: &[f64]) -> Shape {
        Shape::Histogram(BucketLayout::new(bounds))
    }

    fn summary(objectives: &[(f64, f64)]) -> Shape {
        Shape::Summary(SummaryPlan::new(objectives, SummarySettings::default()))
    }

    #[test]
    fn totals_tell_when_they_began() {
        let check = |name: &str, shape: Shape, labels: &str, expected: &str| {
            let mut out = Vec::new();
            let created = UnixTime::from_micros(1_700_000_000_250_000);
            let labels = LabelPairs::from_text(labels);
            write_created(&mut out, &Family::standalone(name, "", shape), labels, created);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{name}");
        };
        check("x_total", Shape::Counter, "a=\"1\"", "x_created{a=\"1\"} 1700000000.25\n");
        check("x", histogram(&[1.0]), "", "x_created 1700000000.25\n");
        check("x", summary(&[(0.5, 0.05)]), "", "x_created 1700000000.25\n");
        for (name, shape) in
            [("x", Shape::Counter), ("_total", Shape::Counter), ("x", Shape::Gauge)]
        {
            check(name, shape, "", "");
        }
    }

    #[test]
    fn counters_and_gauges_are_a_line() {
        check(Shape::Counter, "", &[], "x 0", "x 0.0");
        check(Shape::Counter, "", &[1.0, 2.0], "x 3", "x 3.0");
        check(
            Shape::Counter,
            r#"a="1",b="2""#,
            &[1_000_001.3],
            r#"x{a="1",b="2"} 1000001.3"#,
            r#"x{a="1",b="2"} 1000001.3"#,
        );
        check(
            Shape::Gauge,
            r#"a="日本""#,
            &[3.0, -5.0],
            r#"x{a="日本"} -5"#,
            r#"x{a="日本"} -5.0"#,
        );
        check(Shape::Gauge, "", &[f64::NAN], "x NaN", "x NaN");
    }

    #[test]
    fn histograms_end_in_their_buckets() {
        check(
            histogram(&[-1.0, 0.5, 1e17]),
            "",
            &[0.5, 0.75, -1.0],
            r#"x_sum 0.25|x_count 3|x_bucket{le="-1"} 1|x_bucket{le="0.5"} 2|x_bucket{le="1e+17"} 3|x_bucket{le="+Inf"} 3"#,
            r#"x_bucket{le="-1.0"} 1|x_bucket{le="0.5"} 2|x_bucket{le="1e+17"} 3|x_bucket{le="+Inf"} 3"#,
        );
        check(
            histogram(&[10.0]),
            r#"c="}",a="\"""#,
            &[404.0],
            r#"x_sum{c="}",a="\""} 404|x_count{c="}",a="\""} 1|x_bucket{c="}",a="\"",le="10"} 0|x_bucket{c="}",a="\"",le="+Inf"} 1"#,
            r#"x_sum{c="}",a="\""} 404.0|x_count{c="}",a="\""} 1|x_bucket{c="}",a="\"",le="10.0"} 0|x_bucket{c="}",a="\"",le="+Inf"} 1"#,
        );
    }

    #[test]
    fn openmetrics_has_no_negative_sum_threshold_or_quantile() {
        check(
            histogram(&[1.0]),
            "",
            &[-0.2],
            r#"x_sum -0.2|x_count 1|x_bucket{le="1"} 1|x_bucket{le="+Inf"} 1"#,
            r#"x_bucket{le="1.0"} 1|x_bucket{le="+Inf"} 1"#,
        );
        check(
            histogram(&[-0.0, 1.0]),
            "",
            &[-0.2, 0.2],
            r#"x_sum 0|x_count 2|x_bucket{le="0"} 1|x_bucket{le="1"} 2|x_bucket{le="+Inf"} 2"#,
            r#"x_sum 0.0|x_count 2|x_bucket{le="0.0"} 1|x_bucket{le="1.0"} 2|x_bucket{le="+Inf"} 2"#,
        );
        check(summary(&[]), "", &[-3.0], "x_sum -3|x_count 1", "x_count 1");
        check(
            summary(&[(0.0, 0.01), (1.0, 0.01)]),
            "",
            &[-3.0, 9.0],
            r#"x_sum 6|x_count 2|x{quantile="0"} -3|x{quantile="1"} 9"#,
            r#"x_sum 6.0|x_count 2|x{quantile="1.0"} 9.0"#,
        );
    }

    #[test]
    fn summaries_end_in_their_quantiles() {
        check(summary(&[]), "", &[1.0, 2.5], "x_sum 3.5|x_count 2", "x_sum 3.5|x_count 2");
        check(
            summary(&[(0.0, 0.01), (0.5, 0.05), (1.0, 0.01)]),
            r#"z="1""#,
            &[7.0, 7.0],
            r#"x_sum{z="1"} 14|x_count{z="1"} 2|x{z="1",quantile="0"} 7|x{z="1",quantile="0.5"} 7|x{z="1",quantile="1"} 7"#,
            r#"x_sum{z="1"} 14.0|x_count{z="1"} 2|x{z="1",quantile="0.0"} 7.0|x{z="1",quantile="0.5"} 7.0|x{z="1",quantile="1.0"} 7.0"#,
        );
        check(
            summary(&[(0.5, 0.05)]),
            "",
            &[],
            r#"x_sum 0|x_count 0|x{quantile="0.5"} NaN"#,
            r#"x_sum 0.0|x_count 0|x{quantile="0.5"} NaN"#,
        );
    }
}
