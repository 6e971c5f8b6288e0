//! Overflow: what a limit refuses goes to one series of its family.

use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::reject::Reason;

use crate::support::pipeline::{Pipeline, PipelineSettings};

fn payload(kind: &str, name: &str, label: usize) -> String {
    format!(
        r#"{{"type":"{kind}","name":"{name}","value":1,"labels":{{"i":"{label}"}},"buckets":[1]}}"#
    )
}

fn pipeline(max_series: usize, max_series_per_metric: usize) -> Pipeline {
    with_limits(SeriesLimits { max_series, max_series_per_metric, ..SeriesLimits::default() })
}

/// Of one shard, which takes what a batch brings in its order.
fn with_limits(limits: SeriesLimits) -> Pipeline {
    let settings =
        PipelineSettings { limits, overflow: true, shards: 1, ..PipelineSettings::default() };
    Pipeline::new(&settings)
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
            // Many of one batch, and known and unknown ones side by side.
            let batch: Vec<String> = (0..10 + round).map(|i| payload(kind, kind, i)).collect();
            assert_eq!(pipeline.batch(&batch), vec![None; batch.len()]);
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
        let batch = [payload(kind, kind, 0), payload(kind, kind, 1)];
        assert_eq!(pipeline.batch(&batch), [None, Some(Reason::MetricSeriesLimit)]);
    }
    assert!(!pipeline.exposition(Format::Text).contains("overflow"));
}

