//! What Go's expfmt reads: each format under each escaping, with the totals that
//! were pushed. Skipped, and said, where Go or the package is missing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use psg_testkit::Rig;
use psg_testkit::producers::seed;
use psg_testkit::programs::{is_there, libraries, stdout};
use psg_testkit::totals::{self, Totals, difference};
use serde_json::Value;

const PROGRAM: &str = "tests/judges/expfmt/read.go";
const PACKAGE: &str = "github.com/prometheus/common/expfmt";

/// Formats times escapings.
const PAGES: usize = 5 * 4;

/// A native histogram with a unit, and what its values come to.
const NATIVE: &str = r#"{"type":"histogram","name":"n_seconds","unit":"seconds","factor":1.1,"values":[0.5,-4,0,3e9,3e9]}"#;
const NATIVE_TOTALS: [(&str, f64); 3] = [
    ("n_seconds_count{}", 5.0),
    ("n_seconds_sum{}", 5_999_999_996.5),
    ("n_seconds_bucket{le=+Inf}", 5.0),
];

/// A counter that is no legacy one, and its label.
const DOTTED: [&str; 2] = ["http.requests_total", "status.code"];

fn go() -> Command {
    let mut go = Command::new("go");
    go.current_dir(libraries().join("go"));
    go
}

#[test]
fn expfmt_reads_every_format() {
    if !libraries().join("go").exists() || !is_there(go().args(["list", PACKAGE]), "go with expfmt")
    {
        return;
    }
    let mut rig = Rig::with(&[("Metrics__CreatedTimestamps", "true")]);
    let (seed, [name, label]) = (seed(), DOTTED);
    let batches = (0..20).flat_map(|number| totals::batch(seed, 0, number));
    let mut payloads: Vec<String> = batches.collect();
    let mut pushed = Totals::new();
    payloads.iter().for_each(|payload| totals::add(&mut pushed, payload, 1.0));
    pushed.insert(r#"g{p=0}"#.to_owned(), 19.0);
    payloads.push(format!(r#"{{"name":"{name}","value":3,"labels":{{"{label}":"200"}}}}"#));
    payloads.push(NATIVE.to_owned());
    pushed.extend(NATIVE_TOTALS.map(|(key, total)| (key.to_owned(), total)));
    rig.send(&payloads);

    let mut read = go();
    read.arg("run").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM));
    let url = format!("http://127.0.0.1:{}/metrics", rig.gateway.port());
    let said = stdout(read.args([&url, name, label]));
    let pages: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(pages.len(), PAGES);
    for page in pages {
        let text = |field: &str| page[field].as_str().expect("text");
        let asked = text("asked");
        let mut expected = pushed.clone();
        expected.insert(format!("{}{{{}=200}}", text("metric"), text("label")), 3.0);
        let totals: BTreeMap<String, f64> =
            serde_json::from_value(page["totals"].clone()).expect("numbers");
        let (created, totals): (Totals, Totals) =
            totals.into_iter().partition(|(key, _)| key.contains("_created{"));
        assert_eq!(difference(&expected, &totals), None, "{asked}, seed {seed}");

        // One for each counter, histogram and summary, wherever they are told.
        let is_started = |key: &&String| !key.contains("_bucket{") && !key.contains("_sum{");
        let started = expected.keys().filter(is_started).count() - 1;
        let told = page["started"].as_u64().expect("a number") as usize;
        // Text has no unit, and expfmt looks for none in OpenMetrics.
        let (in_fields, in_lines, units) = match text("said").split(';').next() {
            Some("application/vnd.google.protobuf") => (started, 0, 1),
            Some("application/openmetrics-text") => (0, started, 0),
            _ => (0, 0, 0),
        };
        assert_eq!((told, created.len()), (in_fields, in_lines), "{asked}, seed {seed}");
        assert_eq!(page["units"], units, "{asked}");
    }
}
