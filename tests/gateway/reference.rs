//! The reference's own integration scenarios, at default settings.

use psg_testkit::{Gateway, GatewayBuilder, RedisServer};

#[test]
fn four_types_are_aggregated() {
    let (redis, gateway) = defaults();
    redis.push(&[
        r#"{"type":"counter","name":"c_total","value":2,"help":"A counter.","labels":{"a":"1"}}"#,
        r#"{"type":"counter","name":"c_total","value":3,"help":"A counter.","labels":{"a":"1"}}"#,
        r#"{"type":"gauge","name":"g","value":1.5,"labels":{"b":"2"}}"#,
        r#"{"type":"histogram","name":"h","value":0.75,"buckets":[0.5,1]}"#,
        r#"{"type":"summary","name":"s","value":512,"quantiles":[0.5],"epsilons":[0.05]}"#,
    ]);
    let seen = gateway.scrape_after(5);
    assert_eq!(seen.value("c_total", &[("a", "1")]), Some(5.0));
    assert_eq!(seen.value("g", &[("b", "2")]), Some(1.5));
    assert_eq!(seen.value("h_bucket", &[("le", "0.5")]), Some(0.0));
    assert_eq!(seen.value("h_bucket", &[("le", "1")]), Some(1.0));
    assert_eq!(seen.value("h_bucket", &[("le", "+Inf")]), Some(1.0));
    assert_eq!(seen.value("h_sum", &[]), Some(0.75));
    assert_eq!(seen.value("h_count", &[]), Some(1.0));
    assert_eq!(seen.value("s", &[("quantile", "0.5")]), Some(512.0));
    assert_eq!(seen.value("s_sum", &[]), Some(512.0));
    assert_eq!(seen.value("s_count", &[]), Some(1.0));
    assert_eq!(seen.family("c_total").map(|family| family.help.as_str()), Some("A counter."));
    assert_eq!(seen.totals(), (5, 0));
}

#[test]
fn a_gauge_is_replaced() {
    let (redis, gateway) = defaults();
    let set = |value: u32| format!(r#"{{"type":"gauge","name":"g","value":{value}}}"#);
    redis.push(&[set(7)]);
    gateway.scrape_after(1);
    redis.push(&[set(3)]);
    assert_eq!(gateway.scrape_after(2).value("g", &[]), Some(3.0));
}

#[test]
fn the_first_buckets_win() {
    let (redis, gateway) = defaults();
    redis.push(&[r#"{"type":"histogram","name":"h","value":3,"buckets":[1,5]}"#]);
    gateway.scrape_after(1);
    redis.push(&[r#"{"type":"histogram","name":"h","value":3,"buckets":[2,4,6]}"#]);
    let seen = gateway.scrape_after(2);
    let bounds: Vec<_> = seen.samples("h_bucket").filter_map(|s| s.label("le")).collect();
    assert_eq!(bounds, ["1", "5", "+Inf"]);
    assert_eq!(seen.value("h_bucket", &[("le", "5")]), Some(2.0));
    assert_eq!(seen.totals(), (2, 0));
}

#[test]
fn a_type_conflict_is_dropped() {
    let (redis, gateway) = defaults();
    redis.push(&[r#"{"type":"counter","name":"x","value":1}"#]);
    gateway.scrape_after(1);
    redis.push(&[r#"{"type":"gauge","name":"x","value":9}"#]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("x", &[]), Some(1.0));
    assert_eq!(seen.family("x").map(|family| family.kind.as_str()), Some("counter"));
    assert_eq!(seen.rejected("type_conflict"), 1);
    assert_eq!(seen.totals(), (1, 1));
}

#[test]
fn invalid_json_is_dropped() {
    let (redis, gateway) = defaults();
    redis.push(&["{ not json", r#"{"type":"counter","name":"after","value":1}"#]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("after", &[]), Some(1.0));
    assert_eq!(seen.totals(), (1, 1));
}

#[test]
fn a_thousand_samples_add_up() {
    let (redis, gateway) = defaults();
    let payloads: Vec<String> = (0..1000)
        .map(|i| format!(r#"{{"name":"many_total","value":1,"labels":{{"i":"{}"}}}}"#, i % 7))
        .collect();
    redis.push(&payloads);
    let seen = gateway.scrape_after(1000);
    assert_eq!(seen.sum("many_total"), 1000.0);
    assert_eq!(seen.samples("many_total").count(), 7);
}

#[test]
fn empty_and_missing_labels_are_the_same_series() {
    let (redis, gateway) = defaults();
    redis.push(&[r#"{"name":"e","value":1}"#, r#"{"name":"e","value":2,"labels":{}}"#]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("e", &[]), Some(3.0));
    assert_eq!(seen.samples("e").count(), 1);
}

#[test]
fn label_names_may_differ_within_a_family() {
    let (redis, gateway) = defaults();
    redis.push(&[
        r#"{"name":"d","value":1,"labels":{"a":"1"}}"#,
        r#"{"name":"d","value":2,"labels":{"b":"1"}}"#,
        r#"{"name":"d","value":4,"labels":{"a":"1","b":"1"}}"#,
        r#"{"name":"d","value":8}"#,
    ]);
    let seen = gateway.scrape_after(4);
    assert_eq!(seen.value("d", &[("a", "1")]), Some(1.0));
    assert_eq!(seen.value("d", &[("b", "1")]), Some(2.0));
    assert_eq!(seen.value("d", &[("b", "1"), ("a", "1")]), Some(4.0));
    assert_eq!(seen.value("d", &[]), Some(8.0));
}

#[test]
fn the_order_of_labels_is_not_part_of_identity() {
    let (redis, gateway) = defaults();
    redis.push(&[
        r#"{"name":"o","value":1,"labels":{"a":"1","b":"2"}}"#,
        r#"{"name":"o","value":2,"labels":{"b":"2","a":"1"}}"#,
    ]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("o", &[("a", "1"), ("b", "2")]), Some(3.0));
    assert_eq!(seen.samples("o").count(), 1);
}

fn defaults() -> (RedisServer, Gateway) {
    let redis = RedisServer::start();
    let gateway = GatewayBuilder::reading(&redis).start();
    (redis, gateway)
}
