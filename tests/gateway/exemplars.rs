//! Exemplars and units: who shows them, what is dropped, and what becomes of them with
//! their series.

use std::collections::BTreeMap;

use psg_testkit::exposition::{Exemplar, OWN};
use psg_testkit::{Exposition, GatewayBuilder, RedisServer, Rig, wait_until};

const ON: (&str, &str) = ("Metrics__Exemplars", "true");

/// The exemplars of an exposition, by the name of the sample and its `le`.
fn exemplars(seen: &Exposition) -> BTreeMap<String, Exemplar> {
    let samples = seen.families.iter().flat_map(|family| &family.samples);
    let with = samples.filter_map(|sample| {
        let exemplar = sample.exemplar.clone()?;
        Some((format!("{} {}", sample.name, sample.label("le").unwrap_or("")), exemplar))
    });
    with.collect()
}

fn exemplar(trace: &str, value: &str, timestamp: &str) -> Exemplar {
    let labels = vec![("trace_id".to_owned(), trace.to_owned())];
    Exemplar { labels, value: value.to_owned(), timestamp: timestamp.to_owned() }
}

/// How many were dropped, by the reasons for which some were.
fn dropped(seen: &Exposition) -> BTreeMap<String, u64> {
    let name = format!("{OWN}dropped_exemplars_total");
    let reasons = seen.samples(&name).map(|sample| {
        let reason = sample.label("reason").expect("a reason").to_owned();
        (reason, sample.number() as u64)
    });
    reasons.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn the_newest_of_each_counter_and_bucket_is_shown_in_openmetrics() {
    let mut rig = Rig::with(&[ON, ("Shards__Count", "3")]);
    let text = rig.send(&[
        r#"{"name":"c_total","value":2,"exemplar":{"labels":{"trace_id":"old"},"timestamp":1700000000}}"#,
        r#"{"name":"c_total","value":3,"exemplar":{"labels":{"trace_id":"\"é\\"},"timestamp":1700000001.5}}"#,
        r#"{"name":"c_total","value":4,"exemplar":{"labels":{"trace_id":"older"},"timestamp":1600000000}}"#,
        r#"{"type":"histogram","name":"h","buckets":[1,5],"value":0.5,"timestamp":1700000000,"exemplar":{"labels":{"trace_id":"a"}}}"#,
        r#"{"type":"histogram","name":"h","buckets":[1,5],"values":[0.1,7],"exemplar":{"labels":{"trace_id":"b"},"value":7,"timestamp":1700000000}}"#,
        r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,1],"sum":4,"exemplar":{"labels":{"trace_id":"c"},"value":5,"timestamp":1700000000123}}"#,
    ]);
    assert_eq!((text.totals(), dropped(&text)), ((6, 0), BTreeMap::new()));
    assert_eq!(text.sum(&format!("{OWN}exemplars")), 4.0);
    // The reader of the text format refuses exemplars.
    assert_eq!(text.value("c_total", &[]), Some(9.0));
    let expected = [
        ("c_total ", exemplar("\"é\\", "3.0", "1700000001.5")),
        ("h_bucket +Inf", exemplar("b", "7.0", "1700000000.0")),
        ("h_bucket 1.0", exemplar("a", "0.5", "1700000000.0")),
        ("h_bucket 5.0", exemplar("c", "5.0", "1700000000.123")),
    ];
    let expected = expected.map(|(name, exemplar)| (name.to_owned(), exemplar));
    assert_eq!(exemplars(&rig.gateway.scrape_openmetrics()), BTreeMap::from(expected));
}

