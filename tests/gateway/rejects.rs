//! Rejects: every reason for refusing a payload is met, counted, and leaves
//! nothing behind.

use psg_testkit::Rig;
use psg_testkit::exposition::Exposition;

/// A payload and the reason for which it is refused.
const REJECTED: &[(&[u8], &str)] = &[
    // Not JSON.
    (b"", "invalid_json"),
    (b"nonsense", "invalid_json"),
    (br#"{"name":"x","value":1"#, "invalid_json"),
    (br#"{"name":"x","value":1}}"#, "invalid_json"),
    (br#"{"name":"x","value":1} {}"#, "invalid_json"),
    (br#"{"name":"x","value":1,}"#, "invalid_json"),
    (br#"{"name":"x",/* note */"value":1}"#, "invalid_json"),
    (b"{\"name\":\"x\",\"value\":1} // note", "invalid_json"),
    (b"\xEF\xBB\xBF{\"name\":\"x\",\"value\":1}", "invalid_json"),
    (br#"{"name":"x","value":01}"#, "invalid_json"),
    (br#"{"name":"x","value":.5}"#, "invalid_json"),
    (br#"{"name":"x","value":1.}"#, "invalid_json"),
    (br#"{"name":"x","value":+1}"#, "invalid_json"),
    (br#"{"name":"x","value":NaN}"#, "invalid_json"),
    (br#"{"name":"x","value":Infinity}"#, "invalid_json"),
    (br#"{'name':'x','value':1}"#, "invalid_json"),
    (b"{\"name\":\"x\",\"value\":1,\"help\":\"a\nb\"}", "invalid_json"),
    (b"{\"name\":\"x\",\"value\":1,\"labels\":{\"a\":\"\xFF\"}}", "invalid_json"),
    (b"{\"name\":\"x\",\"value\":1,\"unknown\":\"\xC3\"}", "invalid_json"),
    (br#"{"name":"x","value":1,"labels":{"a":"\ud80"}}"#, "invalid_json"),
    (br#"{"name":"x","value":1,"labels":{"a":"\q"}}"#, "invalid_json"),
    (br#"{"name":"x_total","exemplar":{"labels":{"a":1,}}}"#, "invalid_json"),
    // JSON, but no sample.
    (b"null", "not_a_sample"),
    (b"1", "not_a_sample"),
    (b"true", "not_a_sample"),
    (br#""text""#, "not_a_sample"),
    (b"[]", "not_a_sample"),
    (b"[[]]", "not_a_sample"),
    // Fields of another JSON type.
    (br#"{"name":"x","value":null}"#, "invalid_field"),
    (br#"{"name":"x","value":"1"}"#, "invalid_field"),
    (br#"{"name":"x","value":true}"#, "invalid_field"),
    (br#"{"name":"x","value":[1]}"#, "invalid_field"),
    (br#"{"name":1,"value":1}"#, "invalid_field"),
    (br#"{"name":"x","value":1,"help":1}"#, "invalid_field"),
    (br#"{"name":"x","value":1,"labels":"a"}"#, "invalid_field"),
    (br#"{"name":"x","value":1,"labels":["a"]}"#, "invalid_field"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":{}}"#, "invalid_field"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":"1"}"#, "invalid_field"),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":0.5,"epsilons":[0.1]}"#,
        "invalid_field",
    ),
    // Types.
    (br#"{"type":"meter","name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":"","name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":null,"name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":1.0,"name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":4,"name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":-1,"name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":"4","name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":true,"name":"x","value":1}"#, "unknown_type"),
    (br#"{"type":[],"name":"x","value":1}"#, "unknown_type"),
    // Names.
    (br#"{}"#, "missing_name"),
    (br#"{"value":1}"#, "missing_name"),
    (br#"{"name":null,"value":1}"#, "missing_name"),
    (br#"{"name":"","value":1}"#, "missing_name"),
    (br#"{"name":"  ","value":1}"#, "missing_name"),
    (br#"{"name":"x_total","exemplar":"trace"}"#, "invalid_field"),
    (br#"{"name":"x_total","unit":1}"#, "invalid_field"),
    // Units.
    (br#"{"name":"x_total","unit":"seconds"}"#, "invalid_unit"),
    (br#"{"type":"gauge","name":"x_seconds_total","unit":"seconds"}"#, "invalid_unit"),
    (br#"{"type":"gauge","name":"x","unit":"m/s"}"#, "invalid_unit"),
    (br#"{"name":"1x","value":1}"#, "invalid_name"),
    (br#"{"name":"a-b","value":1}"#, "invalid_name"),
    (br#"{"name":"a b","value":1}"#, "invalid_name"),
    (br#"{"name":"x\n","value":1}"#, "invalid_name"),
    (br#"{"name":"x\u0000","value":1}"#, "invalid_name"),
    (br#"{"name":"\u00e9","value":1}"#, "invalid_name"),
    (br#"{"name":"x\ud800","value":1}"#, "invalid_name"),
    (br#"{"name":"prom_stream_gateway_info","value":1}"#, "reserved_name"),
    (br#"{"type":"gauge","name":"up","value":0,"labels":{"job":"victim"}}"#, "reserved_name"),
    (br#"{"type":"gauge","name":"scrape_duration_seconds","value":1}"#, "reserved_name"),
    (br#"{"type":"gauge","name":"ALERTS","value":1}"#, "reserved_name"),
    (br#"{"type":"gauge","name":"ALERTS_FOR_STATE","value":1}"#, "reserved_name"),
    (br#"{"type":"summary","name":"scrape","value":1}"#, "reserved_name"),
    (br#"{"type":"gauge","name":"prom_stream_gateway_x","value":1}"#, "reserved_name"),
    (
        br#"{"type":"histogram","name":"prom_stream_gateway","value":1,"buckets":[1]}"#,
        "reserved_name",
    ),
    // Labels.
    (br#"{"name":"x","value":1,"labels":{"":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"1a":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"a-b":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"a:b":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"a\n":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"__name__":"1"}}"#, "invalid_label_name"),
    (
        br#"{"type":"histogram","name":"x","value":1,"buckets":[1],"labels":{"le":"1"}}"#,
        "invalid_label_name",
    ),
    (br#"{"type":"summary","name":"x","value":1,"labels":{"quantile":"1"}}"#, "invalid_label_name"),
    (br#"{"name":"x","value":1,"labels":{"a":[]}}"#, "invalid_label_value"),
    (br#"{"name":"x","value":1,"labels":{"a":{}}}"#, "invalid_label_value"),
    // Times.
    (br#"{"name":"x","value":1,"timestamp":99999999999}"#, "bad_timestamp"),
    (br#"{"name":"x","value":1,"timestamp":99999999999999}"#, "bad_timestamp"),
    (br#"{"name":"x","value":1,"timestamp":"2023-11-14T22:13:20Z"}"#, "bad_timestamp"),
    (br#"{"name":"x","value":1,"timestamp":"99999999999"}"#, "bad_timestamp"),
    (br#"{"name":"x","value":1,"timestamp":true}"#, "bad_timestamp"),
    (br#"{"name":"x","value":1,"ttl":-1}"#, "bad_ttl"),
    (br#"{"name":"x","value":1,"ttl":"-1"}"#, "bad_ttl"),
    (br#"{"name":"x","value":1,"ttl":"5m"}"#, "bad_ttl"),
    (br#"{"name":"x","value":1,"ttl":[]}"#, "bad_ttl"),
    // Values.
    (br#"{"type":"counter","name":"x","value":-1}"#, "negative_counter"),
    (br#"{"name":"x","value":-5e-324}"#, "negative_counter"),
    (br#"{"type":"gauge","name":"x","value":1e999}"#, "non_finite"),
    (br#"{"type":"gauge","name":"x","value":-1e999}"#, "non_finite"),
    (br#"{"type":"summary","name":"x","value":1e309}"#, "non_finite"),
    // Buckets.
    (br#"{"type":"histogram","name":"x","value":1}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":null}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[2,1]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[1,1]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[0,-0.0]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[1e999,1e999]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[1e999,1]}"#, "bad_buckets"),
    (br#"{"type":"histogram","name":"x","value":1,"buckets":[-1e999,1]}"#, "bad_buckets"),
    // Objectives.
    (br#"{"type":"summary","name":"x","value":1,"quantiles":[0.5]}"#, "bad_quantiles"),
    (br#"{"type":"summary","name":"x","value":1,"epsilons":[0.5]}"#, "bad_quantiles"),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":[0.5,0.9],"epsilons":[0.1]}"#,
        "bad_quantiles",
    ),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":[1.5],"epsilons":[0.1]}"#,
        "bad_quantiles",
    ),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":[-0.1],"epsilons":[0.1]}"#,
        "bad_quantiles",
    ),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":[0.5],"epsilons":[1.1]}"#,
        "bad_quantiles",
    ),
    (
        br#"{"type":"summary","name":"x","value":1,"quantiles":[0.5],"epsilons":[-0.1]}"#,
        "bad_quantiles",
    ),
];

#[test]
fn each_reason_is_counted_and_leaves_nothing() {
    let mut rig = Rig::with(&[("Metrics__Names", "legacy")]);
    let mut before = rig.gateway.scrape();
    let mut failures = Vec::new();
    for (payload, reason) in REJECTED {
        let after = rig.send(&[payload]);
        let grown = after.rejected(reason) - before.rejected(reason);
        let (_, dropped) = after.totals();
        if grown != 1 || dropped != before.totals().1 + 1 {
            let shown = String::from_utf8_lossy(payload);
            failures.push(format!("{shown} should be {reason}, grew {:?}", grew(&before, &after)));
        }
        before = after;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(before.produced().is_empty(), "a rejected sample left {:?}", before.produced());
}

#[test]
fn a_rejected_sample_reserves_nothing() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"counter","name":"a","value":-1,"help":"from the rejected one"}"#,
        r#"{"type":"histogram","name":"b","value":1,"buckets":[2,1]}"#,
        r#"{"type":"summary","name":"c","value":1,"quantiles":[2],"epsilons":[0]}"#,
        r#"{"type":"gauge","name":"a","value":5,"help":"from the good one"}"#,
        r#"{"type":"gauge","name":"b","value":6}"#,
        r#"{"type":"gauge","name":"b_sum","value":7}"#,
        r#"{"type":"gauge","name":"c","value":8}"#,
    ]);
    assert_eq!(seen.totals(), (4, 3));
    assert_eq!(seen.value("a", &[]), Some(5.0));
    assert_eq!(seen.family("a").map(|family| family.help.as_str()), Some("from the good one"));
    assert_eq!(seen.value("b_sum", &[]), Some(7.0));
}

#[test]
fn a_name_that_another_family_prints_is_refused() {
    let histogram = r#"{"type":"histogram","name":"@","value":1,"buckets":[1]}"#;
    let summary = r#"{"type":"summary","name":"@","value":1}"#;
    let mut rig = Rig::start();
    let mut row = 0;
    for (family, suffixes) in [
        (histogram, &["_bucket", "_sum", "_count", "_created"][..]),
        (summary, &["_sum", "_count", "_created"][..]),
    ] {
        for suffix in suffixes {
            let scalar = format!(r#"{{"type":"gauge","name":"@{suffix}","value":2}}"#);
            for (first, second) in [(family, scalar.as_str()), (&scalar, family)] {
                row += 1;
                let own = |text: &str| text.replace('@', &format!("row{row}"));
                let seen = rig.send(&[own(first), own(second)]);
                let what = format!("{} after {}", own(second), own(first));
                assert_eq!(seen.rejected("suffix_conflict"), row, "{what}");
            }
        }
    }
}

#[test]
fn payload_limits_are_inclusive() {
    let mut rig = Rig::with(&[
        ("Metrics__MaxLabels", "2"),
        ("Metrics__MaxLabelValueBytes", "4"),
        ("Metrics__MaxNameBytes", "8"),
        ("Metrics__MaxHelpBytes", "6"),
        ("Metrics__MaxBuckets", "3"),
        ("Metrics__MaxQuantiles", "2"),
        ("Metrics__MaxPayloadBytes", "200"),
    ]);
    let padded = |length: usize| {
        let bare = r#"{"type":"gauge","name":"padded","value":1,"pad":""}"#;
        let pad = "p".repeat(length - bare.len());
        format!(r#"{{"type":"gauge","name":"padded","value":1,"pad":"{pad}"}}"#)
    };
    let at_limit = [
        r#"{"name":"a","value":1,"labels":{"x":"1","y":"2"}}"#.to_owned(),
        r#"{"name":"b","value":1,"labels":{"x":"éé"}}"#.to_owned(),
        r#"{"name":"b","value":1,"labels":{"x":"\u0061bcd"}}"#.to_owned(),
        r#"{"name":"abcdefgh","value":1,"labels":{"abcdefgh":"1"}}"#.to_owned(),
        r#"{"name":"c","value":1,"help":"sixsix"}"#.to_owned(),
        r#"{"type":"histogram","name":"d","value":1,"buckets":[1,2,3]}"#.to_owned(),
        r#"{"type":"summary","name":"e","value":1,"quantiles":[0,1],"epsilons":[0.1,0.1]}"#
            .to_owned(),
        padded(200),
    ];
    let over = [
        (
            r#"{"name":"f","value":1,"labels":{"x":"1","y":"2","z":"3"}}"#.to_owned(),
            "too_many_labels",
        ),
        (r#"{"name":"f","value":1,"labels":{"x":"ééé"}}"#.to_owned(), "label_too_long"),
        (r#"{"name":"abcdefghi","value":1}"#.to_owned(), "name_too_long"),
        (r#"{"name":"f","value":1,"labels":{"abcdefghi":"1"}}"#.to_owned(), "name_too_long"),
        (r#"{"name":"f","value":1,"help":"sevenxx"}"#.to_owned(), "help_too_long"),
        (
            r#"{"type":"histogram","name":"f","value":1,"buckets":[1,2,3,4]}"#.to_owned(),
            "bad_buckets",
        ),
        (
            r#"{"type":"summary","name":"f","value":1,"quantiles":[0,0.5,1],"epsilons":[0,0,0]}"#
                .to_owned(),
            "bad_quantiles",
        ),
        (padded(201), "payload_too_large"),
    ];
    let mut before = rig.send(&at_limit);
    assert_eq!(before.totals(), (at_limit.len() as u64, 0), "grew {:?}", reasons(&before));
    for (payload, reason) in over {
        let after = rig.send(&[&payload]);
        let grown = after.rejected(reason) - before.rejected(reason);
        assert_eq!(grown, 1, "{payload} should be {reason}, grew {:?}", grew(&before, &after));
        before = after;
    }
    assert_eq!(before.value("f", &[]), None);
}

#[test]
fn a_huge_element_is_refused_and_those_behind_it_are_taken() {
    let mut rig = Rig::start();
    let huge = format!(r#"{{"name":"huge","value":1,"pad":"{}"}}"#, "p".repeat(5_000_000));
    let seen = rig.send(&[huge.as_str(), r#"{"type":"gauge","name":"after","value":1}"#]);
    assert_eq!(seen.rejected("payload_too_large"), 1);
    assert_eq!(seen.value("after", &[]), Some(1.0));
    assert_eq!(seen.value("huge", &[]), None);
}

#[test]
fn a_queue_with_bad_payloads_is_processed_whole() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..20_000)
        .map(|i| match i % 20 {
            0 => "{broken".to_owned(),
            10 => r#"{"name":"bad","value":-1}"#.to_owned(),
            _ => format!(r#"{{"name":"good_total","value":1,"labels":{{"i":"{}"}}}}"#, i % 100),
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (18_000, 2_000));
    assert_eq!(seen.rejected("invalid_json"), 1_000);
    assert_eq!(seen.rejected("negative_counter"), 1_000);
    assert_eq!(seen.sum("good_total"), 18_000.0);
    assert_eq!(rig.redis.pending(), 0);
}

/// The reasons that were counted so far.
fn reasons(seen: &Exposition) -> Vec<String> {
    let rejected = seen.samples("prom_stream_gateway_rejected_samples_total");
    rejected.filter(|s| s.number() > 0.0).map(|s| s.canonical.clone()).collect()
}

/// The reasons that were counted in between.
fn grew(before: &Exposition, after: &Exposition) -> Vec<String> {
    let before = reasons(before);
    reasons(after).into_iter().filter(|line| !before.contains(line)).collect()
}
