//! The catalog, behind the whole way through the engine: whose a name is, and
//! what families tell.

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::reject::Reason;

use crate::support::pipeline::{Pipeline, PipelineSettings};

#[test]
fn a_refused_family_frees_its_name() {
    let limits =
        SeriesLimits { max_series: 1, max_series_per_metric: 1, max_series_bytes: usize::MAX };
    let mut pipeline = Pipeline::new(&PipelineSettings { limits, ..PipelineSettings::default() });
    let batch = [
        r#"{"type":"counter","name":"kept","value":1}"#,
        r#"{"type":"histogram","name":"gone","value":1,"buckets":[1]}"#,
        r#"{"type":"gauge","name":"gone_sum","value":1}"#,
    ];
    let verdicts = pipeline.batch(&batch);
    assert_eq!(verdicts, [None, Some(Reason::SeriesLimit), Some(Reason::SuffixConflict)]);
    assert_eq!(pipeline.catalog.families(), 1);
    let verdicts = pipeline.batch(&[r#"{"type":"gauge","name":"gone","value":1}"#]);
    assert_eq!(verdicts, [Some(Reason::SeriesLimit)], "the name is free for another type");
    assert_eq!(pipeline.lines(Format::Text), ["# HELP kept ", "# TYPE kept counter", "kept 1"]);
}

#[test]
fn names_that_families_print_are_theirs() {
    let conflict = Some(Reason::SuffixConflict);
    for (first, second, verdict) in [
        ("histogram x", "counter x_sum", conflict),
        ("histogram x", "gauge x_bucket", conflict),
        ("summary x", "counter x_count", conflict),
        ("summary x", "gauge x_created", conflict),
        ("gauge x_sum", "histogram x", conflict),
        ("counter x_created", "summary x", conflict),
        ("histogram x", "histogram x_sum", conflict),
        ("histogram x", "gauge x_total", None),
        ("counter x", "gauge x_sum", None),
        ("gauge x", "counter x_total", None),
        ("gauge x", "counter x", Some(Reason::TypeConflict)),
        ("gauge x", "gauge prom_stream_gateway_x", Some(Reason::ReservedName)),
        ("gauge x", "histogram prom_stream_gateway", Some(Reason::ReservedName)),
        ("gauge x", "gauge prom_stream_gateway", None),
    ] {
        let payload = |text: &str| {
            let (kind, name) = text.split_once(' ').expect("type and name");
            format!(r#"{{"type":"{kind}","name":"{name}","value":1,"buckets":[1]}}"#)
        };
        let mut pipeline = Pipeline::new(&PipelineSettings::default());
        assert_eq!(pipeline.batch(&[payload(first)]), [None]);
        assert_eq!(pipeline.batch(&[payload(second)]), [verdict], "{first}, then {second}");
    }
}

#[test]
fn the_first_layout_wins_and_others_are_counted() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let payload = |buckets: &str| {
        format!(r#"{{"type":"histogram","name":"h","value":2,"buckets":[{buckets}]}}"#)
    };
    let (first, other) = (payload("1,5"), payload("1,5,10"));
    pipeline.batch(&[&first, &other]);
    pipeline.batch(&[&other, &first]);
    // From the fourth time on the other layout is recognised by template.
    pipeline.batch(&[&other, &other, &other]);
    assert_eq!(pipeline.layout_mismatches, 5);
    let told = pipeline.catalog.most_layout_mismatches(9);
    let told: Vec<(u64, &str)> = told.iter().map(|(n, family)| (*n, family.name())).collect();
    assert_eq!(told, [(5, "h")]);
    let expected = ["h_sum 14", "h_count 7", "h_bucket{le=\"1\"} 0", "h_bucket{le=\"5\"} 7"];
    assert!(pipeline.exposition(Format::Text).contains(&expected.join("\n")));
}

proptest! {
    #[test]
    fn the_largest_families_are_those_with_the_most_series(
        series in prop::collection::vec(1usize..6, 0..12),
        count in 0usize..15,
    ) {
        let mut pipeline = Pipeline::new(&PipelineSettings::default());
        for (number, series) in series.iter().enumerate() {
            let payload = |i| format!(r#"{{"name":"m{number:02}","labels":{{"i":{i}}}}}"#);
            pipeline.batch(&(0..*series).map(payload).collect::<Vec<String>>());
        }
        let mut expected: Vec<(usize, String)> =
            series.iter().enumerate().map(|(n, series)| (*series, format!("m{n:02}"))).collect();
        expected.sort_by_key(|(series, name)| (std::cmp::Reverse(*series), name.clone()));
        expected.truncate(count);
        let largest = pipeline.catalog.largest(count);
        let largest: Vec<(usize, String)> =
            largest.iter().map(|(series, family)| (*series, family.name().to_owned())).collect();
        prop_assert_eq!(largest, expected);
    }
}
