//! The programs of docs/otlp.md, with the SDKs that `tests/otlp/install` gets: of each
//! language several processes at once count in one series.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use psg_testkit::pages::Block;
use psg_testkit::programs::{is_there, stdout};
use psg_testkit::{Exposition, Rig, root};

/// Processes of each language.
const PROCESSES: usize = 4;

/// What makes an SDK send exponential histograms, and small requests.
const OTHERWISE: [(&str, &str); 2] = [
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "base2_exponential_bucket_histogram",
    ),
    ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
];

/// The first block is their environment; the others are programs.
pub fn processes_count_in_one_series(blocks: &[Block]) {
    let (environment, programs) = blocks.split_first().expect("the environment comes first");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = programs.iter().filter_map(|block| {
        let command = command(block, folder.path())?;
        Some((block.language.as_str(), command))
    });
    let mut here: Vec<(&str, Command)> = here.collect();
    let all = here.iter_mut().map(|(_, command)| command);
    let (seen, expected) = counted(environment, &[], all.collect());
    for (bound, count) in [("0.1", 0.0), ("0.5", expected), ("+Inf", expected)] {
        let labels = [("job", "shop"), ("le", bound)];
        let found = seen.value("shop_checkout_duration_seconds_bucket", &labels);
        assert_eq!(found.unwrap_or(0.0), count, "{bound}");
    }
    // The SDK for Node.js has no variable for that.
    here.retain(|(language, _)| *language != "javascript");
    let all = here.iter_mut().map(|(_, command)| command);
    counted(environment, &OTHERWISE, all.collect());
}

/// What a gateway shows of several processes of each program at once, and how many
/// these were.
fn counted(
    environment: &Block,
    more: &[(&str, &str)],
    programs: Vec<&mut Command>,
) -> (Exposition, f64) {
    let rig = Rig::with(&[("Push__Enabled", "true")]);
    let mut all: Vec<Child> = Vec::new();
    for program in programs {
        program.envs(variables(environment, rig.gateway.port())).envs(more.iter().copied());
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        all.extend((0..PROCESSES).map(|_| program.spawn().expect("it is there")));
    }
    let expected = all.len();
    for process in all {
        let output = process.wait_with_output().expect("it was started");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
    }
    // Of each process an order and how long it took.
    let seen = rig.gateway.scrape_after(2 * expected as u64);
    assert_eq!(seen.totals(), (2 * expected as u64, 0));
    let expected = expected as f64;
    for (name, labels, total) in [
        ("shop_orders_total", &[("country", "de"), ("job", "shop")][..], expected),
        ("shop_checkout_duration_seconds_count", &[("job", "shop")], expected),
        ("shop_checkout_duration_seconds_sum", &[("job", "shop")], 0.25 * expected),
    ] {
        assert_eq!(seen.value(name, labels).unwrap_or(0.0), total, "{name}");
    }
    (seen, expected)
}

/// What a block exports, for a gateway on that port.
fn variables(block: &Block, port: u16) -> Vec<(String, String)> {
    let variable = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        let value = value.replace("localhost:9091", &format!("127.0.0.1:{port}"));
        Some((name.to_owned(), value))
    };
    let read = |line| variable(line).unwrap_or_else(|| panic!("{}: {line}", block.place));
    block.text.lines().map(read).collect()
}

fn libraries() -> PathBuf {
    root().join(".cache/otlp")
}

/// What runs a program as it stands on the page, if its SDK is here.
fn command(block: &Block, folder: &Path) -> Option<Command> {
    let write = |folder: &Path, name: &str| {
        let file = folder.join(name);
        fs::write(&file, &block.text).expect("the folder can be written");
        file
    };
    match block.language.as_str() {
        "python" => {
            let python = libraries().join("venv/bin/python");
            let probe = ["-c", "import opentelemetry.exporter.otlp.proto.http"];
            let is_here = is_there(Command::new(&python).args(probe), "OpenTelemetry for Python");
            is_here.then(|| {
                let mut command = Command::new(python);
                command.arg(write(folder, "program.py"));
                command
            })
        }
        "javascript" => {
            // A module finds its libraries by its place.
            let package = "node_modules/@opentelemetry/exporter-metrics-otlp-http/package.json";
            let probe = libraries().join(package);
            let is_here = is_there(Command::new("test").arg("-f").arg(probe), "its Node.js SDK");
            is_here.then(|| {
                let modules = libraries().join("node_modules");
                std::os::unix::fs::symlink(modules, folder.join("node_modules"))
                    .expect("the folder can be written");
                let mut command = Command::new("node");
                command.arg(write(folder, "program.mjs"));
                command
            })
        }
        "go" => {
            let libraries = libraries().join("go");
            let package = "go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp";
            let mut probe = Command::new("go");
            probe.current_dir(if libraries.exists() { &libraries } else { folder });
            is_there(probe.args(["list", package]), "OpenTelemetry for Go").then(|| {
                let program = folder.join("program");
                let mut build = Command::new("go");
                build.current_dir(&libraries).arg("build").arg("-o").arg(&program);
                stdout(build.arg(write(folder, "program.go")));
                Command::new(program)
            })
        }
        other => panic!("{}: nothing runs {other}", block.place),
    }
}
