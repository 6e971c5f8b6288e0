//! What both text formats write, side by side.

use std::sync::Arc;

use super::{Families, Format, MEDIA_TYPES, PageFormat, ShownFamily, ShownSeries};
use crate::catalog::{Catalog, Family, FamilyRef};
use crate::labels::LabelPairs;
use crate::metric::histogram::BucketLayout;
use crate::metric::summary::{QuantilePlan, SummarySettings};
use crate::metric::{GaugeOp, Kind, Shape, Value};
use crate::name::escaping::Escaping;
use crate::sample::Sample;
use crate::timestamp::{Moment, SampleTime, UnixTime};

const NOW: Moment = Moment(1);
const TAKEN: SampleTime = SampleTime::taken(UnixTime::MIN);

/// Compares the lines of one series after `samples` with what is expected in
/// either format, given as lines that are written with a `|` in between.
fn check(shape: Shape, labels: &str, samples: &[f64], text: &str, openmetrics: &str) {
    let family = Family::standalone("x", "", shape);
    let mut value = Value::new(family.shape(), NOW);
    for sample in samples {
        value.apply(*sample, GaugeOp::Set, TAKEN, family.shape(), NOW).expect("a finite total");
    }
    for (format, expected) in [(Format::Text, text), (Format::OpenMetrics, openmetrics)] {
        let mut out = b"before\n".to_vec();
        let labels = LabelPairs::from_text(labels);
        let series =
            ShownSeries { labels, value: &mut value, created: None, exemplars: None, now: NOW };
        let mut encoder = PageFormat::from(format).encoder(&Catalog::default());
        encoder.begin_family(&family);
        assert!(!encoder.write_series(&mut out, &family, series));
        let expected = format!("before\n{}\n", expected.replace('|', "\n"));
        assert_eq!(String::from_utf8_lossy(&out), expected, "in {format:?}");
    }
}

fn histogram(bounds: &[f64]) -> Shape {
    Shape::Histogram(BucketLayout::new(bounds))
}

fn summary(objectives: &[(f64, f64)]) -> Shape {
    Shape::Summary(QuantilePlan::new(objectives, SummarySettings::default()))
}

/// What OpenMetrics says of when the total of a series began, beside the families
/// of a catalog; `None` where it says nothing.
fn created_line(family: &Family, labels: &str, living: &Catalog) -> Option<String> {
    let mut value = Value::new(family.shape(), NOW);
    let (labels, created) =
        (LabelPairs::from_text(labels), UnixTime::from_micros(1_700_000_000_250_000));
    let mut lines = |format: Format, created| {
        let mut out = Vec::new();
        let series = ShownSeries { labels, value: &mut value, created, exemplars: None, now: NOW };
        let mut encoder = PageFormat::from(format).encoder(living);
        encoder.begin_family(family);
        let says_so = encoder.write_series(&mut out, family, series);
        (says_so, String::from_utf8(out).expect("UTF-8"))
    };
    assert_eq!(lines(Format::Text, Some(created)), lines(Format::Text, None));
    let (_, without) = lines(Format::OpenMetrics, None);
    let (says_so, with) = lines(Format::OpenMetrics, Some(created));
    let line = with.strip_prefix(&without).expect("it stands after the others");
    assert_eq!(says_so, !line.is_empty());
    says_so.then(|| line.to_owned())
}

