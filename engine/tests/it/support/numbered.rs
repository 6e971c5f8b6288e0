//! Series as numbers: a number says a series' type, name and labels, and what a
//! sample of it looks like. The overflow series of its metric has one too.

use psg_engine::catalog::Family;
use psg_engine::labels::LabelPairs;
use psg_engine::metric::Shape;
use psg_engine::sharding::{ShardCount, series_hash};

/// Types and names come round again after so many.
const ROUND: usize = 6;
/// The numbers of overflow series, one for each of these, begin here.
const OVERFLOW: usize = 1000 * ROUND;
const OVERFLOW_LABELS: &str = "otel_metric_overflow=\"true\"";

/// Two thirds of the series are counters and histograms.
pub fn kind(series: usize) -> &'static str {
    ["counter", "gauge", "histogram"][series % 3]
}

pub fn name(series: usize) -> String {
    format!("{}_{}", kind(series), series % 2)
}

/// The overflow series of a series' metric.
pub fn overflow_of(series: usize) -> usize {
    OVERFLOW + series % ROUND
}

fn labels(series: usize) -> String {
    if series < OVERFLOW { format!("s=\"{series}\"") } else { OVERFLOW_LABELS.into() }
}

/// The number of the series of that metric with that label text.
pub fn number_of(metric: &str, text: &str) -> usize {
    if text == OVERFLOW_LABELS {
        let first = (0..ROUND).find(|series| name(*series) == metric);
        return overflow_of(first.expect("a metric of ours"));
    }
    let number = text.trim_start_matches("s=").trim_matches('"').parse().expect("a number");
    assert_eq!(labels(number), text);
    number
}

/// A sample.
pub fn payload(series: usize, quarters: u32) -> String {
    format!(
        r#"{{"type":"{}","name":"{}","value":{}{},"labels":{{"s":"{series}"}},"buckets":[1,2]}}"#,
        kind(series),
        name(series),
        f64::from(quarters) / 4.0,
        if is_set(series) || kind(series) != "gauge" { "" } else { r#","op":"add""# },
    )
}

/// Whether samples of a series replace each other; to every other gauge they add.
pub fn is_set(series: usize) -> bool {
    kind(series) == "gauge" && series % 2 == 1
}

/// The shard of a series.
pub fn owner(series: usize, shards: usize) -> usize {
    let family = Family::standalone(&name(series), "", Shape::Counter);
    let hash = series_hash(family.name_hash(), LabelPairs::from_text(&labels(series)));
    ShardCount::new(shards).owner_of(hash).get()
}
