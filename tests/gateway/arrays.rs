//! Arrays of samples in one element, and what samples say of time.

use std::time::{SystemTime, UNIX_EPOCH};

use psg_testkit::Rig;

#[test]
fn each_sample_of_an_array_counts_by_itself() {
    let rig = Rig::with(&[("Metrics__MaxSeriesPerMetric", "2")]);
    let labelled =
        |label: &str| format!(r#"{{"name":"n_total","labels":{{"l":"{label}"}},"value":1}}"#);
    let good = [labelled("a"), labelled("b"), labelled("a")].join(",");
    let bad = [r#"{"name":"n_total","value":-1}"#, "[]", "3"].join(" , ");
    let over = labelled("c");
    rig.redis.push(&[format!("[{good},{bad},{over}]"), format!("[{good}"), "[]".into()]);
    let seen = rig.gateway.scrape_after(9);
    assert_eq!(seen.totals(), (3, 6));
    assert_eq!(seen.value("n_total", &[("l", "a")]), Some(2.0));
    assert_eq!(seen.value("n_total", &[("l", "b")]), Some(1.0));
    for (reason, count) in [
        ("negative_counter", 1),
        ("not_a_sample", 3),
        ("invalid_json", 1),
        ("metric_series_limit", 1),
    ] {
        assert_eq!(seen.rejected(reason), count, "{reason}");
    }
}

#[test]
fn a_gauge_keeps_the_sample_measured_last() {
    let mut rig = Rig::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let gauge = |value: u64, timestamp: u64| {
        format!(r#"{{"type":"gauge","name":"g","value":{value},"timestamp":{timestamp}}}"#)
    };
    let seen = rig.send(&[gauge(1, now - 60), gauge(2, now - 120), gauge(3, (now - 90) * 1000)]);
    assert_eq!(seen.value("g", &[]), Some(1.0));
    // A clock that is ahead keeps the others' samples out, and a figure tells of it.
    let stale = "prom_stream_gateway_stale_gauge_samples_total";
    rig.gateway.scrape_until("it to tell", |seen| seen.value(stale, &[]) == Some(2.0));
    let seen = rig.send(&[gauge(4, now + 3600), gauge(5, now - 50)]);
    assert_eq!(seen.rejected("bad_timestamp"), 1);
    assert_eq!(seen.value("g", &[]), Some(5.0));
    let seen = rig.send(&[r#"{"type":"gauge","name":"g","value":6}"#]);
    assert_eq!(seen.value("g", &[]), Some(6.0), "it was measured when it was taken");
}