#[test]
fn what_is_wrong_in_an_exemplar_is_counted_and_its_sample_stays() {
    let mut rig = Rig::with(&[ON]);
    let wrong = [
        (r#"{"labels":{"a":[]}}"#, "malformed"),
        (r#"{"labels":{"a-b":"x"}}"#, "label_name"),
        (r#"{"value":1e999}"#, "value"),
        (r#"{"timestamp":99999999999}"#, "timestamp"),
    ];
    let long = format!(r#"{{"labels":{{"a":"{}"}}}}"#, "x".repeat(128));
    let of_counter = wrong.into_iter().chain([(long.as_str(), "too_long")]);
    let mut payloads: Vec<String> = of_counter
        .clone()
        .map(|(exemplar, _)| format!(r#"{{"name":"c_total","value":1,"exemplar":{exemplar}}}"#))
        .collect();
    payloads.push(r#"{"type":"gauge","name":"g","value":1,"exemplar":{}}"#.to_owned());
    payloads.push(format!("[{},{}]", payloads[0], payloads[5]));
    let seen = rig.send(&payloads[..6]);
    assert_eq!(seen.totals(), (6, 0));
    let reasons = of_counter.map(|(_, reason)| reason).chain(["type"]);
    assert_eq!(dropped(&seen), reasons.map(|reason| (reason.to_owned(), 1)).collect());
    assert_eq!(seen.value("c_total", &[]), Some(5.0));
    rig.push(&payloads[6..]);
    let seen = rig.gateway.scrape_until("the array to be taken", |seen| seen.totals().0 == 8);
    assert_eq!((dropped(&seen)["malformed"], dropped(&seen)["type"]), (2, 2));
    assert_eq!(exemplars(&rig.gateway.scrape_openmetrics()), BTreeMap::new());
}

#[test]
fn without_the_setting_they_are_dropped_and_counted() {
    let mut rig = Rig::start();
    let payload = r#"{"name":"c_total","value":1,"exemplar":{"labels":{"trace_id":"a"}}}"#;
    let seen = rig.send(&[payload; 5]);
    assert_eq!(dropped(&seen), BTreeMap::from([("off".to_owned(), 5)]));
    assert_eq!((seen.value("c_total", &[]), seen.totals()), (Some(5.0), (5, 0)));
    assert_eq!(exemplars(&rig.gateway.scrape_openmetrics()), BTreeMap::new());
}

/// However many come: the first place makes room.
#[test]
fn there_are_no_more_than_may_be() {
    let mut rig = Rig::with(&[ON, ("Metrics__MaxExemplars", "10"), ("Shards__Count", "1")]);
    let payloads: Vec<String> = (0..1000)
        .map(|i| format!(r#"{{"name":"c_total","value":1,"labels":{{"i":{i}}},"exemplar":{{}}}}"#))
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.sum(&format!("{OWN}exemplars")), 10.0);
    let openmetrics = rig.gateway.scrape_openmetrics();
    let with = openmetrics.samples("c_total").filter(|sample| sample.exemplar.is_some());
    let mut with: Vec<&str> = with.filter_map(|sample| sample.label("i")).collect();
    with.sort_unstable();
    let newest: Vec<String> = (990..1000).map(|i: u32| i.to_string()).collect();
    assert_eq!(with, newest);
}

#[test]
fn an_exemplar_goes_with_its_series() {
    let mut rig = Rig::with(&[ON, ("Metrics__SeriesTtlSeconds", "1")]);
    let with = r#"{"name":"c_total","value":1,"exemplar":{"labels":{"trace_id":"a"}}}"#;
    rig.send(&[with]);
    wait_until("the series to leave", || {
        rig.gateway.scrape().sum(&format!("{OWN}exemplars")) == 0.0
    });
    let seen = rig.send(&[r#"{"name":"c_total","value":1}"#]);
    assert_eq!(seen.value("c_total", &[]), Some(2.0), "it goes on from its total");
    assert_eq!(exemplars(&rig.gateway.scrape_openmetrics()), BTreeMap::new());
}

/// A counter that is not announced as one has neither.
#[test]
fn a_counter_whose_stem_is_taken_shows_none() {
    let mut rig = Rig::with(&[ON]);
    rig.send(&[r#"{"name":"x_bytes_total","unit":"bytes","value":1,"exemplar":{}}"#]);
    let seen = rig.gateway.scrape_openmetrics();
    let family = seen.family("x_bytes").expect("a counter");
    assert_eq!((family.kind.as_str(), family.unit.as_deref()), ("counter", Some("bytes")));
    assert_eq!(exemplars(&seen).len(), 1);
    rig.send(&[r#"{"type":"gauge","name":"x_bytes","value":1}"#]);
    let seen = rig.gateway.scrape_openmetrics();
    let family = seen.family("x_bytes_total").expect("a counter");
    assert_eq!((family.kind.as_str(), &family.unit), ("unknown", &None));
    assert_eq!(exemplars(&seen), BTreeMap::new());
}

#[test]
fn the_first_unit_is_the_familys() {
    let mut rig = Rig::start();
    let unit = |rig: &Rig| {
        let seen = rig.gateway.scrape_openmetrics();
        seen.family("a_milli_seconds").expect("it is shown").unit.clone()
    };
    rig.send(&[r#"{"type":"gauge","name":"a_milli_seconds","value":1}"#]);
    assert_eq!(unit(&rig), None);
    rig.send(&[r#"{"type":"gauge","name":"a_milli_seconds","value":1,"unit":"milli_seconds"}"#]);
    assert_eq!(unit(&rig).as_deref(), Some("milli_seconds"));
    rig.send(&[r#"{"type":"gauge","name":"a_milli_seconds","value":1,"unit":"seconds"}"#]);
    assert_eq!(unit(&rig).as_deref(), Some("milli_seconds"));
    let found = rig.gateway.must_get("/api/v1/series?name=a_milli", &[]).text();
    assert!(found.contains(r#""unit":"milli_seconds""#), "{found}");
}

/// Where units are appended, templates lead to the series all the same.
#[test]
fn units_are_appended_where_that_is_asked_for() {
    let mut rig = Rig::with(&[("Metrics__AppendUnits", "true")]);
    let payloads = [
        r#"{"name":"a_total","value":1,"unit":"bytes"}"#,
        r#"{"name":"a_bytes_total","value":1,"unit":"bytes"}"#,
        r#"{"type":"summary","name":"s","value":1,"unit":"seconds"}"#,
    ];
    for _ in 0..5 {
        rig.send(&payloads);
    }
    let seen = rig.gateway.scrape();
    assert_eq!(seen.totals(), (15, 0));
    assert_eq!(seen.value("a_bytes_total", &[]), Some(10.0));
    assert_eq!(seen.value("s_seconds_count", &[]), Some(5.0));
    let seen = rig.gateway.scrape_openmetrics();
    let units = ["a_bytes", "s_seconds"].map(|name| seen.family(name).expect(name).unit.clone());
    assert_eq!(units, [Some("bytes".to_owned()), Some("seconds".to_owned())]);
}

/// A state from a gateway that took exemplars, and one that takes none.
#[test]
fn a_state_with_exemplars_is_read_where_they_are_off() {
    let (redis, folder) = (RedisServer::start(), tempfile::tempdir().expect("a folder"));
    let builder =
        || GatewayBuilder::reading(&redis).set("Metrics__StateFile", folder.path().join("state"));
    let mut gateway = builder().set(ON.0, ON.1).start();
    redis.push(&[r#"{"name":"c_total","value":1,"exemplar":{"labels":{"trace_id":"a"}}}"#]);
    gateway.scrape_after(1);
    gateway.signal("TERM");
    assert!(gateway.wait_at_most(std::time::Duration::from_secs(30)).success());
    let gateway = builder().start();
    let seen = gateway.scrape_openmetrics();
    assert_eq!(seen.value("c_total", &[]), Some(1.0));
    assert_eq!(exemplars(&seen), BTreeMap::new());
}
