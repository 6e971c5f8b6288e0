//! What a real Prometheus makes of a real gateway: each test runs with every
//! Prometheus that is there.

mod alerts;
mod combinations;
mod dashboard;
mod exemplars;
mod formats;
mod instances;
mod load;
mod names;
mod restarts;
mod text_only;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use psg_testkit::prometheus::{Edition, Labels, Prometheus, Track, job};
use psg_testkit::totals::Totals;
use text_only::TextOnly;

/// How often targets are scraped: often, for the tests to be short.
const INTERVAL: &str = "500ms";

/// The same where no scrape may fail. It is the time that a scrape may take too,
/// and other tests run on the machine.
const PATIENT_INTERVAL: &str = "1s";

/// The jobs, each of which scrapes the same gateway in the format of its name.
const FORMATS: [&str; 2] = ["openmetrics", "text"];

/// A Prometheus that scrapes one gateway by two jobs: one asks as it always does,
/// one for the text format only.
fn scraping_in_both_formats(edition: &Edition, port: u16) -> Prometheus {
    let [openmetrics, text] = FORMATS;
    let mut text = job(text, port, PATIENT_INTERVAL);
    if edition.major() >= 3 {
        text["scrape_protocols"] = json!(["PrometheusText0.0.4"]);
    } else {
        // It has no setting for that.
        text["static_configs"][0]["targets"][0] = Value::from(TextOnly::before(port).address());
    }
    let jobs = [job(openmetrics, port, PATIENT_INTERVAL), text];
    Prometheus::with(edition, &json!({"scrape_configs": jobs}))
}

/// What producers push and only rises, as a job has it in Prometheus, in the words
/// of the truth, with what `sum` makes of the samples of each series.
fn rising(prometheus: &Prometheus, job: &str, sum: impl Fn(&Track) -> f64) -> Totals {
    let names = "c_total|t_total|h_.*|s_(sum|count)";
    let tracks = prometheus.samples(&format!(r#"{{__name__=~"{names}",job="{job}"}}[10m]"#));
    tracks.iter().map(|track| (key(&track.labels), sum(track))).collect()
}

/// `name{label=value,…}` without the labels of the target. Bounds and quantiles
/// that are whole are `1` in the text format, `1.0` in OpenMetrics and in
/// Prometheus 3.
fn key(labels: &Labels) -> String {
    let of_target = |name: &str| ["__name__", "job", "instance"].contains(&name);
    let pushed = labels.iter().filter(|(name, _)| !of_target(name));
    let pushed = pushed.map(|(name, value)| match (name.as_str(), value.parse::<f64>()) {
        ("le" | "quantile", Ok(number)) if number.is_finite() => format!("{name}={number}"),
        _ => format!("{name}={value}"),
    });
    let pushed: Vec<String> = pushed.collect();
    format!("{}{{{}}}", labels["__name__"], pushed.join(","))
}

/// Checks `increase` and `rate` of some series against their samples: what they
/// give is the increase of the samples, and what it may have been before the first
/// of them and behind the last, which is 1.1 intervals at most.
fn check_extrapolation(prometheus: &Prometheus, selector: &str) {
    let tracks = prometheus.samples(&format!("{selector}[10m]"));
    assert!(!tracks.is_empty(), "{selector} has no samples");
    let increases = values(prometheus, &format!("increase({selector}[10m])"));
    let rates = values(prometheus, &format!("rate({selector}[10m])"));
    for track in tracks.iter().filter(|track| track.samples.len() > 1) {
        let raw = track.increase();
        let mut labels = track.labels.clone();
        labels.remove("__name__");
        let (increase, rate) = (increases[&labels], rates[&labels]);
        let most = raw * (1.0 + 2.2 / (track.samples.len() - 1) as f64);
        assert!(
            (raw - 1e-6..=most + 1e-6).contains(&increase),
            "{labels:?} increased by {raw} to {most}, increase() says {increase}"
        );
        assert!((rate * 600.0 - increase).abs() <= 0.01 * increase + 1e-6, "{rate} {increase}");
    }
}

fn values(prometheus: &Prometheus, promql: &str) -> BTreeMap<Labels, f64> {
    let points = prometheus.query(promql);
    points.into_iter().map(|point| (point.labels, point.value)).collect()
}
