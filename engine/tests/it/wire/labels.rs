//! The rules of `labels`.

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::wire::{JsonDecoder, JsonSample};

use super::show::{accepts, now, refuses};

#[test]
fn label_values() {
    accepts(
        r#"{"name":"m","labels":{"a":"1","b":200,"c":-1.50e+3,"d":true,"e":false,"f":null,"g":"","h":"x"}}"#,
        r#"counter m{a="1",b="200",c="-1.50e+3",d="true",e="false",h="x"} 0.0"#,
    );
    accepts(
        r#"{"name":"m","labels":{"b":"2","a":"1","_":"3"}}"#,
        r#"counter m{b="2",a="1",_="3"} 0.0"#,
    );
    accepts(r#"{"name":"m","labels":{"a":1e999}}"#, r#"counter m{a="1e999"} 0.0"#);
    accepts(r#"{"name":"m","labels":{"a":" "}}"#, r#"counter m{a=" "} 0.0"#);
    refuses(
        Reason::InvalidLabelValue,
        &[r#"{"name":"m","labels":{"a":[]}}"#, r#"{"name":"m","labels":{"a":{"b":"c"}}}"#],
    );
    let long =
        |length: usize| format!(r#"{{"name":"m","labels":{{"a":"{}"}}}}"#, "v".repeat(length));
    accepts(&long(2048), &format!("counter m{{a=\"{}\"}} 0.0", "v".repeat(2048)));
    refuses(Reason::LabelTooLong, &[&long(2049)]);
    let digits = format!(r#"{{"name":"m","labels":{{"a":{}}}}}"#, "1".repeat(2049));
    refuses(Reason::LabelTooLong, &[&digits]);
}

#[test]
fn duplicate_labels() {
    for (labels, shown) in [
        (r#""a":"1","a":"2""#, r#"a="2""#),
        (r#""a":"1","b":"3","a":"2""#, r#"b="3",a="2""#),
        (r#""a":"1","a":"""#, ""),
        (r#""a":"1","a":null"#, ""),
        (r#""a":null,"a":"1""#, r#"a="1""#),
        (r#""a":[],"a":"1""#, r#"a="1""#),
        (r#""a":"1","\u0061":"2","a":"3""#, r#"a="3""#),
    ] {
        let payload = format!(r#"{{"name":"m","labels":{{{labels}}}}}"#);
        accepts(&payload, &format!("counter m{{{shown}}} 0.0"));
    }
    refuses(Reason::InvalidLabelValue, &[r#"{"name":"m","labels":{"a":"1","a":[]}}"#]);
}

#[test]
fn label_names() {
    accepts(
        r#"{"name":"m","labels":{"le":"1","quantile":"2","_a":"3","A9":"4"}}"#,
        r#"counter m{le="1",quantile="2",_a="3",A9="4"} 0.0"#,
    );
    accepts(r#"{"type":2,"name":"m","labels":{"le":"1"}}"#, r#"summary m{le="1"} 0.0"#);
    refuses(
        Reason::InvalidLabelName,
        &[
            r#"{"name":"m","labels":{"":"1"}}"#,
            r#"{"name":"m","labels":{"1a":"1"}}"#,
            r#"{"name":"m","labels":{"a:b":"1"}}"#,
            r#"{"name":"m","labels":{"a-b":"1"}}"#,
            r#"{"name":"m","labels":{"__name__":"1"}}"#,
            r#"{"name":"m","labels":{"__":"1"}}"#,
            r#"{"name":"m","labels":{"é":"1"}}"#,
            r#"{"name":"m","labels":{"a\n":"1"}}"#,
            r#"{"name":"m","labels":{"a-b":""}}"#,
            r#"{"name":"m","labels":{"a-b":null}}"#,
            r#"{"type":3,"name":"m","buckets":[1],"labels":{"le":"1"}}"#,
            r#"{"type":3,"name":"m","buckets":[1],"labels":{"le":""}}"#,
            r#"{"labels":{"quantile":"1"},"name":"m","type":2}"#,
        ],
    );
    let long =
        |length: usize| format!(r#"{{"name":"m","labels":{{"{}":"1"}}}}"#, "l".repeat(length));
    accepts(&long(512), &format!("counter m{{{}=\"1\"}} 0.0", "l".repeat(512)));
    refuses(Reason::NameTooLong, &[&long(513)]);
}

#[test]
fn label_counts() {
    let payload = |count: usize, name: &dyn Fn(usize) -> String| {
        let members: Vec<String> =
            (0..count).map(|index| format!("\"{}\":\"{index}\"", name(index))).collect();
        format!(r#"{{"name":"m","labels":{{{}}}}}"#, members.join(","))
    };
    let distinct = |index: usize| format!("l{index}");
    let all: Vec<String> = (0..64).map(|index| format!("l{index}=\"{index}\"")).collect();
    accepts(&payload(64, &distinct), &format!("counter m{{{}}} 0.0", all.join(",")));
    refuses(Reason::TooManyLabels, &[&payload(65, &distinct), &payload(65, &|_| "a".into())]);
    // A duplicate of `labels` is not counted with the last one.
    let twice = format!(
        r#"{},"labels":{{"a":"1"}}}}"#,
        payload(65, &distinct).strip_suffix('}').expect("an object")
    );
    accepts(&twice, "counter m{a=\"1\"} 0.0");
}

#[test]
fn many_labels_where_the_limit_is_high() {
    let limits = PayloadLimits { max_labels: 100_000, ..PayloadLimits::default() };
    let members: Vec<String> =
        (0..30_000).map(|index| format!("\"l{}\":{index}", index % 1000)).collect();
    let payload = format!(r#"{{"name":"m","labels":{{{}}}}}"#, members.join(","));
    let mut decoder = JsonDecoder::new(limits);
    let decoded = decoder.decode(payload.as_bytes(), now());
    let JsonSample { sample, .. } = decoded.expect("a sample");
    assert_eq!(sample.labels.len(), 1000);
    for (index, label) in sample.labels.iter().enumerate() {
        assert_eq!(label.name, format!("l{index}"));
        assert_eq!(label.value, (29_000 + index).to_string());
    }
}
