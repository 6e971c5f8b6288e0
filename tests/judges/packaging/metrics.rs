//! The gateway's own metrics in PromQL: that what a query names is there.

use std::collections::BTreeSet;

use psg_actors::self_metrics::table::{SELF_METRICS, SelfMetric};
use psg_engine::metric::Kind;
use psg_engine::name::RESERVED_PREFIX;

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

/// The names of the gateway's own metrics in a query.
fn own_names(query: &str) -> BTreeSet<&str> {
    query.split(|letter| !is_of_name(letter)).filter(|w| w.starts_with(RESERVED_PREFIX)).collect()
}

/// The labels that a query groups by, drops or matches on.
pub fn named_labels(query: &str) -> BTreeSet<&str> {
    let lists = ["by (", "without (", "on ("].iter().flat_map(|word| query.split(word).skip(1));
    let lists = lists.map(|rest| rest.split(')').next().expect("a split has a first part"));
    lists.flat_map(|list| list.split(',').map(str::trim)).collect()
}

/// Checks that the metrics of the gateway that a query names are there, at least
/// one, and that each has the labels that it groups by.
pub fn check_query(query: &str) -> Result<(), String> {
    let names = own_names(query);
    if names.is_empty() {
        return Err(format!("no metric of the gateway in {query}"));
    }
    for name in names {
        let metric = printed_by(name).ok_or_else(|| format!("no metric {name} for {query}"))?;
        let has = |label: &&str| {
            // Prometheus' own, which each series has.
            ["job", "instance"].contains(label)
                || metric.labels.contains(label)
                || (*label == "le" && metric.kind == Kind::Histogram)
        };
        if let Some(label) = named_labels(query).iter().find(|label| !has(label)) {
            return Err(format!("{name} has no label {label}, which is in {query}"));
        }
    }
    Ok(())
}

/// The self-metric that prints a name, as Prometheus stores it.
fn printed_by(name: &str) -> Option<&'static SelfMetric> {
    SELF_METRICS.iter().find(|metric| {
        let full = metric.full_name();
        let has_suffix = |suffix: &&str| name == format!("{full}{suffix}");
        // A histogram prints nothing without a suffix.
        name == full && metric.kind != Kind::Histogram
            || metric.kind.suffixes().iter().any(has_suffix)
    })
}

#[test]
fn a_query_of_what_is_not_there_is_found() {
    let wrong = |query| check_query(query).expect_err(query);
    assert!(wrong("sum(prom_stream_gateway_none)").contains("no metric prom_stream_gateway_none"));
    assert!(wrong("sum by (worker) (prom_stream_gateway_series)").contains("no label worker"));
    assert!(wrong("prom_stream_gateway_scrape_duration_seconds").contains("no metric"));
    assert!(wrong("up").contains("no metric of the gateway"));
    check_query("sum by (shard) (prom_stream_gateway_series)").expect("it is there");
}
