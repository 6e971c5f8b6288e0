//! `lint`: the gateway's verdicts before anything is sent.

use crate::support::GatewayBuilder;

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
    assert_eq!(judge("none"), 78);
    let dropped = GatewayBuilder::bare().file("s", BAD).set("Metrics__MaxNameBytes", "1");
    assert_eq!(dropped.arguments(&["lint", "s"]).finish().code(), 1);
    let missing = GatewayBuilder::bare().arguments(&["lint", "nowhere.jsonl"]).finish();
    assert_eq!(missing.code(), 1);
    assert!(missing.output().contains("nowhere.jsonl: "), "{}", missing.output());
}
