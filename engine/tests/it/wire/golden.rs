//! What the reference accepted we accept, and what it refused we refuse.

use psg_engine::limits::PayloadLimits;
use serde_json::Value;

use super::show::decode;

#[test]
fn verdicts_of_the_reference() {
    let cases = include_str!("../../../../tests/golden/reference.jsonl");
    let mut payloads_seen = 0;
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).expect("a case a line");
        let payloads = case["payloads"].as_array().expect("payloads");
        payloads_seen += payloads.len();
        for payload in payloads.iter().map(|payload| payload.as_str().expect("text")) {
            let decoded = decode(payload.as_bytes(), PayloadLimits::default());
            assert_eq!(decoded.is_err(), case["case"] == "rejected", "{payload}: {decoded:?}");
        }
    }
    assert_eq!(payloads_seen, 277);
}
