//! Overflow: what a limit refuses goes to one series of its family.

mod support;

use psg_engine::format::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::reject::Reason;

use support::pipeline::{Pipeline, PipelineSettings};

fn payload(kind: &str, name: &str, label: usize) -> String {
    format!(
        r#"{{"type":"{kind}","name":"{name}","value":1,"labels":{{"i":"{label}"}},"buckets":[1]}}"#
    )
}

fn pipeline(max_series: usize, max_series_per_metric: usize) -> Pipeline {
    let limits = SeriesLimits { max_series, max_series_per_metric };
    Pipeline::new(&PipelineSettings { limits, overflow: true, ..PipelineSettings::default() })
}

fn value(pipeline: &mut Pipeline, series: &str) -> Option<f64> {
    let lines = pipeline.lines(Format::Text);
    let line = lines.iter().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

#[test]
fn counters_and_histograms_fold_and_nothing_is_lost() {
    let mut pipeline = pipeline(1000, 3);
    for round in 0..4 {
        for kind in ["counter", "histogram"] {
            // Many of one page, and known and unknown ones side by side.
            let page: Vec<String> = (0..10 + round).map(|i| payload(kind, kind, i)).collect();
            assert_eq!(pipeline.page(&page), vec![None; page.len()]);
        }
    }
    let sent = (10 + 11 + 12 + 13) as f64;
    let folded = sent - 3.0 * 4.0;
    assert_eq!(value(&mut pipeline, r#"counter{otel_metric_overflow="true"}"#), Some(folded));
    assert_eq!(
        value(&mut pipeline, r#"histogram_count{otel_metric_overflow="true"}"#),
        Some(folded)
    );
    assert_eq!(pipeline.catalog.live_series(), 6, "overflow series have no place");
    assert_eq!(pipeline.folded, 2 * folded as u64);
}

#[test]
fn gauges_and_summaries_are_refused_as_ever() {
    let mut pipeline = pipeline(1000, 1);
    for kind in ["gauge", "summary"] {
        let page = [payload(kind, kind, 0), payload(kind, kind, 1)];
        assert_eq!(pipeline.page(&page), [None, Some(Reason::MetricSeriesLimit)]);
    }
    assert!(!pipeline.exposition(Format::Text).contains("overflow"));
}

#[test]
fn a_family_without_a_live_series_gets_none() {
    let mut pipeline = pipeline(1, 1);
    let page = [payload("counter", "a", 0), payload("counter", "b", 0), payload("counter", "a", 1)];
    assert_eq!(pipeline.page(&page), [None, Some(Reason::SeriesLimit), None]);
    assert_eq!(pipeline.catalog.families(), 1);
    assert_eq!(value(&mut pipeline, r#"a{otel_metric_overflow="true"}"#), Some(1.0));
}

#[test]
fn small_caches_and_many_shards_change_nothing() {
    for (cache_series, shards) in [(0, 1), (1, 3), (2, 8), (100, 4)] {
        let limits = SeriesLimits { max_series: 5, max_series_per_metric: 4 };
        let settings = PipelineSettings {
            limits,
            overflow: true,
            cache_series,
            shards,
            ..PipelineSettings::default()
        };
        let mut pipeline = Pipeline::new(&settings);
        for page in 0..20 {
            let page: Vec<String> = (0..7).map(|i| payload("counter", "c", i + page % 3)).collect();
            assert_eq!(pipeline.page(&page), [None; 7]);
        }
        let lines = pipeline.lines(Format::Text);
        let total: f64 = lines
            .iter()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        assert_eq!(total, 140.0, "{lines:?}");
        assert_eq!(pipeline.catalog.live_series(), 4);
        assert_eq!(lines.len(), 2 + 4 + 1);
    }
}
