//! Payload: each form that is accepted, and what it comes to.

use psg_testkit::Rig;

/// What a producer may send, and the sample lines that `/metrics` then shows
/// in the family `@`, a name that stands for the row's own.
const ACCEPTED: &[(&str, &[&str])] = &[
    // The four types in their forms.
    (r#"{"name":"@","value":2}"#, &["@ 2"]),
    (r#"{"type":"COUNTER","name":"@","value":2}"#, &["@ 2"]),
    (r#"{"type":" gauge ","name":"@","value":-2}"#, &["@ -2"]),
    (r#"{"type":0,"name":"@","value":2}"#, &["@ 2"]),
    (r#"{"type":1,"name":"@","value":-2}"#, &["@ -2"]),
    (r#"{"type":2,"name":"@","value":2}"#, &["@_sum 2", "@_count 1"]),
    (
        r#"{"type":3,"name":"@","value":2,"buckets":[1]}"#,
        &["@_sum 2", "@_count 1", r#"@_bucket{le="1"} 0"#, r#"@_bucket{le="+Inf"} 1"#],
    ),
    (r#"{"type":"1","name":"@","value":-2}"#, &["@ -2"]),
    // Names.
    (r#"{"type":"gauge","name":"@:a:b","value":1}"#, &["@:a:b 1"]),
    (r#"{"type":"gauge","name":"_@","value":1}"#, &["_@ 1"]),
    (r#"{"type":"gauge","name":":@","value":1}"#, &[":@ 1"]),
    (
        r#"{"type":"gauge","name":"@","value":1,"labels":{"le":"1","quantile":"2"}}"#,
        &[r#"@{le="1",quantile="2"} 1"#],
    ),
    (
        r#"{"type":"gauge","name":"@","value":1,"labels":{"_x":"1","A9":"2"}}"#,
        &[r#"@{A9="2",_x="1"} 1"#],
    ),
    // Values.
    (r#"{"type":"gauge","name":"@"}"#, &["@ 0"]),
    (r#"{"name":"@"}"#, &["@ 0"]),
    (r#"{"name":"@","value":0}"#, &["@ 0"]),
    (r#"{"name":"@","value":-0.0}"#, &["@ 0"]),
    (r#"{"type":"gauge","name":"@","value":-0}"#, &["@ 0"]),
    (r#"{"type":"gauge","name":"@","value":1e-400}"#, &["@ 0"]),
    (r#"{"type":"gauge","name":"@","value":0.1}"#, &["@ 0.1"]),
    (r#"{"type":"gauge","name":"@","value":0.0001}"#, &["@ 0.0001"]),
    (r#"{"type":"gauge","name":"@","value":0.0000999}"#, &["@ 9.99e-05"]),
    (r#"{"type":"gauge","name":"@","value":100000.1}"#, &["@ 100000.1"]),
    (r#"{"type":"gauge","name":"@","value":90000000000000000}"#, &["@ 90000000000000000"]),
    (r#"{"type":"gauge","name":"@","value":12345678901234567}"#, &["@ 12345678901234568"]),
    (r#"{"type":"gauge","name":"@","value":100000000000000000}"#, &["@ 1e+17"]),
    (
        r#"{"type":"gauge","name":"@","value":1.7976931348623157e308}"#,
        &["@ 1.7976931348623157e+308"],
    ),
    // Labels.
    (r#"{"type":"gauge","name":"@","value":1,"labels":null}"#, &["@ 1"]),
    (r#"{"type":"gauge","name":"@","value":1,"labels":[]}"#, &["@ 1"]),
    (
        r#"{"type":"gauge","name":"@","value":1,"labels":{"a":"","b":null,"c":"x"}}"#,
        &[r#"@{c="x"} 1"#],
    ),
    (
        r#"{"type":"gauge","name":"@","value":1,"labels":{"s":200,"f":1.50,"t":true,"n":false}}"#,
        &[r#"@{f="1.50",n="false",s="200",t="true"} 1"#],
    ),
    (r#"{"type":"gauge","name":"@","value":1,"labels":{"a":"1","a":"2"}}"#, &[r#"@{a="2"} 1"#]),
    (r#"{"type":"gauge","name":"@","value":1,"labels":{"a":"1","a":""}}"#, &["@ 1"]),
    (r#"{"type":"gauge","name":"@","value":1,"labels":{"a":"\\\"\n}"}}"#, &[r#"@{a="\\\"\n}"} 1"#]),
    (
        r#"{"type":"gauge","name":"@","value":1,"labels":{"a":"\ud83d\ude00é"}}"#,
        &[r#"@{a="😀é"} 1"#],
    ),
    // Fields.
    (r#"{"type":"gauge","name":"@","value":1,"help":null,"unknown":{"a":[1,{}]}}"#, &["@ 1"]),
    (r#"{"type":"gauge","name":"@","value":1,"Value":9,"LABELS":{"a":"1"}}"#, &["@ 1"]),
    (r#"{"type":"gauge","name":"other","name":"@","value":1,"value":2}"#, &["@ 2"]),
    (r#"{"type":"gauge","name":"@","value":1,"buckets":null,"quantiles":null}"#, &["@ 1"]),
    (" \t\r\n{ \"type\" : \"gauge\" , \"name\" : \"@\" , \"value\" : 1 }\r\n", &["@ 1"]),
    // Histogram layouts.
    (
        r#"{"type":"histogram","name":"@","value":1,"buckets":[1,2.5,1e999]}"#,
        &[
            "@_sum 1",
            "@_count 1",
            r#"@_bucket{le="1"} 1"#,
            r#"@_bucket{le="2.5"} 1"#,
            r#"@_bucket{le="+Inf"} 1"#,
        ],
    ),
    (
        r#"{"type":"histogram","name":"@","value":-3,"buckets":[-5,0],"labels":{"quantile":"q"}}"#,
        &[
            r#"@_sum{quantile="q"} -3"#,
            r#"@_count{quantile="q"} 1"#,
            r#"@_bucket{le="-5",quantile="q"} 0"#,
            r#"@_bucket{le="0",quantile="q"} 1"#,
            r#"@_bucket{le="+Inf",quantile="q"} 1"#,
        ],
    ),
    // Summary objectives.
    (
        r#"{"type":"summary","name":"@","value":4,"quantiles":[],"epsilons":[]}"#,
        &["@_sum 4", "@_count 1"],
    ),
    (
        r#"{"type":"summary","name":"@","value":4,"quantiles":[0.9,0.5],"epsilons":[0,1]}"#,
        &["@_sum 4", "@_count 1", r#"@{quantile="0.5"} 4"#, r#"@{quantile="0.9"} 4"#],
    ),
    (
        r#"{"type":"summary","name":"@","value":4,"quantiles":[0.5,0.5],"epsilons":[0.1,0.01]}"#,
        &["@_sum 4", "@_count 1", r#"@{quantile="0.5"} 4"#],
    ),
    (
        r#"{"type":"summary","name":"@","value":4,"quantiles":[0,1],"epsilons":[0.1,0.1],"labels":{"le":"1"}}"#,
        &[
            r#"@_sum{le="1"} 4"#,
            r#"@_count{le="1"} 1"#,
            r#"@{le="1",quantile="0"} 4"#,
            r#"@{le="1",quantile="1"} 4"#,
        ],
    ),
];

#[test]
fn accepted_payloads_show() {
    let mut rig = Rig::start();
    let own = |row: usize, text: &str| text.replace('@', &format!("row{row}"));
    let payloads: Vec<String> =
        ACCEPTED.iter().enumerate().map(|(row, (payload, _))| own(row, payload)).collect();
    let seen = rig.send(&payloads);
    let shown: Vec<&str> = seen
        .families
        .iter()
        .flat_map(|family| &family.samples)
        .map(|sample| sample.canonical.as_str())
        .collect();
    let mut failures = Vec::new();
    for (row, (_, lines)) in ACCEPTED.iter().enumerate() {
        let mut expected: Vec<String> = lines.iter().map(|line| own(row, line)).collect();
        let mut got: Vec<String> =
            shown.iter().filter(|line| is_of(line, row)).map(|line| line.to_string()).collect();
        expected.sort();
        got.sort();
        if got != expected {
            failures
                .push(format!("{}\n  expected {expected:?}\n  got      {got:?}", payloads[row]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(seen.totals(), (ACCEPTED.len() as u64, 0));
}

/// Whether a line belongs to the family of that row.
fn is_of(line: &str, row: usize) -> bool {
    let rest = line.trim_start_matches([':', '_']).strip_prefix(&format!("row{row}"));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn nesting_of_64_is_the_deepest() {
    let mut rig = Rig::start();
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"type":"gauge","name":"d{depth}","value":1,"x":{open}{close}}}"#)
    };
    let seen = rig.send(&[nested(64), nested(65)]);
    assert_eq!(seen.value("d64", &[]), Some(1.0));
    assert_eq!(seen.value("d65", &[]), None);
    assert_eq!(seen.rejected("invalid_json"), 1);
}

#[test]
fn help_is_escaped() {
    let mut rig = Rig::start();
    let help = r#"a \"quoted\" back\\slash\nand line"#;
    let seen = rig.send(&[format!(r#"{{"name":"h_total","value":1,"help":"{help}"}}"#)]);
    let text = seen.family("h_total").expect("it was accepted");
    assert_eq!(text.help, r#"a "quoted" back\\slash\nand line"#);
    let seen = rig.gateway.scrape_openmetrics();
    let family = seen.family("h").expect("OpenMetrics drops _total");
    assert_eq!(family.help.replace("\\\"", "\""), r#"a "quoted" back\\slash\nand line"#);
}

#[test]
fn the_first_help_and_objectives_win() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"summary","name":"s","value":1,"help":"first","quantiles":[0.5],"epsilons":[0.1]}"#,
        r#"{"type":"summary","name":"s","value":2,"help":"second","quantiles":[0.9],"epsilons":[0.1]}"#,
        r#"{"type":"summary","name":"s","value":3,"help":"third","labels":{"a":"1"}}"#,
    ]);
    let family = seen.family("s").expect("it was accepted");
    assert_eq!(family.help, "first");
    let quantiles: Vec<_> = seen.samples("s").filter_map(|s| s.label("quantile")).collect();
    assert_eq!(quantiles, ["0.5", "0.5"]);
    assert_eq!(seen.sum("s_sum"), 6.0);
}

#[test]
fn a_quantile_of_few_observations_is_rounded_up() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (1..=10)
        .map(|value| {
            format!(
                r#"{{"type":"summary","name":"s","value":{value},"quantiles":[0.99,0,1],"epsilons":[0.001,0.1,0.1]}}"#
            )
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.value("s", &[("quantile", "0.99")]), Some(10.0));
    assert_eq!(seen.value("s", &[("quantile", "0")]), Some(1.0));
    assert_eq!(seen.value("s", &[("quantile", "1")]), Some(10.0));
}

#[test]
fn a_total_stays_a_number() {
    let mut rig = Rig::start();
    let add = r#"{"name":"big","value":1.7e308}"#;
    let seen = rig.send(&[add, add]);
    let sample = seen.samples("big").next().expect("it was accepted");
    assert_eq!(sample.value, "1.7e+308", "the second one is rejected");
}
