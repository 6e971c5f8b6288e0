//! The empty `instance` label, in both formats.

use serde_json::Value;

use psg_testkit::{Exposition, Rig};

const SAMPLES: [&str; 5] = [
    r#"{"name":"c_total","value":1,"labels":{"zone":"a","app":"x"}}"#,
    r#"{"name":"c_total","value":1,"labels":{"instance":"web-1"}}"#,
    r#"{"name":"c_total","value":1,"labels":{"instance":""}}"#,
    r#"{"name":"h","type":"histogram","value":1,"buckets":[2]}"#,
    r#"{"name":"s","type":"summary","value":1,"quantiles":[0.5],"epsilons":[0.1],"labels":{"z":"1"}}"#,
];

/// The lines of what producers pushed, without HELP and TYPE.
fn lines(text: &str) -> Vec<&str> {
    let is_own = |line: &&str| !line.contains("prom_stream_gateway_") && !line.starts_with('#');
    text.lines().filter(is_own).collect()
}

fn text(rig: &Rig) -> String {
    rig.gateway.must_get("/metrics", &[]).text()
}

#[test]
fn series_without_one_show_an_empty_one() {
    shown_with("at-most-once");
}

/// There the memory has been dropped for the last checkpoint.
#[test]
fn also_under_exactly_once_delivery() {
    shown_with("exactly-once");
}

fn shown_with(delivery: &str) {
    let mut rig = Rig::with(&[("Metrics__EmptyInstance", "true"), ("Redis__Delivery", delivery)]);
    rig.send(&SAMPLES);
    let mut expected = vec![
        r#"c_total{app="x",instance="",zone="a"} 1"#,
        r#"c_total{instance="web-1"} 1"#,
        r#"c_total{instance=""} 1"#,
        r#"h_sum{instance=""} 1"#,
        r#"h_count{instance=""} 1"#,
        r#"h_bucket{instance="",le="2"} 1"#,
        r#"h_bucket{instance="",le="+Inf"} 1"#,
        r#"s_sum{instance="",z="1"} 1"#,
        r#"s_count{instance="",z="1"} 1"#,
        r#"s{instance="",z="1",quantile="0.5"} 1"#,
    ];
    let text = text(&rig);
    let mut found = lines(&text);
    // Which of a family's series comes first depends on their shards.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    // Both formats are well-formed, and say the same.
    let series = |seen: &Exposition| seen.samples("c_total").count();
    assert_eq!(series(&rig.gateway.scrape()), 3);
    let openmetrics = rig.gateway.scrape_openmetrics();
    assert_eq!(series(&openmetrics), 3);
    let labels = [("app", "x"), ("instance", ""), ("zone", "a")];
    assert_eq!(openmetrics.value("c_total", &labels), Some(1.0));
    let own = openmetrics.samples("prom_stream_gateway_redis_up").next().expect("it is there");
    assert_eq!(own.label("instance"), None, "the gateway's own metrics have no other instance");
    // So does the search, and it finds series by it.
    let found = |query: &str| {
        let text = rig.gateway.must_get(&format!("/api/v1/series?{query}"), &[]).text();
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let series = answer["series"].as_array().expect("a list");
        let mut labels: Vec<String> = series.iter().map(|one| one["labels"].to_string()).collect();
        labels.sort_unstable();
        labels
    };
    let empty = [r#"{"app":"x","instance":"","zone":"a"}"#, r#"{"instance":""}"#];
    assert_eq!(found("name=c_total&labels=instance%3D%22%22"), empty);
    assert_eq!(found("name=c_total"), [empty[0], empty[1], r#"{"instance":"web-1"}"#]);
}

#[test]
fn labels_in_the_order_sent_have_it_behind() {
    let settings = [("Metrics__EmptyInstance", "true"), ("Metrics__SortIncomingLabels", "false")];
    let mut rig = Rig::with(&settings);
    rig.send(&SAMPLES[..1]);
    assert_eq!(lines(&text(&rig)), [r#"c_total{zone="a",app="x",instance=""} 1"#]);
}

#[test]
fn without_the_setting_nothing_is_added() {
    let mut rig = Rig::start();
    rig.send(&SAMPLES);
    let text = text(&rig);
    assert!(!text.contains(r#"instance="""#), "{text}");
}
