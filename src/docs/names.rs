//! Names in the documents: each setting, self-metric and path of the HTTP side
//! that one names is there.

use psg_actors::http::ROUTES;
use psg_actors::self_metrics::table::SELF_METRICS;
use psg_engine::metric::Kind;

use super::{documents, read};
use crate::config::document;

/// What else is read: comments, descriptions and examples name them too.
const OTHERS: [&str; 5] = [
    "compose.yaml",
    "compose/prometheus.yml",
    "compose/rules/alerts.yml",
    "compose/rules/recording.yml",
    "compose/grafana/dashboards/gateway.json",
];

const PREFIX: &str = "prom_stream_gateway_";

/// Whatever begins like a name, by what may be in one.
fn words(text: &str, is_part: fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |letter| !is_part(letter)).filter(|word| !word.is_empty())
}

/// Each document with its text.
fn texts() -> Vec<(String, String)> {
    let names = documents().into_iter().chain(OTHERS.map(str::to_owned));
    names.map(|name| (name.clone(), read(&name))).collect()
}

/// The section and the key of a word like `Redis.Delivery` or `Redis__Delivery`.
fn setting(word: &str) -> Option<(&str, &str)> {
    let (section, key) = word.split_once("__").or_else(|| word.split_once('.'))?;
    let sections = ["Redis", "Metrics", "Shards", "Http", "Embedded", "Log"];
    let is_key = key.starts_with(|first: char| first.is_ascii_uppercase());
    (sections.contains(&section) && is_key).then_some((section, key))
}

#[test]
fn every_setting_named_is_there() {
    let settings: Vec<&str> = document::names().collect();
    let mut count = 0;
    for (name, text) in texts() {
        for word in words(&text, |c| c.is_ascii_alphanumeric() || "._".contains(c)) {
            if let Some((section, key)) = setting(word.trim_end_matches('.')) {
                let whole = format!("{section}.{key}");
                assert!(settings.contains(&whole.as_str()), "{name}: there is no setting {word}");
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_self_metric_named_is_there() {
    let known: Vec<(String, Kind)> =
        SELF_METRICS.iter().map(|metric| (metric.full_name(), metric.kind)).collect();
    let mut count = 0;
    for (name, text) in texts() {
        // A payload may have one that is refused.
        let lines = text.lines().filter(|line| !line.starts_with("{\""));
        let words =
            lines.flat_map(|line| words(line, |c| c.is_ascii_alphanumeric() || "_:".contains(c)));
        for word in words {
            let word = word.trim_end_matches(':');
            // With a colon in it, it is the name of a recording.
            if !word.starts_with(PREFIX) || word.contains(':') {
                continue;
            }
            // What ends like that is the beginning of several.
            let is_it = |(metric, kind): &(String, Kind)| match word.ends_with('_') {
                true => metric.starts_with(word),
                false => word
                    .strip_prefix(metric.as_str())
                    .is_some_and(|rest| rest.is_empty() || kind.suffixes().contains(&rest)),
            };
            assert!(known.iter().any(is_it), "{name}: there is no {word}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_path_named_is_there() {
    let known: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    let mut count = 0;
    for (name, text) in texts().into_iter().filter(|(name, _)| name.ends_with(".md")) {
        for word in words(&text, |c| c.is_ascii_alphanumeric() || "/-_{}".contains(c)) {
            let Some(at) = word.find("/api/v1/").or_else(|| word.find("/-/")) else { continue };
            let path = &word[at..];
            let is_it = |route: &&str| match route.split_once('{') {
                Some((before, _)) => path.starts_with(before),
                None => path == *route,
            };
            assert!(known.iter().any(is_it), "{name}: there is no {path}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_readme_tells_the_version_and_the_compiler_of_the_manifest() {
    let readme = read("README.md");
    let version = env!("CARGO_PKG_VERSION");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    for words in [
        format!("badge/version-{version}-"),
        format!("badge/rust-{rust}+-"),
        format!("**Status:** {version},"),
        format!("Rust {rust} or later"),
    ] {
        assert!(readme.contains(&words), "README.md does not say {words}");
    }
}
