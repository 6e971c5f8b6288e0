//! OpenMetrics: judged by others, the Python package and promtool, and names
//! that clash only there.

use std::fs;
use std::process::{Command, Output};

use psg_testkit::Rig;
use psg_testkit::gateway::ACCEPT_OPENMETRICS;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/check_openmetrics.py");
const PACKAGE_IS_MISSING: i32 = 3;

/// Families that do not clash in text but would in OpenMetrics, where a
/// counter's family is its name without `_total` and `_created` is a suffix.
const CLASHES: &[&[(&str, &str)]] = &[
    &[("counter", "@_total"), ("gauge", "@")],
    &[("gauge", "@"), ("counter", "@_total")],
    &[("counter", "@_total"), ("counter", "@")],
    &[("counter", "@"), ("counter", "@_total")],
    &[("counter", "@_total"), ("histogram", "@")],
    &[("histogram", "@"), ("counter", "@_total")],
    &[("counter", "@_total"), ("summary", "@")],
    &[("counter", "@_total"), ("gauge", "@_created")],
    &[("gauge", "@_created"), ("counter", "@_total")],
    &[("counter", "@_created_total"), ("counter", "@_total")],
    &[("counter", "@_total"), ("histogram", "@_created")],
    &[("counter", "@_sum_total"), ("histogram", "@")],
    &[("histogram", "@"), ("counter", "@_bucket_total")],
    &[("summary", "@"), ("counter", "@_count_total")],
    &[("counter", "@_total_total"), ("counter", "@_total"), ("gauge", "@")],
    &[("counter", "@_total"), ("gauge", "@_info")],
    &[("gauge", "@_total"), ("counter", "@")],
    &[("gauge", "@_bucket"), ("counter", "@_total")],
    &[("counter", "_total"), ("gauge", "@")],
    &[("counter", "@_created"), ("counter", "@_total")],
];

