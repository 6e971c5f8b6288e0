//! Units and exemplars: what is taken, what refuses the sample, and what drops the
//! exemplar alone.

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::wire::JsonDecoder;

use super::show::{accepts, decode, decoder, now, refuses, show};

/// Checks what becomes of an exemplar of a counter's sample of value 2.
#[track_caller]
fn check(exemplar: &str, expected: &str) {
    let payload = format!(r#"{{"name":"a_total","exemplar":{exemplar},"value":2}}"#);
    let decoded = decode(payload.as_bytes(), PayloadLimits::default()).expect(exemplar);
    let (_, shown) = decoded.split_once(" exemplar ").unwrap_or((&decoded, "none"));
    assert_eq!(shown, expected, "{exemplar}");
}

#[test]
fn what_an_exemplar_says_and_what_it_has_of_its_sample() {
    const OF_SAMPLE: &str = "2.0 at 1700000000";
    let label = r#"[Label { name: "t", value: "x" }]"#;
    check(r#"{"labels":{"t":"x"}}"#, &format!("{label} {OF_SAMPLE}"));
    check(r#"{"labels":{"t":"x"},"value":0.5,"timestamp":1.5}"#, &format!("{label} 0.5 at 1.5"));
    check(
        r#"{"labels":{"t":"x"},"value":-1,"timestamp":1700000000123}"#,
        &format!("{label} -1.0 at 1700000000.123"),
    );
    check(
        r#"{"labels":{"t":"y","t":"x","u":"","v":null},"value":null,"other":[]}"#,
        &format!("{label} {OF_SAMPLE}"),
    );
    for without in ["{}", r#"{"labels":{}}"#, r#"{"labels":[ ]}"#, r#"{"labels":null}"#] {
        check(without, &format!("[] {OF_SAMPLE}"));
    }
    check("null", "none");
    accepts(
        r#"{"name":"a_total","timestamp":3,"value":2,"exemplar":{"labels":{"a":1,"b":true}}}"#,
        r#"counter a_total{} 2.0 at 40..41 measured at 3 exemplar [Label { name: "a", value: "1" }, Label { name: "b", value: "true" }] 2.0 at 3"#,
    );
}

#[test]
fn what_is_wrong_in_an_exemplar_drops_it_alone() {
    for (exemplar, dropped) in [
        (r#"{"labels":"x"}"#, "malformed"),
        (r#"{"labels":[1]}"#, "malformed"),
        (r#"{"labels":{"a":{}}}"#, "malformed"),
        (r#"{"value":"1"}"#, "malformed"),
        (r#"{"timestamp":true}"#, "malformed"),
        (r#"{"labels":{"a-b":"x"}}"#, "label_name"),
        (r#"{"labels":{"__a":"x"}}"#, "label_name"),
        (r#"{"labels":{"é":"x"}}"#, "label_name"),
        (r#"{"value":1e999}"#, "value"),
        (r#"{"timestamp":1700000601}"#, "timestamp"),
        // The first of several faults.
        (r#"{"labels":{"a-b":[]},"value":1e999}"#, "malformed"),
        (r#"{"labels":{"a-b":"x"},"value":1e999}"#, "label_name"),
    ] {
        check(exemplar, &format!("dropped for {dropped}"));
    }
    // What comes later takes its place.
    check(r#"{"value":"1","value":3}"#, "[] 3.0 at 1700000000");
    check(r#"{"labels":7,"labels":{}}"#, "[] 2.0 at 1700000000");
}

/// Characters, not bytes, as OpenMetrics counts them.
#[test]
fn labels_have_128_characters_together() {
    let of = |count: usize| format!(r#"{{"labels":{{"trace":"{}"}}}}"#, "é".repeat(count));
    let payload = |count| format!(r#"{{"name":"a_total","exemplar":{}}}"#, of(count));
    let shown = decode(payload(123).as_bytes(), PayloadLimits::default()).expect("a sample");
    assert!(!shown.contains("dropped"), "{shown}");
    check(&of(124), "dropped for too_long");
    let labels = |count: usize| {
        let labels: Vec<String> =
            (0..count).map(|number| format!(r#""{}":"""#, number + 100_000)).collect();
        format!(r#"{{"labels":{{{}}}}}"#, labels.join(",").replace(r#""1"#, r#""a"#))
    };
    check(&labels(64), "[] 2.0 at 1700000000");
    check(&labels(65), "dropped for too_long");
}

#[test]
fn types_that_have_no_exemplars() {
    for members in [
        r#""type":"gauge","name":"a_total","value":1"#,
        r#""type":"summary","name":"a","value":1"#,
        r#""name":"a","value":1"#,
        r#""name":"_total","value":1"#,
    ] {
        let payload = format!(r#"{{{members},"exemplar":{{"value":"wrong"}}}}"#);
        let shown = decode(payload.as_bytes(), PayloadLimits::default()).expect(members);
        assert!(shown.ends_with("exemplar dropped for type"), "{shown}");
    }
}

#[test]
fn several_observations_have_no_value_for_an_exemplar() {
    let histogram = r#""type":"histogram","name":"a","buckets":[1]"#;
    for observed in [r#""values":[1,2]"#, r#""counts":[1,2],"sum":3"#] {
        let with = |exemplar: &str| {
            let payload = format!("{{{histogram},{observed},\"exemplar\":{exemplar}}}");
            decode(payload.as_bytes(), PayloadLimits::default()).expect("a sample")
        };
        assert!(with("{}").ends_with("exemplar dropped for value"));
        assert!(with(r#"{"value":2}"#).ends_with("exemplar [] 2.0 at 1700000000"));
    }
    accepts(
        r#"{"name":"a_total","values":[1,2],"exemplar":{}}"#,
        "counter a_total{} 3.0 exemplar [] 3.0 at 1700000000",
    );
}

#[test]
fn an_exemplar_is_an_object() {
    refuses(
        Reason::InvalidField,
        &[
            r#"{"name":"a_total","exemplar":"x"}"#,
            r#"{"name":"a_total","exemplar":[]}"#,
            r#"{"name":"a_total","exemplar":1}"#,
            r#"{"type":"gauge","name":"a","exemplar":false}"#,
        ],
    );
    refuses(
        Reason::InvalidJson,
        &[
            r#"{"name":"a_total","exemplar":{"labels":{"a":1,}}}"#,
            r#"{"name":"a_total","exemplar":{"value":01}}"#,
            r#"{"name":"a_total","exemplar":{"#,
        ],
    );
}

#[test]
fn without_the_setting_all_are_dropped() {
    let mut decoder = JsonDecoder::new(PayloadLimits::default());
    let mut shown = |payload: &str| {
        decoder.decode(payload.as_bytes(), now()).map(|decoded| show(&decoded)).expect("a sample")
    };
    for exemplar in [r#"{"labels":{"a":"b"}}"#, r#"{"value":"wrong"}"#] {
        let with = shown(&format!(r#"{{"name":"a_total","exemplar":{exemplar}}}"#));
        assert_eq!(with, "counter a_total{} 0.0 exemplar dropped for off");
    }
    assert_eq!(shown(r#"{"name":"a_total"}"#), "counter a_total{} 0.0");
}

#[test]
fn a_name_ends_in_its_unit() {
    for (kind, name, unit) in [
        ("counter", "a_seconds_total", "seconds"),
        ("counter", "a_seconds", "seconds"),
        ("gauge", "a_b_total", "b_total"),
        ("histogram", "a_seconds", "seconds"),
        ("summary", "a_b_bytes", "b_bytes"),
        ("gauge", "a", ""),
    ] {
        let payload =
            format!(r#"{{"type":"{kind}","name":"{name}","unit":"{unit}","buckets":[1]}}"#);
        let shown = decode(payload.as_bytes(), PayloadLimits::default()).expect("a sample");
        assert_eq!(shown.contains(&format!("unit {unit:?}")), !unit.is_empty(), "{shown}");
    }
    for (kind, name, unit, detail) in [
        (
            "counter",
            "a_total",
            "seconds",
            "expected a name that ends in _seconds_total, got a_total",
        ),
        (
            "counter",
            "a_total_seconds",
            "bytes",
            "expected a name that ends in _bytes, got a_total_seconds",
        ),
        ("gauge", "a_Seconds", "seconds", "expected a name that ends in _seconds, got a_Seconds"),
        ("gauge", "aseconds", "seconds", "expected a name that ends in _seconds, got aseconds"),
        ("gauge", "a_b_total", "b", "expected a name that ends in _b, got a_b_total"),
        ("gauge", "a", "m/s", "expected a unit like [a-zA-Z0-9_:]+, got m/s"),
        ("gauge", "a", " ", "expected a unit like [a-zA-Z0-9_:]+, got  "),
    ] {
        let payload = format!(r#"{{"type":"{kind}","name":"{name}","unit":"{unit}"}}"#);
        let refused = decode(payload.as_bytes(), PayloadLimits::default()).expect_err(name);
        assert_eq!((refused.reason, &*refused.detail), (Reason::InvalidUnit, detail));
    }
}

#[test]
fn units_are_appended_where_that_is_set() {
    let limits = PayloadLimits { max_name_bytes: 20, ..PayloadLimits::default() };
    let mut decoder = decoder(limits).appending_units(true);
    let mut name = |kind: &str, name: &str, unit: &str| {
        let payload =
            format!(r#"{{"type":"{kind}","name":"{name}","unit":"{unit}","buckets":[1]}}"#);
        let decoded = decoder.decode(payload.as_bytes(), now());
        decoded.map(|it| it.sample.name.to_owned()).map_err(|refused| refused.reason)
    };
    for (kind, sent, unit, expected) in [
        ("counter", "a_total", "seconds", "a_seconds_total"),
        ("counter", "a_seconds_total", "seconds", "a_seconds_total"),
        ("counter", "a", "seconds", "a_seconds"),
        ("counter", "_total", "x", "_total_x"),
        ("gauge", "a_total", "s", "a_total_s"),
        ("histogram", "a", "seconds", "a_seconds"),
        ("summary", "a_seconds", "seconds", "a_seconds"),
        ("gauge", "a", "", "a"),
        ("counter", "abcdef_total", "seconds", "abcdef_seconds_total"),
    ] {
        assert_eq!(name(kind, sent, unit).as_deref(), Ok(expected), "{sent} {unit}");
    }
    assert_eq!(name("counter", "abcdefg_total", "seconds"), Err(Reason::NameTooLong));
    assert_eq!(name("gauge", "a", "m/s"), Err(Reason::InvalidUnit));
}