#[test]
fn a_family_without_a_live_series_gets_none() {
    let mut pipeline = pipeline(1, 1);
    let batch =
        [payload("counter", "a", 0), payload("counter", "b", 0), payload("counter", "a", 1)];
    assert_eq!(pipeline.batch(&batch), [None, Some(Reason::SeriesLimit), None]);
    assert_eq!(pipeline.catalog.families(), 1);
    assert_eq!(value(&mut pipeline, r#"a{otel_metric_overflow="true"}"#), Some(1.0));
}

#[test]
fn small_caches_and_many_shards_change_nothing() {
    for (cache_series, shards) in [(0, 1), (1, 3), (2, 8), (100, 4)] {
        let limits =
            SeriesLimits { max_series: 5, max_series_per_metric: 4, ..SeriesLimits::default() };
        let settings = PipelineSettings {
            limits,
            overflow: true,
            cache_series,
            shards,
            ..PipelineSettings::default()
        };
        let mut pipeline = Pipeline::new(&settings);
        for batch in 0..20 {
            let batch: Vec<String> =
                (0..7).map(|i| payload("counter", "c", i + batch % 3)).collect();
            assert_eq!(pipeline.batch(&batch), [None; 7]);
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

/// OpenTelemetry's programs send that label themselves.
#[test]
fn a_producers_own_overflow_series_does_not_stop_the_overflow() {
    let overflow = r#"{"type":"TYPE","name":"n","value":VALUE,"labels":{"otel_metric_overflow":"true"},"buckets":[1]}"#;
    let own = |kind: &str, value: &str| overflow.replace("TYPE", kind).replace("VALUE", value);
    for (kind, line) in [("counter", "n"), ("histogram", "n_count")] {
        for place in 0..=4 {
            for limits in [(1000, 2), (2, 1000)] {
                let mut pipeline = pipeline(limits.0, limits.1);
                let mut batch: Vec<String> = (0..4).map(|i| payload(kind, "n", i)).collect();
                // Below the limit it is a series like the others, and then takes the rest.
                batch.insert(place, own(kind, "1"));
                assert_eq!(pipeline.batch(&batch), [None; 5], "{kind} {place} {limits:?}");
                let counted = if place < 2 { 4.0 } else { 3.0 };
                let series = format!(r#"{line}{{otel_metric_overflow="true"}}"#);
                assert_eq!(value(&mut pipeline, &series), Some(counted), "{kind} {place}");
                assert_eq!(pipeline.batch(&batch), [None; 5]);
                assert_eq!(pipeline.catalog.live_series(), 2);
            }
        }
    }
}

#[test]
fn a_producers_own_overflow_series_comes_alone_at_the_limit() {
    let mut pipeline = pipeline(1000, 2);
    let own = r#"{"name":"n","value":100,"labels":{"otel_metric_overflow":true}}"#;
    let batch = [payload("counter", "n", 0), payload("counter", "n", 1)];
    assert_eq!(pipeline.batch(&batch), [None; 2]);
    assert_eq!(pipeline.batch(&[own]), [None]);
    assert_eq!(pipeline.batch(&[payload("counter", "n", 2)]), [None]);
    assert_eq!(value(&mut pipeline, r#"n{otel_metric_overflow="true"}"#), Some(101.0));
    // Of a family without a live series there is nothing to add to.
    let other = r#"{"name":"m","value":1,"labels":{"otel_metric_overflow":"true"}}"#;
    let mut full = self::pipeline(1, 1);
    assert_eq!(full.batch(&[payload("counter", "n", 0)]), [None]);
    assert_eq!(full.batch(&[other]), [Some(Reason::SeriesLimit)]);
    // A gauge is never folded.
    let gauge =
        r#"{"type":"gauge","name":"n2","value":1,"labels":{"otel_metric_overflow":"true"}}"#;
    let mut gauges = self::pipeline(1000, 1);
    let batch = [payload("gauge", "n2", 0), gauge.to_owned()];
    assert_eq!(gauges.batch(&batch), [None, Some(Reason::MetricSeriesLimit)]);
}

/// Long labels within the limit on their number: what they take is bounded too,
/// and what goes makes room.
#[test]
fn labels_without_end_take_bounded_room() {
    const ROOM: usize = 10_000;
    let long = |number: usize| {
        let pad = "x".repeat(980);
        format!(r#"{{"name":"n","value":1,"labels":{{"i":"{number:02}","pad":"{pad}"}}}}"#)
    };
    let batch: Vec<String> = (0..20).map(long).collect();
    let limits = SeriesLimits { max_series_bytes: ROOM, ..SeriesLimits::default() };
    let mut folding = with_limits(limits);
    assert_eq!(folding.batch(&batch), [None; 20]);
    assert!((9000..=ROOM).contains(&folding.catalog.series_bytes()));
    let kept = folding.catalog.live_series() as f64;
    assert_eq!(value(&mut folding, r#"n{otel_metric_overflow="true"}"#), Some(20.0 - kept));

    for sort_labels in [true, false] {
        let settings = PipelineSettings { limits, sort_labels, ..PipelineSettings::default() };
        let mut pipeline = Pipeline::new(&settings);
        let refused = pipeline.batch(&batch).into_iter().flatten().collect::<Vec<_>>();
        assert!((9..=11).contains(&refused.len()));
        assert!(refused.iter().all(|reason| *reason == Reason::SeriesBytesLimit));
        // Neither has a new metric room, be it for its name, its help or its buckets.
        let help = "h".repeat(2000);
        let metric = format!(r#"{{"name":"m","value":1,"help":"{help}"}}"#);
        let bounds: Vec<String> = (0..100).map(|bound| bound.to_string()).collect();
        let histogram = format!(
            r#"{{"type":"histogram","name":"h","value":1,"buckets":[{}]}}"#,
            bounds.join(",")
        );
        let late = format!(r#"{{"name":"n","value":1,"help":"{help}","labels":{{"i":"x"}}}}"#);
        let refused = pipeline.batch(&[metric, histogram, late]);
        assert_eq!(refused, [Some(Reason::SeriesBytesLimit), Some(Reason::SeriesBytesLimit), None]);
        assert!(pipeline.catalog.series_bytes() <= ROOM);
        assert!(!pipeline.exposition(Format::Text).contains("hhh"));
        let family = pipeline.catalog.retire("n").expect("it is there");
        for store in &mut pipeline.stores {
            let mut job = store.begin_removal(family.clone());
            while !store.remove_some(&mut job, 3) {}
        }
        drop(family);
        pipeline.tell();
        pipeline.batch(&[""; 0]);
        assert_eq!(pipeline.catalog.series_bytes(), 0, "all of it is given back");
        assert_eq!(pipeline.batch(&batch[..2]), [None; 2]);
    }
}
