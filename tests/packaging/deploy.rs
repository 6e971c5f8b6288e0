//! The examples in `deploy/`: their settings are sound, their versions are the
//! program's, and what they say of delivery is what they do. Whether they are
//! what Kubernetes, Helm and ECS take, `deploy/validate/run` checks.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::{check_config, image_environment, path, strings, text, yaml};

/// Stands for a secret that is not in the example.
const SECRET: &str = "redis:6379,password=secret";

/// Every document of a manifest.
fn documents(file: &str) -> Vec<Value> {
    let text = text(file);
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    let parsed =
        documents.map(|one| Value::deserialize(one).unwrap_or_else(|e| panic!("{file}: {e}")));
    parsed.collect()
}

fn manifests() -> Vec<String> {
    let files = fs::read_dir(path("deploy/kubernetes")).expect("a folder of manifests");
    let names = files.map(|entry| entry.expect("an entry").file_name());
    names.map(|name| format!("deploy/kubernetes/{}", name.to_string_lossy())).collect()
}

/// The pod's description in the first document of a manifest.
fn pod(file: &str) -> Value {
    documents(file)[0]["spec"]["template"]["spec"].clone()
}

/// The container of the gateway.
fn gateway(pod: &Value) -> Value {
    let containers = ["initContainers", "containers"].map(|key| pod[key].as_array());
    let mut containers = containers.into_iter().flatten().flatten();
    containers.find(|container| container["name"] == "gateway").expect("a gateway").clone()
}

/// What a container sets, over its image.
fn environment(container: &Value, key: &str) -> BTreeMap<String, String> {
    let set = container[key].as_array().into_iter().flatten().map(|variable| {
        let name = variable["name"].as_str().expect("a name").to_owned();
        (name, variable["value"].as_str().unwrap_or(SECRET).to_owned())
    });
    image_environment().into_iter().chain(set).collect()
}

#[track_caller]
fn check_settings(environment: &BTreeMap<String, String>, of: &str) {
    let output = check_config(environment);
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && !shown.contains("warning"), "{of}: {shown}");
    assert!(shown.contains(":8080"), "{of}: {shown}");
}

#[test]
fn settings_of_the_examples_are_sound() {
    let manifests = manifests();
    assert!(!manifests.is_empty());
    for file in &manifests {
        let gateway = gateway(&pod(file));
        check_settings(&environment(&gateway, "env"), file);
        let version = format!(":{}", env!("CARGO_PKG_VERSION"));
        assert!(gateway["image"].as_str().is_some_and(|image| image.ends_with(&version)), "{file}");
        assert_eq!(gateway["ports"][0]["containerPort"], 8080, "{file}");
    }
    let task: Value = serde_json::from_str(&text("deploy/ecs/task-definition.json")).expect("JSON");
    let container = &task["containerDefinitions"][0];
    let mut all = environment(container, "environment");
    all.extend(environment(container, "secrets"));
    check_settings(&all, "the task definition");
    let command: Vec<&str> = strings(&container["healthCheck"]["command"]).collect();
    assert_eq!(command, ["CMD", "/prom-stream-gateway", "healthcheck"]);
}

#[test]
fn the_chart_is_of_this_version() {
    let chart = yaml("deploy/helm/prom-stream-gateway/Chart.yaml");
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}

#[test]
fn no_overlap_at_most_once_and_a_standby_exactly_once() {
    let spec = |file: &str| documents(file)[0]["spec"].clone();
    let most = spec("deploy/kubernetes/at-most-once.yaml");
    assert_eq!((&most["replicas"], &most["strategy"]["type"]), (&1.into(), &"Recreate".into()));
    let once = spec("deploy/kubernetes/exactly-once.yaml");
    assert_eq!(once["replicas"], 2);
    let container = gateway(&once["template"]["spec"]);
    let set = environment(&container, "env");
    assert_eq!(set.get("Redis__Delivery").map(String::as_str), Some("exactly-once"));
    // A standby never is by the other path.
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/-/healthy");
    let service = |name: &str| -> Value {
        serde_json::from_str(&text(&format!("deploy/ecs/service-{name}.json"))).expect("JSON")
    };
    let most = service("at-most-once");
    assert_eq!(most["desiredCount"], 1);
    assert_eq!(most["deploymentConfiguration"]["maximumPercent"], 100);
    assert_eq!(most["deploymentConfiguration"]["minimumHealthyPercent"], 0);
    assert_eq!(service("exactly-once")["desiredCount"], 2);
}
