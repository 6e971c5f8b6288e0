//! `lint`: the gateway's verdicts before anything is sent.

use psg_testkit::GatewayBuilder;

const GOOD: &str = r#"{"name":"a","labels":{"host":"h"}}"#;
const BAD: &str = r#"{"name":"a","value":-1}"#;

#[test]
fn it_tells_line_reason_and_detail_and_fails_for_ci() {
    let input = format!("{GOOD}\n{BAD}\n\n[{GOOD}, {BAD}]\n");
    let builder = GatewayBuilder::bare().file("samples.jsonl", &input);
    let finished = builder.arguments(&["lint", "samples.jsonl"]).finish();
    assert_eq!(finished.code(), 1, "{}", finished.output());
    let output = finished.output();
    let detail = "expected a counter's value of at least 0, got a negative one";
    for place in ["2:1", "4:38"] {
        let line = format!("samples.jsonl:{place}: negative_counter: {detail}");
        assert!(output.lines().any(|printed| printed == line), "{line} is not in {output}");
    }
    assert!(output.contains("2 samples accepted, 2 refused"), "{output}");
}

#[test]
fn what_is_accepted_passes() {
    let builder = GatewayBuilder::bare().file("sample.json", &format!("[\n{GOOD},\n{GOOD}\n]"));
    let finished = builder.arguments(&["lint", "sample.json"]).finish();
    assert_eq!(finished.code(), 0, "{}", finished.output());
    assert!(finished.output().contains("2 samples accepted, 0 refused"), "{}", finished.output());
}

#[test]
fn the_settings_in_force_count() {
    let judge = |limit: &str| {
        let builder =
            GatewayBuilder::bare().file("s", GOOD).set("Metrics__MaxLabelValueBytes", limit);
        builder.arguments(&["lint", "s"]).finish().code()
    };
    assert_eq!(judge("1"), 0);
    let histogram = r#"{"type":"histogram","name":"h","value":1}"#;
    let buckets = |bounds: &str| {
        let builder =
            GatewayBuilder::bare().file("s", histogram).set("Metrics__DefaultBuckets", bounds);
        builder.arguments(&["lint", "s"]).finish().code()
    };
    assert_eq!([buckets(""), buckets("1,5"), buckets("5,1")], [1, 0, 78]);
    assert_eq!(judge("none"), 78);
    let dropped = GatewayBuilder::bare().file("s", BAD).set("Metrics__MaxNameBytes", "1");
    assert_eq!(dropped.arguments(&["lint", "s"]).finish().code(), 1);
    let missing = GatewayBuilder::bare().arguments(&["lint", "nowhere.jsonl"]).finish();
    assert_eq!(missing.code(), 1);
    assert!(missing.output().contains("nowhere.jsonl: "), "{}", missing.output());
}

#[test]
fn strict_minds_what_is_taken_and_was_meant_otherwise() {
    let input = format!("{GOOD}\n{{\"tpye\":\"gauge\",\"name\":\"h2\",\"valeu\":1}}\n");
    let lint = |arguments: &[&str]| {
        let builder = GatewayBuilder::bare().file("s", &input);
        builder.arguments(&[&["lint", "s"], arguments].concat()).finish()
    };
    let lenient = lint(&[]);
    assert_eq!(lenient.code(), 0, "{}", lenient.output());
    let strict = lint(&["--strict"]);
    assert_eq!(strict.code(), 1, "{}", strict.output());
    for line in [
        "s:1:1: no_help: expected a help text for a, got none",
        "s:1:1: counter_without_total: expected a counter's name to end in _total, got a",
        "s:2:1: unknown_field: expected type, got tpye",
        "s:2:1: unknown_field: expected value, got valeu",
        "s: 2 samples accepted, 0 refused, 6 odd",
    ] {
        assert!(strict.lines.iter().any(|printed| printed == line), "{line}: {}", strict.output());
    }
    let json = lint(&["--strict", "--json"]);
    let objects = json.lines.iter().filter_map(|line| serde_json::from_str(line).ok());
    let objects: Vec<serde_json::Value> = objects.collect();
    assert_eq!(objects.len(), 6, "{}", json.output());
    assert!(objects.iter().all(|object| object["file"] == "s" && object["refused"] == false));
}

#[test]
fn nothing_and_a_dash_are_understood() {
    let empty = |arguments: &[&str]| GatewayBuilder::bare().arguments(arguments).finish();
    let dash = empty(&["lint", "-"]);
    assert_eq!(dash.code(), 0, "{}", dash.output());
    assert!(dash.output().contains("stdin: there is no payload in it"), "{}", dash.output());
    assert_eq!(empty(&["lint", "--strict"]).code(), 1, "CI that looks at nothing is told");
}
