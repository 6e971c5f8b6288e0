//! The dashboards are whole, and ask for what there is. That each query is
//! answered is for `tests/judges/prometheus/dashboard.rs` to tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use super::metrics::{check_query, named_labels};
use super::{path, yaml};

const DASHBOARDS: &str = "compose/grafana/dashboards";
const SCRIPT: &str = "tests/judges/packaging/check_dashboard.py";
const PACKAGE_IS_MISSING: i32 = 3;

/// Columns of a dashboard.
const WIDTH: u64 = 24;

fn files() -> Vec<PathBuf> {
    let files = fs::read_dir(path(DASHBOARDS)).expect("a folder of dashboards");
    let files: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
    assert!(!files.is_empty(), "there is a dashboard");
    files
}

fn dashboards() -> Vec<Value> {
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a file");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files().into_iter().map(read).collect()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("no list {field} in {value}"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

/// What is no headline.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "panels").iter().filter(|panel| panel["type"] != "row")
}

#[test]
fn dashboards_query_metrics_that_exist() {
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            assert!(!list(panel, "targets").is_empty(), "panel {title} asks for nothing");
            for target in list(panel, "targets") {
                let query = text(target, "expr");
                check_query(query).unwrap_or_else(|error| panic!("panel {title}: {error}"));
                check_legend(text(target, "legendFormat"), query);
            }
        }
        for annotation in list(&dashboard["annotations"], "list") {
            let query = text(&annotation["target"], "expr");
            check_query(query).unwrap_or_else(|error| panic!("{annotation}: {error}"));
        }
        for variable in queried_variables(&dashboard) {
            let query = text(&variable["query"], "query");
            check_query(query).unwrap_or_else(|error| panic!("{variable}: {error}"));
        }
    }
}

/// A label that a query has summed away would show as nothing.
fn check_legend(legend: &str, query: &str) {
    let labels = legend.split("{{").skip(1).map(|rest| rest.split("}}").next().expect("a part"));
    for label in labels {
        assert!(named_labels(query).contains(label), "{legend} of {query}");
    }
}

/// The variables that are filled by a query.
fn queried_variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["templating"], "list").iter().filter(|one| one["type"] == "query")
}

/// So that it can be imported into any Grafana, whatever its Prometheus is called.
#[test]
fn panels_explain_themselves_and_ask_the_datasource_that_is_chosen() {
    let provisioned = yaml("compose/grafana/provisioning/datasources/prometheus.yaml");
    assert_eq!(provisioned["datasources"][0]["isDefault"], true, "it is the one chosen at first");
    for dashboard in dashboards() {
        let first = &list(&dashboard["templating"], "list")[0];
        let chooser = ["name", "type", "query"].map(|field| text(first, field));
        assert_eq!(chooser, ["datasource", "datasource", "prometheus"]);
        for panel in panels(&dashboard) {
            assert!(!text(panel, "description").is_empty(), "{panel}");
            let targets = list(panel, "targets");
            for source in targets.iter().chain([panel]) {
                assert_eq!(source["datasource"]["uid"], "${datasource}", "{source}");
            }
            let references = targets.iter().map(|target| text(target, "refId"));
            assert_eq!(references.collect::<BTreeSet<_>>().len(), targets.len(), "{panel}");
        }
        let annotations = list(&dashboard["annotations"], "list");
        for source in annotations.iter().chain(queried_variables(&dashboard)) {
            assert_eq!(source["datasource"]["uid"], "${datasource}", "{source}");
        }
    }
}

#[test]
fn no_panel_mixes_units() {
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            let overrides = list(&panel["fieldConfig"], "overrides").iter();
            let mut properties = overrides.flat_map(|one| list(one, "properties"));
            assert!(properties.all(|property| property["id"] != "unit"), "{title} has two units");
        }
    }
}

/// A state file is written each minute, a rate's interval may be 20 seconds: in
/// most of them there is no checkpoint, and the quantile of nothing is NaN.
#[test]
fn quantiles_of_checkpoints_are_over_a_time_that_has_some() {
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in list(panel, "targets") {
                let query = text(target, "expr");
                let is_quantile = query.contains("_quantile(") && query.contains("_checkpoint_");
                assert!(!is_quantile || query.contains("[5m]"), "{query}");
            }
        }
    }
}

#[test]
fn each_panel_has_its_own_id_and_place() {
    for dashboard in dashboards() {
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&dashboard, "panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "the id of {title} is taken");
            let of = |side: &str| panel["gridPos"][side].as_u64().expect("a number");
            let (x, y, width, height) = (of("x"), of("y"), of("w"), of("h"));
            assert!(width > 0 && height > 0 && x + width <= WIDTH, "{title} does not fit");
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{title} lies over another panel");
            }
        }
        // Grafana would move panels up into a gap.
        let lines: BTreeSet<u64> = taken.iter().map(|(_, y)| *y).collect();
        assert_eq!(lines.len() as u64, lines.last().expect("there are panels") + 1, "a gap");
    }
}

#[test]
fn dashboards_show_what_an_operator_asks_first() {
    let all: String = dashboards().iter().map(Value::to_string).collect();
    for name in [
        "processed_metrics_total",
        "redis_queue_pending_size",
        "queue_lag_seconds",
        "rejected_samples_total",
        "series",
        "apply_seconds_total",
        "scrape_duration_seconds_bucket",
        "redis_up",
        "redis_errors_total",
    ] {
        assert!(all.contains(&format!("prom_stream_gateway_{name}{{")), "no panel has {name}");
    }
}

/// What Grafana's own types say of dashboards, where the package is installed.
fn judged_by_grafanas_types(files: &[PathBuf]) -> Option<Output> {
    let named = std::env::var("PSG_PYTHON");
    let python = named.clone().unwrap_or_else(|_| "python3".into());
    let output = match Command::new(&python).arg(path(SCRIPT)).args(files).output() {
        Err(_) if named.is_err() => {
            eprintln!("skipped: there is no {python}");
            return None;
        }
        output => output.expect("what PSG_PYTHON names runs"),
    };
    if output.status.code() == Some(PACKAGE_IS_MISSING) && named.is_err() {
        eprintln!("skipped: {python} has no package grafana_foundation_sdk");
        return None;
    }
    Some(output)
}

#[test]
fn grafana_knows_all_that_a_dashboard_says() {
    if let Some(output) = judged_by_grafanas_types(&files()) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_grafana_does_not_know_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    for (right, wrong) in [("\"gridPos\"", "\"gridpos\""), ("\"graphMode\"", "\"graphMood\"")] {
        let text = fs::read_to_string(&files()[0]).expect("a file");
        let file = folder.path().join("dashboard.json");
        fs::write(&file, text.replacen(right, wrong, 1)).expect("the folder can be written");
        if let Some(output) = judged_by_grafanas_types(&[file]) {
            assert_eq!(output.status.code(), Some(1));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(wrong.trim_matches('"')), "{said}");
        }
    }
}
