//! Tables in `docs/` that come from the code. Each test compares one with what
//! stands between its markers; with `UPDATE_DOCS=1` it is written there. And that
//! the documents name what there is.

mod figures;
mod links;
mod log_lines;
mod names;
mod places;
mod shape;

use std::path::{Path, PathBuf};

use psg_actors::http::ROUTES;
use psg_actors::self_metrics::table::{SELF_METRICS, SelfMetric};
use psg_actors::source::redis::doctor::rights::{self, Right};
use psg_engine::reject::Reason;
use psg_testkit::sections::{check_section, split};

use crate::config::document;

fn path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(page)
}

fn read(page: &str) -> String {
    std::fs::read_to_string(path(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Every document, from the root of the repository: those in the root itself, in
/// `docs/`, its decisions, and in `deploy/`.
fn documents() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "docs/", "docs/adr/", "deploy/"] {
        let entries = std::fs::read_dir(path(folder)).expect("a folder of documents");
        let files = entries.map(|entry| entry.expect("an entry").file_name());
        names.extend(files.map(|file| format!("{folder}{}", file.to_string_lossy())));
    }
    names.retain(|name| name.ends_with(".md"));
    names.sort();
    names
}

fn reasons_markdown() -> String {
    let mut text = String::from("| Reason | When |\n| --- | --- |\n");
    for reason in Reason::ALL {
        text.push_str(&format!("| `{}` | {} |\n", reason.as_str(), reason.meaning()));
    }
    text
}

fn routes_markdown() -> String {
    let mut text = String::from("| Path | Answer to GET and HEAD |\n| --- | --- |\n");
    for route in ROUTES {
        text.push_str(&format!("| `{}` | {} |\n", route.path, route.meaning));
    }
    text
}

fn self_metrics_markdown() -> String {
    let mut text = String::from("| Name | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n");
    SELF_METRICS.iter().for_each(|metric| text.push_str(&self_metric_row(metric)));
    text
}

fn self_metric_row(metric: &SelfMetric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let (name, kind, labels) = (metric.full_name(), metric.kind.as_str(), labels.join(", "));
    assert!(!metric.help.contains('|'), "{name}: breaks the table");
    format!("| `{name}` | {kind} | {labels} | {} |\n", metric.help)
}

#[test]
fn settings() {
    check_section("docs/tune.md", "settings", &document::table_markdown());
}

#[test]
fn reasons() {
    check_section("docs/debug.md", "reasons", &reasons_markdown());
}

#[test]
fn routes() {
    check_section("docs/debug.md", "routes", &routes_markdown());
}

#[test]
fn self_metrics() {
    check_section("docs/debug.md", "self-metrics", &self_metrics_markdown());
}

/// The commands that a page gives a right to in the text that begins with
/// `beginning` and ends with `end`.
fn given_behind(page: &str, beginning: &str, end: &str) -> Vec<String> {
    let text = read(page);
    let begins = text.find(beginning).unwrap_or_else(|| panic!("{page} has {beginning}"));
    let part = text[begins..].split(end).next().expect("a split has a first part");
    let words = part.split(|letter: char| letter.is_whitespace() || "'`".contains(letter));
    let mut rules: Vec<String> =
        words.filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect();
    rules.sort();
    rules
}

#[test]
fn rights_are_those_of_the_commands_that_are_sent() {
    let check = |page: &str, beginning: &str, end: &str, tables: &[&[Right]]| {
        let rights = tables.iter().copied().flatten();
        let mut expected: Vec<String> = rights.map(|right| right.rule.to_owned()).collect();
        expected.sort();
        expected.dedup();
        assert_eq!(given_behind(page, beginning, end), expected, "{beginning}");
    };
    let queue = "redis-cli ACL SETUSER gateway on '>secret' '~prom-stream-gateway:metric-queue' ";
    check("docs/run.md", &format!("{queue}\\\n"), "\nredis-cli", &[rights::AT_MOST_ONCE]);
    let once = format!("{queue}'~{{");
    check("docs/guarantee.md", &once, "```", &[rights::EXACTLY_ONCE, rights::BESIDE]);
    let partitions = &[rights::EXACTLY_ONCE, rights::BESIDE, rights::AT_HOMES];
    check("docs/scale.md", "redis-cli ACL SETUSER gateway", "```", partitions);
    check("docs/run.md", "With `+hmget", " on the keys", &[rights::BESIDE]);
    check(
        "docs/debug.md",
        "the user needs the rights `",
        "` on both keys",
        &[rights::DEAD_LETTERS],
    );
}

#[test]
#[should_panic(expected = "there is the marker <!-- none:begin -->")]
fn a_section_without_markers_is_an_error() {
    split("# title\n", "none");
}

#[test]
fn sections_are_what_stands_between_the_markers() {
    let text = "a\n<!-- x:begin -->\nb\n<!-- x:end -->\nc";
    assert_eq!(split(text, "x"), ("a\n<!-- x:begin -->\n", "b\n", "<!-- x:end -->\nc"));
}