#[test]
fn names_that_clash_are_all_shown() {
    let mut rig = Rig::start();
    let mut expected = Vec::new();
    let mut payloads = Vec::new();
    for (row, families) in CLASHES.iter().enumerate() {
        for (kind, name) in *families {
            let name = name.replace('@', &format!("row{row}"));
            payloads.push(format!(
                r#"{{"type":"{kind}","name":"{name}","value":1,"buckets":[1],"quantiles":[0.5],"epsilons":[0.1]}}"#
            ));
            let shown = if *kind == "gauge" || *kind == "counter" { name } else { name + "_count" };
            expected.push(shown);
        }
    }
    let text = rig.send(&payloads);
    assert_eq!(text.totals().1, 0, "none is rejected for what only OpenMetrics forbids");
    let openmetrics = rig.gateway.scrape_openmetrics();
    for name in &expected {
        assert_eq!(text.value(name, &[]), Some(1.0), "{name} in text");
        assert_eq!(openmetrics.value(name, &[]), Some(1.0), "{name} in OpenMetrics");
    }
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

#[test]
fn a_clash_makes_the_counter_unknown() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"x_total","value":1}"#]);
    let kind = |rig: &Rig, name: &str| {
        rig.gateway.scrape_openmetrics().family(name).map(|family| family.kind.clone())
    };
    assert_eq!(kind(&rig, "x").as_deref(), Some("counter"));
    rig.send(&[r#"{"type":"gauge","name":"x","value":1}"#]);
    assert_eq!(kind(&rig, "x").as_deref(), Some("gauge"));
    assert_eq!(kind(&rig, "x_total").as_deref(), Some("unknown"));
}

#[test]
fn others_accept_an_ordinary_exposition() {
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    let payloads: Vec<String> = (0..800)
        .map(|i| {
            let (kind, name) = [
                ("counter", "c_total"),
                ("counter", "bare"),
                ("gauge", "g:x"),
                ("histogram", "h"),
                ("summary", "s"),
            ][i % 5];
            format!(
                r#"{{"type":"{kind}","name":"{name}","help":"a \"b\" \\ \n c","value":{i},"buckets":[1,2.5,1e6],"quantiles":[0,0.5,1],"epsilons":[0,0.1,1],"labels":{{"a":"\\ \" \n é","i":"{}"}}}}"#,
                i % 20
            )
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (800, 0));
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

/// One negative observation of one producer took the whole page from readers
/// with the reference parser.
#[test]
fn others_accept_negative_observations_and_thresholds() {
    let mut rig = Rig::start();
    let payloads = [
        r#"{"type":"histogram","name":"below","value":5,"buckets":[-10,0,10]}"#,
        r#"{"type":"histogram","name":"all_below","value":-5,"buckets":[-10,0,10]}"#,
        r#"{"type":"histogram","name":"sum_below","value":-0.2,"buckets":[1,2]}"#,
        r#"{"type":"histogram","name":"above","value":0,"buckets":[-0.0,2]}"#,
        r#"{"type":"summary","name":"plain","value":-3}"#,
        r#"{"type":"summary","name":"both","value":-3,"quantiles":[0,1],"epsilons":[0,0]}"#,
        r#"{"type":"summary","name":"both","value":9,"quantiles":[0,1],"epsilons":[0,0]}"#,
        r#"{"type":"gauge","name":"gauge","value":-3}"#,
    ];
    let text = rig.send(&payloads);
    assert_eq!(text.value("below_sum", &[]), Some(5.0), "in text all of it stays");
    assert_eq!(text.value("plain_sum", &[]), Some(-3.0));
    let openmetrics = rig.gateway.scrape_openmetrics();
    for (name, count) in [("below", None), ("sum_below", None), ("above", Some(1.0))] {
        assert_eq!(openmetrics.value(&format!("{name}_count"), &[]), count, "{name}");
        let whole = [("le", "+Inf")];
        assert_eq!(openmetrics.value(&format!("{name}_bucket"), &whole), Some(1.0), "{name}");
    }
    assert_eq!(openmetrics.value("both_count", &[]), Some(2.0));
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

#[test]
fn others_accept_units_and_exemplars() {
    let mut rig = Rig::with(&[
        ("Metrics__Exemplars", "true"),
        ("Metrics__CreatedTimestamps", "true"),
        ("Shards__Count", "3"),
    ]);
    let longest = "é".repeat(123);
    let exemplars = [
        r#"{"labels":{"trace_id":"\" \\ \n # {a=\"b\"} 1"}}"#.to_owned(),
        format!(r#"{{"labels":{{"trace":"{longest}"}},"value":-1e-9,"timestamp":0.000001}}"#),
        r#"{"value":1e300,"timestamp":-1}"#.to_owned(),
        "{}".to_owned(),
    ];
    let payloads: Vec<String> = (0..200)
        .map(|i| {
            let (kind, name, unit) = [
                ("counter", "c_bytes_total", "bytes"),
                ("counter", "x_bytes_total", "bytes"),
                ("gauge", "x_bytes", "bytes"),
                ("counter", "bare_bytes", "bytes"),
                ("histogram", "h_s", "s"),
                ("summary", "s_a_b", "a_b"),
            ][i % 6];
            let exemplar = &exemplars[i % exemplars.len()];
            format!(
                r#"{{"type":"{kind}","name":"{name}","unit":"{unit}","value":{i},"buckets":[1,25,1e6],"labels":{{"i":{}}},"exemplar":{exemplar}}}"#,
                i % 5
            )
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (200, 0));
    assert!(rig.gateway.scrape_openmetrics().families.iter().any(|family| family.unit.is_some()));
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

#[test]
fn others_accept_a_gateway_that_took_nothing() {
    let rig = Rig::start();
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

/// The OpenMetrics project's own parser, where the package is installed.
pub fn judged_by_python(rig: &Rig) {
    let body = rig.gateway.must_get("/metrics", &[ACCEPT_OPENMETRICS]).text();
    let named = std::env::var("PSG_PYTHON");
    let python = named.clone().unwrap_or_else(|_| "python3".into());
    let output = judge(Command::new(&python).arg(SCRIPT), &body);
    match output {
        None if named.is_err() => eprintln!("skipped: there is no {python}"),
        None => panic!("PSG_PYTHON names {python}, which does not run"),
        Some(output) if output.status.code() == Some(PACKAGE_IS_MISSING) && named.is_err() => {
            eprintln!("skipped: {python} has no package prometheus_client");
        }
        Some(output) => assert!(
            output.status.success(),
            "the parser says: {}\n{body}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// `promtool check metrics`, where it is on the PATH. It ends with 3 where it
/// only finds fault with the producers' style.
pub fn judged_by_promtool(rig: &Rig) {
    let body = rig.gateway.must_get("/metrics", &[]).text();
    let Some(output) = judge(Command::new("promtool").args(["check", "metrics"]), &body) else {
        eprintln!("skipped: there is no promtool");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "promtool says: {said}\n{body}");
}

/// Runs a program with `body` on its standard input; `None` where there is no
/// such program.
fn judge(command: &mut Command, body: &str) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("exposition");
    fs::write(&file, body).expect("the folder can be written");
    command.stdin(fs::File::open(&file).expect("it was just written")).output().ok()
}
