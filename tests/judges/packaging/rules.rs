//! Recording and alerting rules: they ask for what there is, say what to do, and
//! each alert has unit tests for both its states.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::metrics::check_query;
use super::{path, strings, yaml};

const ALERTS: &str = "compose/rules/alerts.yml";
const RECORDING: &str = "compose/rules/recording.yml";
const TESTS: [&str; 2] =
    ["tests/prometheus/rules/alerts.yml", "tests/prometheus/rules/recording.yml"];

/// All rules of a file.
fn rules(file: &str) -> Vec<Value> {
    let groups = list(&yaml(file)["groups"]);
    groups.iter().flat_map(|group| list(&group["rules"])).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).clone()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

#[test]
fn rules_ask_for_metrics_that_exist() {
    for rule in [rules(ALERTS), rules(RECORDING)].concat() {
        let query = text(&rule, "expr");
        // Whether the gateway answers is told by Prometheus.
        if !query.contains(r#"up{job="prom-stream-gateway"}"#) {
            check_query(query).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// What Alertmanager's templates show, and a link to where cause and cure stand.
#[test]
fn alerts_say_what_is_wrong_and_lead_to_what_to_do() {
    let debug = super::text("docs/debug.md");
    let mut names = BTreeSet::new();
    for alert in rules(ALERTS) {
        let name = text(&alert, "alert");
        assert!(name.starts_with("PromStreamGateway"), "{name}");
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let severity = text(&alert["labels"], "severity");
        assert!(["warning", "critical"].contains(&severity), "{name} is {severity}");
        let annotations = alert["annotations"].as_object().expect("annotations");
        assert!(annotations.keys().eq(["description", "runbook_url", "summary"]), "{name}");
        for part in ["summary", "description"] {
            let said = text(&alert["annotations"], part);
            assert!(said.len() > 15, "{name} has no {part}");
            // `increase` gives 147.6 samples.
            let is_plain =
                said.contains("{{ $value }}") || said.contains("{{ $value | humanize }}");
            let counts = text(&alert, "expr").contains("increase(");
            assert!(!(is_plain && counts), "{name}: {said}");
        }
        let link = text(&alert["annotations"], "runbook_url");
        let (page, anchor) = link.split_once('#').expect("a section");
        assert!(page.ends_with("/docs/debug.md"), "{link}");
        // As GitHub makes it of the headline.
        assert_eq!(anchor, name.to_lowercase());
        let (_, section) = debug.split_once(&format!("\n### {name}\n")).expect(name);
        let section = section.split("\n#").next().expect("a first part");
        assert!(section.trim().len() > 100, "{name}: nothing says what to do");
    }
    assert!(!names.is_empty());
}

#[test]
fn prometheus_loads_all_rules() {
    let prometheus = yaml("compose/prometheus.yml");
    assert_eq!(strings(&prometheus["rule_files"]).collect::<Vec<_>>(), ["rules/*.yml"]);
    // The folder stands beside the file, here and in the container.
    let compose = yaml("compose.yaml");
    let mounts: Vec<_> = strings(&compose["services"]["prometheus"]["volumes"]).collect();
    assert!(mounts.contains(&"./compose/prometheus.yml:/etc/prometheus/prometheus.yml:ro"));
    assert!(mounts.contains(&"./compose/rules:/etc/prometheus/rules:ro"));
    let job = &prometheus["scrape_configs"][0]["job_name"];
    assert_eq!(job, "prom-stream-gateway", "the alerts ask for it");

    let said = promtool(&["check", "config"], &[path("compose/prometheus.yml")]);
    assert!(said.is_none_or(|said| said.contains("2 rule files found")));
}

#[test]
fn prometheus_takes_the_jobs_of_the_deploying_page() {
    let page = super::text("deploy/README.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let mut jobs = 0;
    for block in blocks.flatten().filter(|block| block.starts_with("scrape_configs:")) {
        let file = folder.path().join("prometheus.yml");
        // Debian builds Prometheus without that discovery.
        let discovery = "kubernetes_sd_configs: [{ role: pod }]";
        let known = block.replace(discovery, "static_configs: [{ targets: [x] }]");
        std::fs::write(&file, known).expect("the folder can be written");
        promtool(&["check", "config"], &[file]);
        let parsed: Value = serde_yaml_ng::from_str(block).expect("YAML");
        assert_eq!(parsed["scrape_configs"][0]["job_name"], "prom-stream-gateway");
        assert_eq!(parsed["scrape_configs"][0]["honor_labels"], true);
        jobs += 1;
    }
    assert_eq!(jobs, 2);
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules"], &TESTS.map(path));
}

/// Runs promtool, which must succeed; what it says, or nothing where there is none.
fn promtool(arguments: &[&str], files: &[PathBuf]) -> Option<String> {
    let Ok(output) = Command::new("promtool").args(arguments).args(files).output() else {
        eprintln!("skipped: there is no promtool");
        return None;
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    Some(said)
}

/// Each scenario is named after the alert that it is about.
#[test]
fn each_alert_is_tested_in_both_states() {
    let scenarios = list(&yaml(TESTS[0])["tests"]);
    for alert in rules(ALERTS) {
        let name = text(&alert, "alert");
        let fires = |scenario: &Value| {
            let expected = list(&scenario["promql_expr_test"]);
            let label = format!(r#"alertname="{name}""#);
            let names = |sample: &Value| text(sample, "labels").contains(&label);
            expected.iter().any(|at| list(&at["exp_samples"]).iter().any(names))
        };
        let about = |state: &str| {
            let beginning = format!("{name} {state} ");
            let is_about = |one: &&Value| text(one, "name").starts_with(&beginning);
            scenarios.iter().filter(is_about).collect::<Vec<_>>()
        };
        let (firing, silent) = (about("fires"), about("is silent"));
        assert!(!firing.is_empty() && firing.into_iter().all(fires), "{name} fires nowhere");
        assert!(!silent.is_empty() && !silent.into_iter().any(fires), "{name} is never silent");
    }
    for scenario in &scenarios {
        for at in list(&scenario["promql_expr_test"]) {
            assert_eq!(text(&at, "expr"), r#"ALERTS{alertstate="firing"}"#, "it names all alerts");
        }
    }
}

#[test]
fn each_recorded_series_is_tested() {
    let scenarios = list(&yaml(TESTS[1])["tests"]);
    let expected = scenarios.iter().flat_map(|scenario| list(&scenario["promql_expr_test"]));
    let tested: BTreeSet<String> = expected.map(|at| text(&at, "expr").to_owned()).collect();
    let rules = rules(RECORDING);
    let recorded: BTreeSet<String> =
        rules.iter().map(|rule| text(rule, "record").to_owned()).collect();
    assert_eq!(tested, recorded);
}
