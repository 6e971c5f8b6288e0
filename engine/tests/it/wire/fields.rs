//! The rules of the fields, one by one, and which of several faults counts.

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::wire::{FIELDS, JsonDecoder, MAX_UNKNOWN_FIELDS};

use super::show::{accepts, decode, now, refuses};

#[test]
fn fields() {
    accepts(r#"{"name":"m"}"#, "counter m{} 0.0");
    accepts(r#"{"name":"m","x":{"name":"n"},"Name":"n","y":[1e999,{}]}"#, "counter m{} 0.0");
    accepts(
        r#"{"type":"gauge","name":"m","help":null,"labels":null,"buckets":null,"quantiles":null,"epsilons":null}"#,
        "gauge m{} 0.0",
    );
    accepts(r#"{"name":"m","help":"h"}"#, "counter m{} 0.0 help \"h\"");
    refuses(
        Reason::InvalidField,
        &[
            r#"{"name":5}"#,
            r#"{"name":true}"#,
            r#"{"name":["m"]}"#,
            r#"{"name":{}}"#,
            r#"{"name":"m","help":1}"#,
            r#"{"name":"m","help":[]}"#,
            r#"{"name":"m","help":false}"#,
            r#"{"name":"m","value":null}"#,
            r#"{"name":"m","value":"1"}"#,
            r#"{"name":"m","value":true}"#,
            r#"{"name":"m","value":[1]}"#,
            r#"{"name":"m","value":{}}"#,
            r#"{"name":"m","labels":"a"}"#,
            r#"{"name":"m","labels":1}"#,
            r#"{"name":"m","labels":[1]}"#,
            r#"{"name":"m","labels":[[]]}"#,
            r#"{"name":"m","labels":false}"#,
            r#"{"name":"m","buckets":"1"}"#,
            r#"{"name":"m","buckets":{}}"#,
            r#"{"name":"m","buckets":1}"#,
            r#"{"name":"m","buckets":[null]}"#,
            r#"{"name":"m","buckets":["1"]}"#,
            r#"{"name":"m","buckets":[1,[2]]}"#,
            r#"{"name":"m","buckets":[true]}"#,
            r#"{"name":"m","quantiles":0.5}"#,
            r#"{"name":"m","quantiles":["0.5"]}"#,
            r#"{"name":"m","epsilons":"x"}"#,
            r#"{"name":"m","epsilons":[{}]}"#,
        ],
    );
}

#[test]
fn content_of_fields_that_the_type_does_not_use() {
    accepts(
        r#"{"name":"m","buckets":[2,1,-1e999],"quantiles":[5],"epsilons":[-1,2]}"#,
        "counter m{} 0.0",
    );
    accepts(r#"{"type":"summary","name":"m","buckets":[2,1]}"#, "summary m{} 0.0");
    accepts(
        r#"{"type":"histogram","name":"m","buckets":[1],"quantiles":[5]}"#,
        "histogram m{} 0.0 buckets [1.0]",
    );
}

#[test]
fn duplicates() {
    accepts(
        r#"{"type":7,"type":"gauge","name":5,"name":"m","value":"x","value":2,"help":1,"help":"h","labels":1,"labels":{"a":"1"},"buckets":"x","buckets":[]}"#,
        "gauge m{a=\"1\"} 2.0 at 65..66 help \"h\"",
    );
    accepts(r#"{"name":"m","value":1,"value":22}"#, "counter m{} 22.0 at 30..32");
    accepts(r#"{"name":"m","labels":{"a":"1"},"labels":{"b":"2"}}"#, "counter m{b=\"2\"} 0.0");
    accepts(r#"{"name":"m","labels":{"a":"1"},"labels":null}"#, "counter m{} 0.0");
    accepts(r#"{"name":"m","labels":{"a":"1"},"labels":[]}"#, "counter m{} 0.0");
    accepts(r#"{"name":"m","help":"h","help":null}"#, "counter m{} 0.0");
    accepts(
        r#"{"type":"histogram","name":"m","buckets":[1,2],"buckets":[3]}"#,
        "histogram m{} 0.0 buckets [3.0]",
    );
    refuses(Reason::InvalidField, &[r#"{"name":"m","value":1,"value":null}"#]);
    refuses(Reason::MissingName, &[r#"{"name":"m","name":null}"#]);
    refuses(Reason::UnknownType, &[r#"{"name":"m","type":"gauge","type":null}"#]);
    refuses(
        Reason::BadBuckets,
        &[r#"{"type":"histogram","name":"m","buckets":[1,2],"buckets":null}"#],
    );
    accepts(
        r#"{"type":"summary","name":"m","quantiles":[0.5],"quantiles":null}"#,
        "summary m{} 0.0",
    );
}

#[test]
fn types() {
    for (word, kind) in [
        (r#""counter""#, "counter"),
        (r#""CoUnTeR""#, "counter"),
        (r#"" gauge ""#, "gauge"),
        ("\"\u{a0}summary\\n\"", "summary"),
        (r#""0""#, "counter"),
        (r#""1""#, "gauge"),
        (r#"" 2 ""#, "summary"),
        ("0", "counter"),
        ("1", "gauge"),
        ("2", "summary"),
    ] {
        accepts(&format!(r#"{{"name":"m","type":{word}}}"#), &format!("{kind} m{{}} 0.0"));
    }
    for word in [r#""histogram""#, r#""HISTOGRAM""#, r#""3""#, "3"] {
        accepts(
            &format!(r#"{{"name":"m","buckets":[1],"type":{word}}}"#),
            "histogram m{} 0.0 buckets [1.0]",
        );
    }
    for word in [
        "null",
        "true",
        "[]",
        "{}",
        "4",
        "-1",
        "-0",
        "1.0",
        "1e0",
        "1E0",
        "0.0",
        "1e999",
        "10",
        r#""""#,
        r#"" ""#,
        r#""4""#,
        r#""01""#,
        r#""+1""#,
        r#""-0""#,
        r#""1.0""#,
        r#""count""#,
        r#""counters""#,
        r#""coun ter""#,
        r#""ſummary""#,
        r#""counter,gauge""#,
    ] {
        refuses(Reason::UnknownType, &[&format!(r#"{{"name":"m","type":{word}}}"#)]);
    }
}

#[test]
fn metric_names() {
    accepts(r#"{"name":"a:b_C9"}"#, "counter a:b_C9{} 0.0");
    accepts(r#"{"name":":"}"#, "counter :{} 0.0");
    accepts(r#"{"name":"\u006d"}"#, "counter m{} 0.0");
    refuses(
        Reason::MissingName,
        &[
            r#"{"name":null}"#,
            r#"{"name":""}"#,
            r#"{"name":" \t\n"}"#,
            "{\"name\":\"\u{a0}\u{2003}\"}",
        ],
    );
    refuses(
        Reason::InvalidName,
        &[
            r#"{"name":"1m"}"#,
            r#"{"name":"m-x"}"#,
            r#"{"name":"m.x"}"#,
            r#"{"name":"m "}"#,
            r#"{"name":" m"}"#,
            r#"{"name":"m\n"}"#,
            r#"{"name":"é"}"#,
            r#"{"name":"m\u0000"}"#,
            r#"{"name":"{}"}"#,
        ],
    );
    let long = |length: usize| format!(r#"{{"name":"{}"}}"#, "m".repeat(length));
    accepts(&long(512), &format!("counter {}{{}} 0.0", "m".repeat(512)));
    refuses(Reason::NameTooLong, &[&long(513), &format!(r#"{{"name":"{}"}}"#, "é".repeat(257))]);
    refuses(Reason::MissingName, &[&format!(r#"{{"name":"{}"}}"#, " ".repeat(1000))]);
}

#[test]
fn values() {
    for (number, shown) in [
        ("1", "1.0"),
        ("-0.5e1", "-5.0"),
        ("1e-400", "0.0"),
        ("-0", "-0.0"),
        ("4.9e-324", "5e-324"),
    ] {
        let payload = format!(r#"{{"type":1,"name":"m","value":{number}}}"#);
        let end = 29 + number.len();
        accepts(&payload, &format!("gauge m{{}} {shown} at 29..{end}"));
    }
    accepts(r#"{"name":"m","value":-0}"#, "counter m{} 0.0 at 20..22");
    accepts(r#"{"name":"m","value":-1e-999}"#, "counter m{} 0.0 at 20..27");
    refuses(
        Reason::NonFinite,
        &[r#"{"type":"gauge","name":"m","value":1e309}"#, r#"{"name":"m","value":-1e999}"#],
    );
    refuses(
        Reason::NegativeCounter,
        &[r#"{"name":"m","value":-1}"#, r#"{"name":"m","value":-4.9e-324}"#],
    );
}

#[test]
fn help_length() {
    let payload = |length: usize| format!(r#"{{"name":"m","help":"{}"}}"#, "h".repeat(length));
    accepts(&payload(4096), &format!("counter m{{}} 0.0 help {:?}", "h".repeat(4096)));
    refuses(Reason::HelpTooLong, &[&payload(4097)]);
    let escaped = |length: usize| format!(r#"{{"name":"m","help":"{}"}}"#, "\\n".repeat(length));
    accepts(&escaped(4096), &format!("counter m{{}} 0.0 help {:?}", "\n".repeat(4096)));
    refuses(Reason::HelpTooLong, &[&escaped(4097)]);
}

#[test]
fn buckets() {
    let payload = |buckets: &str| format!(r#"{{"type":3,"name":"m","buckets":{buckets}}}"#);
    for (sent, shown) in [
        ("[1]", " buckets [1.0]"),
        ("[-10,-1,0,1e2]", " buckets [-10.0, -1.0, 0.0, 100.0]"),
        ("[1,1e999]", " buckets [1.0]"),
        ("[1e999]", ""),
        ("[-0.0,1]", " buckets [0.0, 1.0]"),
    ] {
        accepts(&payload(sent), &format!("histogram m{{}} 0.0{shown}"));
    }
    for sent in [
        "[]",
        "null",
        "[1,1]",
        "[2,1]",
        "[0,-0.0]",
        "[1,1e999,1e999]",
        "[1e999,1]",
        "[-1e999,1]",
        "[-1e999]",
        "[1,3,2]",
    ] {
        refuses(Reason::BadBuckets, &[&payload(sent)]);
    }
    refuses(Reason::BadBuckets, &[r#"{"type":3,"name":"m"}"#]);
    let count = |count: usize| {
        let bounds: Vec<String> = (0..count).map(|bound| bound.to_string()).collect();
        payload(&format!("[{}]", bounds.join(",")))
    };
    assert!(decode(count(256).as_bytes(), PayloadLimits::default()).is_ok());
    refuses(Reason::BadBuckets, &[&count(257)]);
}

#[test]
fn quantiles() {
    let payload = |quantiles: &str, epsilons: &str| {
        format!(r#"{{"type":2,"name":"m","quantiles":{quantiles},"epsilons":{epsilons}}}"#)
    };
    for (quantiles, epsilons, shown) in [
        ("[0.5]", "[0.05]", " objectives [(0.5, 0.05)]"),
        ("[0.99,0.5]", "[0.001,0.05]", " objectives [(0.5, 0.05), (0.99, 0.001)]"),
        ("[0,1]", "[0,1]", " objectives [(0.0, 0.0001), (1.0, 1.0)]"),
        ("[0.5]", "[0.00001]", " objectives [(0.5, 0.0001)]"),
        ("[0.5,0.9,0.50]", "[0.1,0.2,0.05]", " objectives [(0.5, 0.05), (0.9, 0.2)]"),
        ("[0,-0.0]", "[0.3,0.2]", " objectives [(0.0, 0.2)]"),
        ("[]", "[]", ""),
        ("null", "null", ""),
        ("null", "[]", ""),
    ] {
        accepts(&payload(quantiles, epsilons), &format!("summary m{{}} 0.0{shown}"));
    }
    for (quantiles, epsilons) in [
        ("[0.5]", "[]"),
        ("[0.5]", "null"),
        ("null", "[0.5]"),
        ("[0.5,0.9]", "[0.05]"),
        ("[1.1]", "[0.05]"),
        ("[-0.1]", "[0.05]"),
        ("[0.5]", "[1.1]"),
        ("[0.5]", "[-0.1]"),
        ("[1e999]", "[0.1]"),
        ("[0.5]", "[1e999]"),
    ] {
        refuses(Reason::BadQuantiles, &[&payload(quantiles, epsilons)]);
    }
    refuses(Reason::BadQuantiles, &[r#"{"type":2,"name":"m","quantiles":[0.5]}"#]);
    let many = |count: usize| format!("[{}]", vec!["0.5"; count].join(","));
    accepts(&payload(&many(32), &many(32)), "summary m{} 0.0 objectives [(0.5, 0.5)]");
    refuses(Reason::BadQuantiles, &[&payload(&many(33), &many(33))]);
}

#[test]
fn the_first_fault_in_the_documented_order_counts() {
    let bad_parts = [
        (Reason::InvalidField, r#""epsilons":1"#),
        (Reason::UnknownType, r#""type":9"#),
        (Reason::MissingName, r#""name":"""#),
        (Reason::MissingName, r#""value":1e999"#),
    ];
    for first in 0..bad_parts.len() {
        let parts: Vec<&str> = bad_parts[first..].iter().rev().map(|(_, part)| *part).collect();
        refuses(bad_parts[first].0, &[&format!(r#"{{{}}}"#, parts.join(","))]);
    }
    let long_help = format!(r#""help":"{}""#, "h".repeat(5000));
    let long_value = "v".repeat(3000);
    for (reason, payload) in [
        (Reason::NonFinite, format!(r#"{{{long_help},"name":"m","value":-1e999}}"#)),
        (Reason::InvalidName, format!(r#"{{{long_help},"name":"-","value":-1}}"#)),
        (Reason::NegativeCounter, format!(r#"{{{long_help},"name":"m","value":-1}}"#)),
        (Reason::HelpTooLong, format!(r#"{{"labels":{{"-":"1"}},{long_help},"name":"m"}}"#)),
        (
            Reason::InvalidLabelName,
            format!(r#"{{"name":"m","type":3,"labels":{{"-":[],"a":"{long_value}"}}}}"#),
        ),
        (
            Reason::LabelTooLong,
            format!(r#"{{"name":"m","type":3,"labels":{{"a":"{long_value}","-":[]}}}}"#),
        ),
        (Reason::InvalidLabelValue, r#"{"name":"m","type":3,"labels":{"a":[]}}"#.to_owned()),
    ] {
        refuses(reason, &[&payload]);
    }
}

#[test]
fn details() {
    for (payload, expected) in [
        (
            r#"{"name":"m","value":"1.5"}"#,
            "invalid_field: expected a number as value, got a string \"1.5\": send it without quotes, as (float) does in PHP",
        ),
        (
            r#"{"name":"m","value":"1,5"}"#,
            "invalid_field: expected a number as value, got a string \"1,5\"",
        ),
        (r#"{"name":"m","value":null}"#, "invalid_field: expected a number as value, got null"),
        (r#"{"name":5}"#, "invalid_field: expected a string as name, got a number"),
        (
            r#"{"name":"m","timestamp":"2026-01-01\u0000"}"#,
            "bad_timestamp: expected a number as timestamp, got a string \"2026-01-01\\u0000\"",
        ),
        (r#"{"name":"m","ttl":[]}"#, "bad_ttl: expected a number as ttl, got an array"),
        (
            r#"{"name":"m","buckets":[1,null]}"#,
            "invalid_field: expected an array of numbers as buckets, got null",
        ),
        (
            r#"{"name":"m" "x"}"#,
            "invalid_json: expected a comma or a closing brace at byte 12, got \"",
        ),
        (
            r#"{"name":"m""#,
            "invalid_json: expected a comma or a closing brace at byte 11, got the end",
        ),
        (
            r#"{"name":"a\nb"}"#,
            "invalid_name: expected a name like [a-zA-Z_:][a-zA-Z0-9_:]*, got a\\nb",
        ),
        (r#"[]"#, "not_a_sample: expected an object, got an array"),
    ] {
        let refused = decode(payload.as_bytes(), PayloadLimits::default()).expect_err(payload);
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn an_unknown_op_is_told_where_it_is_empty_too() {
    let detail = |op: &str| {
        let payload = format!(r#"{{"type":"gauge","name":"g","value":1,"op":"{op}"}}"#);
        let mut decoder = JsonDecoder::new(PayloadLimits::default());
        let refused = decoder.decode(payload.as_bytes(), now()).map(|it| it.sample.kind);
        refused.expect_err("no op").detail.to_string()
    };
    let expected = "expected set, add, max or min as op, got";
    assert_eq!(detail("sub"), format!("{expected} sub"));
    assert_eq!(detail(""), format!("{expected} an empty text"));
}

#[test]
fn unknown_fields_are_counted_by_name() {
    let mut decoder = JsonDecoder::new(PayloadLimits::default());
    let mut unknown = |payload: &str| {
        let _ = decoder.decode(payload.as_bytes(), now());
        let fields = decoder.take_unknown_fields();
        fields.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>()
    };
    assert_eq!(unknown(r#"{"name":"m","value":1,"labels":{"x":"y"}}"#), [""; 0]);
    let known = FIELDS.map(|field| format!("\"{field}\":null")).join(",");
    assert_eq!(unknown(&format!("{{{known}}}")), [""; 0]);
    assert_eq!(unknown(r#"{"name":"m","Name":1,"x":{"y":1},"\u0078":2}"#), ["Name=1", "x=2"]);
    assert_eq!(unknown(r#"{"name":5,"tpye":1}"#), ["tpye=1"], "of what is refused too");
    assert_eq!(unknown(r#"{"name":"m","x":1"#), [""; 0], "what is no JSON has no fields");
    let many: Vec<String> = (0..1000).map(|number| format!("\"f{number}\":0")).collect();
    let told = unknown(&format!("{{{}}}", many.join(",")));
    assert_eq!(told.len(), MAX_UNKNOWN_FIELDS + 1);
    assert_eq!(told.last(), Some(&format!("other={}", 1000 - MAX_UNKNOWN_FIELDS)));
}
