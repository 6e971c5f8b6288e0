//! The dashboards are whole, and ask for what there is.

use std::fs;

use serde_json::Value;

use crate::metrics::check_query;
use crate::{path, yaml};

const DASHBOARDS: &str = "compose/grafana/dashboards";

fn dashboards() -> Vec<Value> {
    let files = fs::read_dir(path(DASHBOARDS)).expect("a folder of dashboards");
    let files = files.map(|entry| entry.expect("an entry").path());
    files
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a file");
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect()
}

/// Each `(panel's title, query)` of a dashboard.
fn queries(dashboard: &Value) -> Vec<(&str, &str)> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels
        .iter()
        .flat_map(|panel| {
            let title = panel["title"].as_str().expect("a panel has a title");
            let targets = panel["targets"].as_array().expect("a panel has queries");
            targets.iter().map(move |target| (title, target["expr"].as_str().expect("a query")))
        })
        .collect()
}

#[test]
fn dashboards_query_metrics_that_exist() {
    let mut checked = 0;
    for dashboard in dashboards() {
        for (panel, query) in queries(&dashboard) {
            check_query(query).unwrap_or_else(|error| panic!("panel {panel}: {error}"));
            checked += 1;
        }
    }
    assert!(checked > 0, "no query was checked");
}

#[test]
fn dashboards_explain_themselves_and_have_a_datasource() {
    let provisioned = yaml("compose/grafana/provisioning/datasources/prometheus.yaml");
    let uid = &provisioned["datasources"][0]["uid"];
    assert!(uid.is_string(), "{provisioned}");
    for dashboard in dashboards() {
        for panel in dashboard["panels"].as_array().expect("panels") {
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{panel}");
            assert_eq!(&panel["datasource"]["uid"], uid, "{panel}");
        }
    }
}
