//! The examples in `deploy/`: their settings are sound, their versions are the
//! program's, and what they say of delivery is what they do. Whether they are
//! what Kubernetes, Helm and ECS take, `deploy/validate/run` checks.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use super::{check_config, composed_environment, image_environment, path, strings, text, yaml};

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

/// The examples with one gateway, or an owner with standbys, for a fleet.
const DELIVERIES: [&str; 2] = ["at-most-once", "exactly-once"];

fn json(file: &str) -> Value {
    serde_json::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The container of a task definition, and what it sets.
fn task(delivery: &str) -> (Value, BTreeMap<String, String>) {
    let task = json(&format!("deploy/ecs/task-definition-{delivery}.json"));
    let container = task["containerDefinitions"][0].clone();
    let mut all = environment(&container, "environment");
    all.extend(environment(&container, "secrets"));
    (container, all)
}

#[test]
fn settings_of_the_examples_are_sound() {
    let version = format!(":{}", env!("CARGO_PKG_VERSION"));
    let is_current = |image: &Value| image.as_str().is_some_and(|image| image.ends_with(&version));
    let manifests = manifests();
    assert!(!manifests.is_empty());
    for file in &manifests {
        let gateway = gateway(&pod(file));
        check_settings(&environment(&gateway, "env"), file);
        assert!(is_current(&gateway["image"]), "{file}");
        assert_eq!(gateway["ports"][0]["containerPort"], 8080, "{file}");
    }
    for delivery in DELIVERIES {
        let (container, all) = task(delivery);
        check_settings(&all, delivery);
        assert!(is_current(&container["image"]), "{delivery}");
        let command: Vec<&str> = strings(&container["healthCheck"]["command"]).collect();
        assert_eq!(command, ["CMD", "/prom-stream-gateway", "healthcheck"]);
    }
}

/// A fleet's series look the same wherever its gateway runs, and each way of
/// running it lets it linger.
#[test]
fn defaults_for_producers_are_those_of_the_compose_file_everywhere() {
    let compose = composed_environment();
    let names =
        ["Metrics__EmptyInstance", "Metrics__FirstIncrement", "Http__ShutdownLingerSeconds"];
    let expected = names.map(|name| compose.get(name).cloned());
    assert!(expected.iter().all(Option::is_some), "{expected:?}");
    let linger: u64 = compose[names[2]].parse().expect("seconds");
    for delivery in DELIVERIES {
        let file = format!("deploy/kubernetes/{delivery}.yaml");
        let pod = pod(&file);
        let set = environment(&gateway(&pod), "env");
        assert_eq!(names.map(|name| set.get(name).cloned()), expected, "{file}");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
        assert!(grace >= linger + 15, "{file}");
        let (container, set) = task(delivery);
        assert_eq!(names.map(|name| set.get(name).cloned()), expected, "ECS, {delivery}");
        // Fargate grants two minutes at most.
        let grace = container["stopTimeout"].as_u64().expect("seconds");
        assert!((linger + 15..=120).contains(&grace), "ECS, {delivery}");
    }
    let chart = &yaml("deploy/helm/prom-stream-gateway/values.yaml")["settings"];
    let of_chart = names.map(|name| {
        let (section, key) = name.split_once("__").expect("Section__Key");
        let value = &chart[section][key];
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    assert_eq!(of_chart, expected, "the chart");
}

#[test]
fn the_chart_is_of_this_version() {
    let chart = yaml("deploy/helm/prom-stream-gateway/Chart.yaml");
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}

/// A chart can only hand out what lies in its folder.
#[test]
fn the_chart_has_the_rules_and_the_dashboard_of_the_compose_file() {
    let files = "deploy/helm/prom-stream-gateway/files";
    for (from, to) in [
        ("compose/rules/alerts.yml", "alerts.yml"),
        ("compose/rules/recording.yml", "recording.yml"),
        ("compose/grafana/dashboards/gateway.json", "dashboard.json"),
    ] {
        let copy = format!("{files}/{to}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::copy(path(from), path(&copy)).expect("the copy can be written");
        }
        let hint = "UPDATE_DOCS=1 cargo test --test judges packaging copies it";
        assert!(text(from) == text(&copy), "{copy} is not {from}: {hint}");
    }
}

#[test]
fn no_overlap_at_most_once_and_a_standby_exactly_once() {
    let [most, once] = DELIVERIES.map(|delivery| {
        let file = format!("deploy/kubernetes/{delivery}.yaml");
        let workload = documents(&file)[0].clone();
        let container = gateway(&workload["spec"]["template"]["spec"]);
        (workload, environment(&container, "env"), container)
    });
    let (workload, set, _) = most;
    assert_eq!(workload["spec"]["replicas"], 1);
    assert_eq!(workload["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(set.get("Redis__Delivery"), None, "it is the default");
    let (workload, set, container) = once;
    assert_eq!(
        (&workload["kind"], &workload["spec"]["replicas"]),
        (&"StatefulSet".into(), &2.into())
    );
    assert_eq!(set.get("Redis__Delivery").map(String::as_str), Some("exactly-once"));
    // A standby never is by the other path.
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/-/healthy");
}

#[test]
fn an_ecs_service_runs_tasks_of_its_own_delivery() {
    for delivery in DELIVERIES {
        let service = json(&format!("deploy/ecs/service-{delivery}.json"));
        let task_file = format!("deploy/ecs/task-definition-{delivery}.json");
        assert_eq!(service["taskDefinition"], json(&task_file)["family"], "{delivery}");
        let (_, set) = task(delivery);
        assert_eq!(set.get("Redis__Delivery").map(String::as_str), Some(delivery));
        // Else nothing tells Prometheus where the tasks are.
        assert!(service["serviceRegistries"][0]["registryArn"].is_string(), "{delivery}");
        let deployment = &service["deploymentConfiguration"];
        let bounds = (&deployment["maximumPercent"], &deployment["minimumHealthyPercent"]);
        if delivery == "at-most-once" {
            assert_eq!(service["desiredCount"], 1);
            assert_eq!(bounds, (&100.into(), &0.into()), "two at a time share the queue");
        } else {
            assert_eq!(service["desiredCount"], 2);
        }
    }
}
