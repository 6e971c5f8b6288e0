//! What ships around the program agrees with it: the image, the compose file,
//! the examples for deploying, Prometheus' configuration and rules, and the
//! dashboard.

mod dashboards;
mod deploy;
mod metrics;
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn text(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn yaml(relative: &str) -> Value {
    serde_yaml_ng::from_str(&text(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().expect("text"))
}

/// What a Dockerfile sets with `ENV`, one a line.
fn image_environment() -> BTreeMap<String, String> {
    let dockerfile = text("Dockerfile");
    let set = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let set = set.map(|line| line.split_once('=').expect("ENV NAME=value"));
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn exposed_port() -> String {
    let dockerfile = text("Dockerfile");
    let exposed = dockerfile.lines().find_map(|line| line.strip_prefix("EXPOSE "));
    exposed.expect("the Dockerfile exposes a port").to_owned()
}

/// Runs `check-config` with this environment alone, in a folder without a
/// configuration file.
fn check_config(environment: &BTreeMap<String, String>) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_prom-stream-gateway"))
        .arg("check-config")
        .env_clear()
        .envs(environment)
        .current_dir(folder.path())
        .output()
        .expect("the gateway starts")
}

/// The gateway's environment in the compose file, over that of its image.
fn composed_environment() -> BTreeMap<String, String> {
    let compose = yaml("compose.yaml");
    let set = compose["services"]["gateway"]["environment"].as_object().expect("an environment");
    let set = set.iter().map(|(name, value)| {
        let value = value.as_str().unwrap_or_else(|| panic!("{name} is not text"));
        (name.clone(), value.to_owned())
    });
    image_environment().into_iter().chain(set).collect()
}

#[test]
fn the_compose_file_configures_the_gateway_soundly() {
    let output = check_config(&composed_environment());
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    // A setting that does not exist is only warned of.
    assert!(!shown.contains("warning"), "{shown}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains(&format!("[::]:{}", exposed_port())), "{shown}");
}

/// The container may take as long to stop as the gateway lingers, and finds its
/// state again.
#[test]
fn the_compose_file_lets_the_gateway_linger_and_keeps_its_state() {
    let compose = yaml("compose.yaml");
    let gateway = &compose["services"]["gateway"];
    let seconds = |text: &Value| -> u64 {
        let text = text.as_str().expect("text").trim_end_matches('s');
        text.parse().expect("seconds")
    };
    let environment = &gateway["environment"];
    let linger = seconds(&environment["Http__ShutdownLingerSeconds"]);
    assert!(seconds(&gateway["stop_grace_period"]) >= linger + 10);
    let interval = &yaml("compose/prometheus.yml")["global"]["scrape_interval"];
    assert!(linger > 2 * seconds(interval), "a new series takes two scrapes");

    assert_eq!(environment["Metrics__FirstIncrement"], "exact");
    let state = PathBuf::from(environment["Metrics__StateFile"].as_str().expect("a path"));
    let folder = state.parent().expect("a folder").to_str().expect("text");
    let volumes: Vec<_> = strings(&gateway["volumes"]).collect();
    assert_eq!(volumes, [format!("gateway-state:{folder}")]);
    assert!(compose["volumes"].as_object().expect("volumes").contains_key("gateway-state"));
    // Nobody's, so the image has to have it as its user's own.
    assert!(text("Dockerfile").contains(&format!("mkdir -p /out/folders{folder}\n")));
}

#[test]
fn a_misspelt_setting_would_be_seen() {
    let mut environment = composed_environment();
    environment.insert("Redis__MetricQueueWorker".to_owned(), "2".to_owned());
    let output = check_config(&environment);
    let said = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("warning"));
}

#[test]
fn the_port_of_the_image_is_the_one_that_is_published_and_scraped() {
    let port = exposed_port();
    let compose = yaml("compose.yaml");
    let published: Vec<_> = strings(&compose["services"]["gateway"]["ports"]).collect();
    assert_eq!(published, [format!("127.0.0.1:9091:{port}")]);
    let prometheus = yaml("compose/prometheus.yml");
    let scrape = &prometheus["scrape_configs"][0];
    let targets: Vec<_> = strings(&scrape["static_configs"][0]["targets"]).collect();
    assert_eq!(targets, [format!("gateway:{port}")]);
    assert_eq!(scrape["honor_labels"], true);
}

#[test]
fn services_give_up_what_they_do_not_need() {
    let compose = yaml("compose.yaml");
    for (name, service) in compose["services"].as_object().expect("services") {
        // What a merge key brings counts as the service's own.
        let of = |key: &str| service.get(key).unwrap_or(&service["<<"][key]);
        assert_eq!(of("read_only"), &true, "{name}");
        assert_eq!(strings(of("cap_drop")).collect::<Vec<_>>(), ["ALL"], "{name}");
        let options: Vec<_> = strings(of("security_opt")).collect();
        assert_eq!(options, ["no-new-privileges:true"], "{name}");
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port} to everybody");
        }
        for volume in strings(&service["volumes"]).filter(|volume| volume.starts_with("./")) {
            let mounted = volume.split(':').next().expect("a split has a first part");
            assert!(path(mounted).exists(), "{name} mounts {mounted}, which is not there");
        }
    }
}

/// A tag can be moved to other code, a commit can't; the comment says which
/// version it is.
#[test]
fn workflows_name_actions_by_their_commit() {
    let folder = path(".github/workflows");
    let files =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut uses = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        for line in text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used))
        {
            let (_, commit) = line.split_once('@').expect("ACTION@COMMIT");
            let (commit, version) = commit.split_once(" # v").unwrap_or((commit, ""));
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{}: {line}", file.display());
            uses += 1;
        }
    }
    assert!(uses > 5, "{uses}");
}

/// Those whose registry takes no tag as the version.
#[test]
fn the_packages_are_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let python = format!("\nname = \"prom-stream-gateway\"\nversion = \"{version}\"\n");
    assert!(text("clients/python/pyproject.toml").contains(&python));
    for manifest in ["package.json", "package-lock.json"] {
        let manifest = text(&format!("clients/node/{manifest}"));
        let manifest: Value = serde_json::from_str(&manifest).expect("it is JSON");
        assert_eq!(manifest["version"], version);
    }
}
