//! Shapes: payloads that look like ones seen before but for a number or a
//! place, so that no shortcut for repeated payloads may take one for another.

use psg_testkit::Rig;

/// A payload that is sent several times and makes its family, one that differs
/// from it in little, and what the family `@` shows then, or the reason for
/// which the second one is refused.
const TWINS: &[(&str, &str, Result<f64, &str>)] = &[
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":2.5e3}"#,
        Ok(2500.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":-0}"#,
        Ok(0.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":01}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":1.}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":1e}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":-}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":1 2}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":inf}"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":1e999}"#,
        Err("non_finite"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":null}"#,
        Err("invalid_field"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":"1"}"#,
        Err("invalid_field"),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":1,"value":4}"#,
        Ok(4.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","value":2}x"#,
        Err("invalid_json"),
    ),
    (
        r#"{"type":"counter","name":"@","value":1}"#,
        r#"{"type":"counter","name":"@","value":-1}"#,
        Err("negative_counter"),
    ),
    // The first of two values counts for nothing.
    (
        r#"{"type":"gauge","name":"@","value":1,"value":2}"#,
        r#"{"type":"gauge","name":"@","value":9,"value":2}"#,
        Ok(2.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1,"value":2}"#,
        r#"{"type":"gauge","name":"@","value":1,"value":9}"#,
        Ok(9.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":2,"value":2}"#,
        r#"{"type":"gauge","name":"@","value":7,"value":2}"#,
        Ok(2.0),
    ),
    // A `value` in another place is another thing.
    (
        r#"{"type":"gauge","name":"@","unknown":{"value":1},"value":2}"#,
        r#"{"type":"gauge","name":"@","unknown":{"value":9},"value":2}"#,
        Ok(2.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":2,"unknown":{"value":1}}"#,
        r#"{"type":"gauge","name":"@","value":5,"unknown":{"value":1}}"#,
        Ok(5.0),
    ),
    (
        r#"{"type":"gauge","name":"@","help":"\"value\":1","value":2}"#,
        r#"{"type":"gauge","name":"@","help":"\"value\":7","value":2}"#,
        Ok(2.0),
    ),
    (
        r#"{"value":1,"type":"gauge","name":"@"}"#,
        r#"{"value":8,"type":"gauge","name":"@"}"#,
        Ok(8.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","Value":7}"#,
        Ok(0.0),
    ),
    (
        r#"{"type":"gauge","name":"@","value":1}"#,
        r#"{"type":"gauge","name":"@","v\u0061lue":7}"#,
        Ok(7.0),
    ),
    (r#"{"type":"gauge","name":"@","value":1}"#, r#"{"type":"gauge","name":"@"}"#, Ok(0.0)),
    (
        r#"{"type":"gauge","name":"@","value": 1 }"#,
        r#"{"type":"gauge","name":"@","value": 6 }"#,
        Ok(6.0),
    ),
];

#[test]
fn a_payload_is_read_for_what_it_is() {
    let mut rig = Rig::start();
    let mut failures = Vec::new();
    for (row, (first, second, expected)) in TWINS.iter().enumerate() {
        let name = format!("row{row}");
        let own = |text: &str| text.replace('@', &name);
        let before = rig.send(&vec![own(first); 5]);
        let after = rig.send(&[own(second)]);
        let got = match expected {
            Ok(_) => after.value(&name, &[]),
            Err(reason) => Some((after.rejected(reason) - before.rejected(reason)) as f64),
        };
        if got != Some(expected.unwrap_or(1.0)) {
            failures.push(format!("{} after {}: {got:?}", own(second), own(first)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn label_values_that_are_numbers_make_series() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..300)
        .map(|i| {
            let value = i % 3;
            format!(r#"{{"type":"gauge","name":"g","labels":{{"value":{i}}},"value":{value}}}"#)
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.samples("g").count(), 300);
    for i in 0..300 {
        let labels = [("value", i.to_string())];
        let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(seen.value("g", &labels), Some(f64::from(i % 3)), "g of {i}");
    }
}
