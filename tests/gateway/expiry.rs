//! Expiry: idle series leave `/metrics`, also while nothing comes in.

use std::time::{Duration, Instant};

use psg_testkit::{Rig, wait_until};

#[test]
fn an_idle_series_leaves_and_gives_everything_back_though_nothing_comes_in() {
    let mut rig = Rig::with(&[("Metrics__SeriesTtlSeconds", "1"), ("Shards__Count", "2")]);
    let pushed = Instant::now();
    let seen = rig.send(&samples("summary", 0..50));
    assert_eq!(seen.samples("summary_count").count(), 50);
    rig.gateway.scrape_until("the series to leave", |seen| seen.family("summary").is_none());
    assert!(pushed.elapsed() >= Duration::from_secs(1), "it left too early");
    // The reader waits for the queue all the while.
    rig.gateway.scrape_until("families to be given back", |seen| {
        seen.sum("prom_stream_gateway_families") == 0.0
            && seen.sum("prom_stream_gateway_series") == 0.0
            && seen.sum("prom_stream_gateway_expired_series_total") == 50.0
    });
    let seen = rig.send(&samples("gauge", 0..3));
    assert_eq!(seen.samples("gauge").count(), 3);
}

#[test]
fn gauges_have_a_time_to_live_of_their_own() {
    let mut rig = Rig::with(&[("Metrics__GaugeTtlSeconds", "1")]);
    rig.send(&samples("gauge", 0..1));
    rig.send(&samples("counter", 0..1));
    let seen =
        rig.gateway.scrape_until("the gauge to leave", |seen| seen.family("gauge").is_none());
    assert_eq!(seen.samples("counter").count(), 1, "counters never leave");
}

#[test]
fn a_series_that_is_fed_stays_and_one_of_the_same_name_leaves() {
    let mut rig = Rig::with(&[("Metrics__SeriesTtlSeconds", "2")]);
    rig.send(&samples("gauge", 0..2));
    wait_until("the series that is not fed to leave", || {
        rig.send(&samples("gauge", 0..1)).samples("gauge").count() == 1
    });
    let seen = rig.gateway.scrape();
    assert_eq!(seen.value("gauge", &[("i", "0")]), Some(1.0));
}

#[test]
fn what_expired_makes_room_below_the_limit() {
    let settings = [("Metrics__SeriesTtlSeconds", "1"), ("Metrics__MaxSeries", "10")];
    let mut rig = Rig::with(&settings);
    let seen = rig.send(&samples("gauge", 0..20));
    assert_eq!(seen.rejected("series_limit"), 10);
    rig.gateway.scrape_until("the places to be free", |seen| {
        seen.sum("prom_stream_gateway_families") == 0.0
    });
    let seen = rig.send(&samples("gauge", 100..110));
    assert_eq!(seen.rejected("series_limit"), 10);
    assert_eq!(seen.samples("gauge").count(), 10);
}

#[test]
fn a_sample_may_say_how_long_its_series_stays() {
    let mut rig = Rig::start();
    rig.send(&[
        r#"{"type":"gauge","name":"brief","value":1,"ttl":1}"#,
        r#"{"type":"gauge","name":"lasting","value":1}"#,
    ]);
    let seen =
        rig.gateway.scrape_until("the brief one to leave", |seen| seen.family("brief").is_none());
    assert_eq!(seen.value("lasting", &[]), Some(1.0));
}

#[test]
fn counters_and_histograms_that_return_go_on_from_their_old_total() {
    let mut rig = Rig::with(&[("Metrics__SeriesTtlSeconds", "1"), ("Shards__Count", "2")]);
    let histogram = r#"{"type":"histogram","name":"h","value":0.5,"buckets":[1,2]}"#;
    let other_layout = r#"{"type":"histogram","name":"h","value":1.5,"buckets":[7]}"#;
    let summary = r#"{"type":"summary","name":"s","value":3,"quantiles":[0.5],"epsilons":[0.1]}"#;
    let counter = r#"{"type":"counter","name":"c","value":2.5,"labels":{"a":"b"}}"#;
    rig.send(&[histogram, summary, counter]);
    let seen = rig.gateway.scrape_until("all to leave", |seen| {
        seen.produced().is_empty() && seen.sum("prom_stream_gateway_families") == 2.0
    });
    assert!(seen.family("h").is_none() && seen.family("c").is_none(), "no header is left");
    // Name, type and layout are kept for what returns.
    let seen = rig.send(&[r#"{"type":"gauge","name":"c","value":1}"#]);
    assert_eq!(seen.rejected("type_conflict"), 1);
    let seen = rig.send(&[other_layout, summary, counter]);
    assert_eq!(seen.value("c", &[("a", "b")]), Some(5.0));
    assert_eq!(seen.value("h_sum", &[]), Some(2.0));
    assert_eq!(seen.value("h_bucket", &[("le", "1")]), Some(1.0));
    assert_eq!(seen.value("h_bucket", &[("le", "2")]), Some(2.0));
    assert_eq!(seen.value("s_count", &[]), Some(1.0), "summaries start anew");
    assert_eq!(seen.sum("prom_stream_gateway_layout_mismatches_total"), 1.0);
}

#[test]
fn without_tombstones_counters_start_anew() {
    let settings = [("Metrics__SeriesTtlSeconds", "1"), ("Metrics__TombstoneTtlSeconds", "0")];
    let mut rig = Rig::with(&settings);
    rig.send(&samples("counter", 0..1));
    rig.gateway
        .scrape_until("the family to go", |seen| seen.sum("prom_stream_gateway_families") == 0.0);
    let seen = rig.send(&samples("counter", 0..1));
    assert_eq!(seen.value("counter", &[("i", "0")]), Some(1.0));
}

#[test]
fn tombstones_that_make_room_are_counted() {
    let settings = [("Metrics__SeriesTtlSeconds", "1"), ("Metrics__MaxTombstones", "10")];
    let mut rig = Rig::with(&settings);
    rig.send(&samples("counter", 0..50));
    rig.gateway.scrape_until("40 to be dropped", |seen| {
        seen.sum("prom_stream_gateway_tombstones_evicted_total") == 40.0
    });
    let seen = rig.send(&samples("counter", 0..50));
    let went_on = seen.samples("counter").filter(|sample| sample.number() == 2.0).count();
    assert_eq!(went_on, 10);
}

fn samples(kind: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    let sample = |number| {
        format!(r#"{{"type":"{kind}","name":"{kind}","value":1,"labels":{{"i":"{number}"}}}}"#)
    };
    numbers.map(sample).collect()
}
