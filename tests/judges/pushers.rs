//! Client libraries that push to a Pushgateway: two processes of each push at once to
//! the gateway's door, and what they have counted adds up. Those whose interpreter or
//! library is missing are skipped, and said, as in [`super::clients`].

use std::path::PathBuf;
use std::process::{Command, Stdio};

use psg_testkit::programs::{is_there, libraries};
use psg_testkit::{Exposition, Rig};

/// What each process counts in each job, and a gauge that it sets.
fn is_twice(seen: &Exposition, labels: &[(&str, &str)]) -> bool {
    let value = |name: &str, more: &[(&str, &str)]| seen.value(name, &[labels, more].concat());
    let is = |found: Option<f64>, expected: f64| {
        found.is_some_and(|found| (found - expected).abs() < 1e-9)
    };
    is(value("pushed_total", &[("queue", "mail")]), 6.0)
        && is(value("temperature", &[]), 21.5)
        && is(value("took_seconds_bucket", &[("le", "0.1")]), 2.0)
        && is(value("took_seconds_bucket", &[("le", "1")]), 4.0)
        && is(value("took_seconds_count", &[]), 6.0)
        && is(value("took_seconds_sum", &[]), 11.1)
        && is(value("size_bytes_count", &[]), 4.0)
        && is(value("size_bytes_sum", &[]), 600.0)
}

/// Runs a program twice at once, after which each job has what both counted.
fn check(program: impl Fn() -> Command, jobs: &[&str], grouped: &str) -> Rig {
    let rig = Rig::with(&[("Push__Enabled", "true")]);
    let run = || {
        let mut program = program();
        program.arg(rig.gateway.port().to_string());
        program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    for process in [run(), run()] {
        let output = process.wait_with_output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.is_empty(), "{printed}{said}");
    }
    rig.gateway.scrape_until("all that was pushed", |seen| {
        let plain = jobs.iter().all(|job| is_twice(seen, &[("job", job)]));
        plain && is_twice(seen, &[("job", grouped), ("zone", "a/b")])
    });
    assert_eq!(rig.gateway.scrape().totals().1, 0, "nothing is rejected");
    rig
}

fn program(name: &str) -> PathBuf {
    psg_testkit::root().join("tests/judges/pushers").join(name)
}

#[test]
fn prometheus_client_of_python() {
    let python = std::env::var("PSG_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = ["-c", "import prometheus_client"];
    if is_there(Command::new(&python).args(probe), "python3 with prometheus_client") {
        let run = || {
            let mut command = Command::new(&python);
            command.arg(program("push.py"));
            command
        };
        check(run, &["push", "gzip"], "pushadd");
    }
}

#[test]
fn prom_client_of_node() {
    let node = || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", libraries().join("node_modules"));
        node
    };
    if is_there(node().args(["-e", "require('prom-client')"]), "node with prom-client") {
        let run = || {
            let mut command = node();
            command.arg(program("push.js"));
            command
        };
        check(run, &["push", "gzip", "openmetrics"], "pushAdd");
    }
}

#[test]
fn client_golang() {
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(libraries().join("go"));
        go
    };
    let push = "github.com/prometheus/client_golang/prometheus/push";
    let has_modules = libraries().join("go").exists();
    if has_modules && is_there(go().args(["list", push]), "go with client_golang") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let built = folder.path().join("push");
        let status = go().arg("build").arg("-o").arg(&built).arg(program("push.go")).status();
        assert!(status.expect("go runs").success());
        let rig = check(|| Command::new(&built), &["push", "text", "openmetrics"], "add");
        rig.gateway.scrape_until("the native histogram", |seen| {
            seen.value("native_seconds_count", &[("job", "push")]) == Some(6.0)
        });
    }
}
