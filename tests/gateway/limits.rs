//! Limits: how many series may live, and what happens to the one too many.

use psg_testkit::Rig;

#[test]
fn at_the_series_limit_what_exists_goes_on() {
    let mut rig = Rig::with(&[("Metrics__MaxSeries", "3")]);
    rig.send(&[
        sample("counter", "a", "1"),
        sample("counter", "a", "2"),
        sample("gauge", "b", "1"),
    ]);
    let seen = rig.send(&[
        sample("counter", "a", "3"),
        sample("counter", "c", "1"),
        sample("counter", "a", "1"),
        sample("gauge", "b", "1"),
    ]);
    assert_eq!(seen.rejected("series_limit"), 2);
    assert_eq!(seen.totals(), (5, 2));
    assert_eq!(seen.value("a", &[("i", "1")]), Some(2.0));
    assert_eq!(seen.value("a", &[("i", "3")]), None);
    assert!(seen.sum("prom_stream_gateway_series_limit_hits_total") >= 1.0);
    assert_eq!(seen.value("prom_stream_gateway_series_limit", &[]), Some(3.0));
}

#[test]
fn a_refused_family_leaves_no_header_and_frees_its_names() {
    let mut rig = Rig::with(&[("Metrics__MaxSeries", "1")]);
    rig.send(&[sample("gauge", "full", "1")]);
    // Each is taken before the next one is pushed, so that nothing of it is left.
    for (kind, name) in [("histogram", "x"), ("gauge", "x"), ("counter", "x_sum"), ("summary", "x")]
    {
        rig.send(&[sample(kind, name, "1")]);
    }
    let seen = rig.gateway.scrape();
    assert_eq!(seen.rejected("series_limit"), 4, "no conflict with what was refused");
    assert_eq!(seen.produced().into_keys().collect::<Vec<_>>(), ["full"]);
}

#[test]
fn at_the_limit_of_one_metric_the_others_go_on() {
    let mut rig = Rig::with(&[("Metrics__MaxSeriesPerMetric", "2")]);
    let seen = rig.send(&[
        sample("histogram", "a", "1"),
        sample("histogram", "a", "2"),
        sample("histogram", "a", "3"),
        sample("histogram", "a", "1"),
        sample("summary", "b", "1"),
        sample("summary", "b", "2"),
    ]);
    assert_eq!(seen.rejected("metric_series_limit"), 1);
    assert_eq!(seen.value("a_count", &[("i", "1")]), Some(2.0));
    assert_eq!(seen.value("a_count", &[("i", "3")]), None);
    assert_eq!(seen.samples("b_count").count(), 2);
    assert_eq!(seen.totals(), (5, 1));
}

#[test]
fn the_limits_hold_over_all_shards() {
    let mut rig = Rig::with(&[
        ("Metrics__MaxSeries", "50"),
        ("Metrics__MaxSeriesPerMetric", "20"),
        ("Shards__Count", "4"),
        ("Redis__MetricQueueWorkers", "3"),
    ]);
    let payloads: Vec<String> = (0..600)
        .map(|i| sample("gauge", &format!("m{}", i % 6), &format!("{}", i % 300)))
        .collect();
    let seen = rig.send(&payloads);
    let live: usize = (0..6).map(|m| seen.samples(&format!("m{m}")).count()).sum();
    assert_eq!(live, 50);
    assert!((0..6).all(|m| seen.samples(&format!("m{m}")).count() <= 20));
    let (processed, rejected) = seen.totals();
    let limits = seen.rejected("series_limit") + seen.rejected("metric_series_limit");
    assert_eq!(limits, rejected);
    assert!(processed >= 50, "{processed} processed");
    rig.gateway.scrape_until("50 series to be told", |seen| {
        seen.sum("prom_stream_gateway_series") == 50.0
    });
}

#[test]
fn what_is_beyond_a_limit_may_go_to_one_series_of_its_name() {
    let mut rig = Rig::with(&[
        ("Metrics__MaxSeriesPerMetric", "2"),
        ("Metrics__OnSeriesLimit", "overflow"),
        ("Metrics__ReaderCacheSeries", "2"),
        ("Shards__Count", "3"),
    ]);
    for round in 1..=3 {
        for kind in ["counter", "histogram", "gauge"] {
            let payloads: Vec<String> =
                (0..10).map(|i| sample(kind, kind, &i.to_string())).collect();
            let seen = rig.send(&payloads);
            let overflow = &[("otel_metric_overflow", "true")];
            let name = if kind == "histogram" { "histogram_count" } else { kind };
            let expected = (kind != "gauge").then_some(f64::from(8 * round));
            assert_eq!(seen.value(name, overflow), expected, "{name}");
        }
    }
    let seen = rig.gateway.scrape();
    assert_eq!(seen.rejected("metric_series_limit"), 3 * 8, "gauges are refused as ever");
    assert_eq!(seen.sum("prom_stream_gateway_series_limit_hits_total"), f64::from(3 * 3 * 8));
}

/// Few series, but long labels: what they take is bounded too, and told.
#[test]
fn long_labels_take_no_more_than_their_bytes() {
    let mut rig = Rig::with(&[("Metrics__MaxSeriesBytes", "64 KiB"), ("Shards__Count", "3")]);
    let long = |i: usize| sample("gauge", "long", &format!("{i}{}", "x".repeat(2000)));
    let payloads: Vec<String> = (0..100).map(long).collect();
    let seen = rig.send(&payloads);
    let live = seen.samples("long").count();
    assert!((30..=33).contains(&live), "{live} series of 2 KB in 64 KiB");
    assert_eq!(seen.rejected("series_bytes_limit"), 100 - live as u64);
    assert_eq!(seen.sum("prom_stream_gateway_series_limit_hits_total"), (100 - live) as f64);
    assert_eq!(seen.value("prom_stream_gateway_series_bytes_limit", &[]), Some(65536.0));
    let told = seen.value("prom_stream_gateway_series_bytes", &[]).expect("it is told");
    assert!((60_000.0..=65_536.0).contains(&told), "{told}");
    let body = rig.gateway.must_get("/api/v1/cardinality", &[]).text();
    let cardinality: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(cardinality["series_bytes"], told);
    assert_eq!(cardinality["max_series_bytes"], 65_536);
    // What exists goes on.
    assert_eq!(rig.send(&payloads[..1]).samples("long").count(), live);
}

#[test]
fn names_of_prometheus_are_let_in_where_that_is_asked_for() {
    let mut rig = Rig::with(&[("Metrics__AllowReservedNames", "true")]);
    let seen =
        rig.send(&[sample("gauge", "up", "1"), sample("counter", "scrape_pages_total", "1")]);
    assert_eq!(seen.totals(), (2, 0));
    assert_eq!(seen.value("up", &[("i", "1")]), Some(1.0));
}

fn sample(kind: &str, name: &str, label: &str) -> String {
    let buckets = if kind == "histogram" { r#","buckets":[1]"# } else { "" };
    format!(r#"{{"type":"{kind}","name":"{name}","value":1,"labels":{{"i":"{label}"}}{buckets}}}"#)
}