#[test]
fn totals_say_when_they_began() {
    let check = |name: &str, shape: Shape, labels: &str, expected: Option<&str>| {
        let family = Family::standalone(name, "", shape);
        let line = created_line(&family, labels, &Catalog::default());
        assert_eq!(line.as_deref(), expected, "{name}");
    };
    check("x_total", Shape::Counter, "a=\"1\"", Some("x_created{a=\"1\"} 1700000000.25\n"));
    check("x", histogram(&[1.0]), "", Some("x_created 1700000000.25\n"));
    check("x", summary(&[(0.5, 0.05)]), "", Some("x_created 1700000000.25\n"));
    for (name, shape) in [("x", Shape::Counter), ("_total", Shape::Counter), ("x", Shape::Gauge)] {
        check(name, shape, "", None);
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
    check(Shape::Gauge, r#"a="日本""#, &[3.0, -5.0], r#"x{a="日本"} -5"#, r#"x{a="日本"} -5.0"#);
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

#[test]
fn help_is_one_line() {
    let check = |format: Format, help: &str, expected: &str| {
        let family = Family::standalone("x", help, Shape::Gauge);
        let shown = ShownFamily { family: &family, is_typed: false, bytes: 0 };
        let mut out = b"before\n".to_vec();
        let encoder = PageFormat::from(format).encoder(&Catalog::default());
        encoder.write_header(&mut out, &shown, &Families::new(vec![shown]));
        assert_eq!(String::from_utf8_lossy(&out), format!("before\n{expected}# TYPE x gauge\n"));
    };
    check(Format::Text, "", "# HELP x \n");
    check(Format::OpenMetrics, "", "# HELP x \n");
    check(Format::Text, "Some help.", "# HELP x Some help.\n");
    check(Format::Text, "a \"b\"\n# c\\d", "# HELP x a \"b\"\\n# c\\\\d\n");
    check(Format::OpenMetrics, "a \"b\"\n# c\\d", "# HELP x a \\\"b\\\"\\n# c\\\\d\n");
}

fn claim(catalog: &Catalog, name: &str, kind: Kind) -> FamilyRef {
    let sample = Sample { buckets: &[1.0], ..Sample::of(kind, name) };
    catalog.claim(&sample).expect("a valid family")
}

/// Families with rising uids.
fn claimed(catalog: &Catalog, families: &[(&str, Kind)]) -> Vec<FamilyRef> {
    families.iter().map(|(name, kind)| claim(catalog, name, *kind)).collect()
}

/// All of them in one exposition.
fn together<'a>(families: &'a [FamilyRef], is_typed: bool) -> Families<'a> {
    let shown = |family: &'a FamilyRef| ShownFamily { family, is_typed, bytes: 0 };
    let mut shown: Vec<ShownFamily<'a>> = families.iter().map(shown).collect();
    shown.sort_by_key(|shown| shown.family.name());
    Families::new(shown)
}

/// The heading of the first of `families` in OpenMetrics.
fn check_heading(families: &[(&str, Kind)], name: &str, type_word: &str) {
    let catalog = Catalog::default();
    let claimed = claimed(&catalog, families);
    let first = &*claimed[0];
    let check = |format: Format, living: &Catalog, among: &[FamilyRef], name, type_word| {
        let mut out = Vec::new();
        let shown = ShownFamily { family: first, is_typed: false, bytes: 0 };
        let encoder = PageFormat::from(format).encoder(living);
        encoder.write_header(&mut out, &shown, &together(among, false));
        let expected = format!("# HELP {name} \n# TYPE {name} {type_word}\n");
        assert_eq!(String::from_utf8_lossy(&out), expected, "{families:?}");
    };
    check(Format::Text, &catalog, &claimed, first.name(), first.kind().as_str());
    check(Format::OpenMetrics, &catalog, &claimed, name, type_word);
    // The others are in another part of the exposition, or have just gone.
    check(Format::OpenMetrics, &catalog, &claimed[..1], name, type_word);
    check(Format::OpenMetrics, &Catalog::default(), &claimed, name, type_word);
    let says_created = created_line(first, "", &catalog).is_some();
    assert_eq!(says_created, type_word != "unknown" && type_word != "gauge", "{families:?}");
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
    check_heading(&[("x_total_total", Counter), ("x_total", Counter)], "x_total_total", "unknown");
    check_heading(&[("x_total", Counter), ("x_created", Gauge)], "x_total", "unknown");
    check_heading(&[("x_total", Counter), ("x_created_total", Counter)], "x_total", "unknown");
    check_heading(&[("x_created_total", Counter), ("x_total", Counter)], "x_created", "counter");
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

/// The first was there when the shards came to it, the others were not.
#[test]
fn what_comes_to_claim_the_stem_of_a_counter_is_left_out() {
    use Kind::*;
    let check = |families: &[(&str, Kind)], expected: &[&str]| {
        let catalog = Catalog::default();
        let claimed = claimed(&catalog, families);
        let mut shown: Vec<ShownFamily<'_>> = together(&claimed, false).iter().copied().collect();
        for shown in &mut shown {
            shown.is_typed = shown.family.uid() == claimed[0].uid();
        }
        let shown = Families::new(shown);
        let left_out =
            |format: Format| PageFormat::from(format).encoder(&catalog).displaced_newcomers(&shown);
        assert_eq!(left_out(Format::OpenMetrics), expected, "{families:?}");
        assert!(left_out(Format::Text).is_empty());
    };
    check(&[("x_total", Counter), ("y", Gauge), ("x_total_total", Counter)], &[]);
    check(&[("x_total", Counter), ("x", Gauge), ("y", Gauge)], &["x"]);
    check(&[("x_total", Counter), ("x_created", Gauge)], &["x_created"]);
    check(&[("x_total", Counter), ("x_created_total", Counter)], &["x_created_total"]);
    check(&[("x_count_total", Counter), ("x", Histogram)], &["x"]);
}

/// Which of `families`, given from old to new, are displaced.
fn check_displaced(families: &[(&str, Kind)], expected: &[&str]) {
    let catalog = Catalog::default();
    // Each has gone before the next is claimed.
    let claim = |(name, kind): &(&str, Kind)| claim(&catalog, name, *kind).family().clone();
    let families: Vec<Arc<Family>> = families.iter().map(claim).collect();
    let mut shown: Vec<ShownFamily<'_>> =
        families.iter().map(|family| ShownFamily { family, is_typed: false, bytes: 0 }).collect();
    shown.sort_by_key(|shown| shown.family.name());
    let found = Families::new(shown);
    let displaced = families.iter().filter(|family| found.is_displaced(family));
    let names: Vec<&str> = displaced.map(|family| family.name()).collect();
    assert_eq!(names, expected, "{found:?}");
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
    check_displaced(&[("x", Summary), ("x_sum", Summary), ("x_sum_sum", Gauge)], &["x", "x_sum"]);
}

/// The one after it: a new format has to be put into this row.
fn next(format: Format) -> Option<Format> {
    match format {
        Format::Text => Some(Format::OpenMetrics),
        Format::OpenMetrics => Some(Format::Protobuf),
        Format::Protobuf => None,
    }
}

#[test]
fn every_format_is_listed_and_has_a_media_type() {
    let all: Vec<Format> =
        std::iter::successors(Some(Format::Text), |format| next(*format)).collect();
    assert_eq!(Format::ALL.to_vec(), all);
    for format in all {
        assert!(MEDIA_TYPES.iter().any(|media_type| media_type.format == format), "{format:?}");
    }
}

#[test]
fn a_content_type_says_what_a_body_is() {
    let said: Vec<String> =
        MEDIA_TYPES.iter().map(|media_type| media_type.content_type(None)).collect();
    assert_eq!(
        said,
        [
            "text/plain; version=0.0.4; charset=utf-8",
            "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            "application/openmetrics-text; version=0.0.1; charset=utf-8",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=delimited",
        ]
    );
    for (media_type, without) in MEDIA_TYPES.iter().zip(said) {
        for escaping in Escaping::ALL {
            let without = without.trim_end_matches("; escaping=underscores");
            let expected = format!("{without}; escaping={}", escaping.as_str());
            assert_eq!(media_type.content_type(Some(escaping)), expected);
        }
    }
}
