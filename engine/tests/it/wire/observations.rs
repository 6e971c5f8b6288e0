//! What a sample observed: a value, several, or counts; and what a gauge's does.

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;

use super::show::{accepts, decode, refuses, refuses_bytes, small_limits};

#[test]
fn operations_are_a_gauges() {
    for (op, shown) in [("set", ""), ("add", " op add"), ("max", " op max"), ("min", " op min")] {
        accepts(
            &format!(r#"{{"name":"m","type":"gauge","op":"{op}","value":-2}}"#),
            &format!("gauge m{{}} -2.0 at 46..48{shown}"),
        );
    }
    accepts(r#"{"name":"m","op":"add"}"#, "counter m{} 0.0");
    accepts(r#"{"name":"m","type":"gauge","op":null}"#, "gauge m{} 0.0");
    refuses(
        Reason::InvalidField,
        &[
            r#"{"name":"m","type":"gauge","op":"sub"}"#,
            r#"{"name":"m","type":"gauge","op":"Add"}"#,
            r#"{"name":"m","type":"gauge","op":""}"#,
            r#"{"name":"m","type":"gauge","op":1}"#,
            r#"{"name":"m","op":"set"}"#,
            r#"{"name":"m","op":"max"}"#,
            r#"{"name":"m","type":"summary","op":"add"}"#,
            r#"{"name":"m","type":"histogram","op":"add","buckets":[1]}"#,
        ],
    );
}

#[test]
fn several_values() {
    accepts(
        r#"{"name":"m","type":"summary","values":[1,-2.5]}"#,
        "summary m{} 0.0 values [1.0, -2.5]",
    );
    accepts(
        r#"{"name":"m","type":"histogram","buckets":[1],"values":[3]}"#,
        "histogram m{} 0.0 buckets [1.0] values [3.0]",
    );
    accepts(r#"{"name":"m","values":[1,2,0.5]}"#, "counter m{} 3.5");
    accepts(r#"{"name":"m","values":null,"value":1}"#, "counter m{} 1.0 at 34..35");
    refuses(
        Reason::InvalidField,
        &[
            r#"{"name":"m","values":[]}"#,
            r#"{"name":"m","values":1}"#,
            r#"{"name":"m","values":["1"]}"#,
            r#"{"name":"m","values":[1],"value":1}"#,
            r#"{"name":"m","type":"gauge","values":[1]}"#,
        ],
    );
    refuses(Reason::NegativeCounter, &[r#"{"name":"m","values":[1,-1]}"#]);
    refuses(
        Reason::NonFinite,
        &[
            r#"{"name":"m","values":[1e308,1e308]}"#,
            r#"{"name":"m","type":"summary","values":[1,1e999]}"#,
        ],
    );
    let limits = PayloadLimits { max_payload_bytes: 500, ..small_limits() };
    assert!(decode(br#"{"name":"m","values":[1,2,3,4,5]}"#, limits.clone()).is_ok());
    refuses_bytes(Reason::TooManyValues, br#"{"name":"m","values":[1,2,3,4,5,6]}"#, limits);
}

#[test]
fn whole_histograms() {
    let whole =
        |fields: &str| format!(r#"{{"name":"m","type":"histogram","buckets":[1,2],{fields}}}"#);
    let shown = |counts: &str| format!("histogram m{{}} 7.5 buckets [1.0, 2.0] counts {counts}");
    accepts(&whole(r#""counts":[3,0,1],"sum":7.5"#), &shown("[3, 0, 1]"));
    accepts(&whole(r#""counts":[3,1],"sum":7.5"#), &shown("[3, 1, 0]"));
    accepts(&whole(r#""sum":7.5,"counts":[3e0,1.0,-0]"#), &shown("[3, 1, 0]"));
    for wrong in [
        r#""counts":[1],"sum":1"#,
        r#""counts":[1,1,1,1],"sum":1"#,
        r#""counts":[],"sum":0"#,
        r#""counts":[1,-1],"sum":1"#,
        r#""counts":[1,0.5],"sum":1"#,
        r#""counts":[1,9007199254740993e1],"sum":1"#,
    ] {
        refuses(Reason::BadBuckets, &[&whole(wrong)]);
    }
    for wrong in [
        r#""counts":[1,1]"#,
        r#""sum":1"#,
        r#""counts":[1,1],"sum":1,"value":1"#,
        r#""counts":[1,1],"sum":1,"values":[1]"#,
        r#""counts":[1,null],"sum":1"#,
        r#""counts":[1,1],"sum":"1""#,
    ] {
        refuses(Reason::InvalidField, &[&whole(wrong)]);
    }
    refuses(Reason::NonFinite, &[&whole(r#""counts":[1,1],"sum":1e999"#)]);
    refuses(
        Reason::InvalidField,
        &[
            r#"{"name":"m","counts":[1],"sum":1}"#,
            r#"{"name":"m","type":"gauge","counts":[1],"sum":1}"#,
        ],
    );
}

/// A histogram that has the bucket of all alone, and a summary, which has no buckets.
#[test]
fn one_count_of_all() {
    for kind in ["histogram", "summary"] {
        let counted = |counts: &str| {
            format!(r#"{{"name":"m","type":"{kind}","counts":{counts},"sum":-7.5}}"#)
        };
        accepts(&counted("[3]"), &format!("{kind} m{{}} -7.5 counts [3]"));
        for wrong in ["[]", "[1,2]", "[-1]", "[0.5]", "[9007199254740993e1]"] {
            refuses(Reason::BadBuckets, &[&counted(wrong)]);
        }
    }
    accepts(
        r#"{"name":"m","type":"summary","counts":[1],"sum":1,"quantiles":[1],"epsilons":[0]}"#,
        "summary m{} 1.0 objectives [(1.0, 0.0001)] counts [1]",
    );
}
