//! What comes back is what was there, and goes on as it would have.

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::summary::{Estimator, SummarySettings};
use psg_engine::store::ExpirySettings;
use psg_engine::timestamp::Moment;

use super::{START, instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

/// Valid payloads of all types, of few series.
pub fn payload() -> impl Strategy<Value = String> {
    let metric = prop_oneof![
        Just(r#""type":"counter","name":"c_total""#),
        Just(r#""type":"counter","name":"d""#),
        Just(r#""type":"gauge","name":"g","help":"one \"line\"\nand another""#),
        Just(r#""type":"gauge","name":"f","timestamp":1700000000"#),
        Just(r#""type":"gauge","name":"f","op":"add""#),
        Just(r#""type":"gauge","name":"f","op":"min""#),
        Just(r#""type":"gauge","name":"f","timestamp":1700000001.5"#),
        Just(r#""type":"histogram","name":"h","buckets":[0.5,2.5,50]"#),
        Just(r#""type":"histogram","name":"h","buckets":[0.5,2.5,50],"counts":[1,0,7,2]"#),
        Just(r#""type":"histogram","name":"n","factor":1.1"#),
        Just(r#""type":"histogram","name":"m","factor":2,"buckets":[0.5,50]"#),
        Just(r#""type":"histogram","name":"m","buckets":[0.5,50],"counts":[1,0]"#),
        Just(r#""type":"gauge","name":"b","op":"max""#),
        Just(r#""type":"summary","name":"s","quantiles":[0.5,0.99],"epsilons":[0.05,0.001]"#),
        Just(r#""type":"summary","name":"t""#),
        Just(r#""type":"counter","name":"u_bytes_total","unit":"bytes""#),
        Just(r#""type":"counter","name":"c_total","exemplar":{"labels":{"t":"\"é"}}"#),
        Just(
            r#""type":"histogram","name":"h","buckets":[0.5,2.5,50],"exemplar":{"labels":{"b":1,"a":2}}"#
        ),
        Just(r#""type":"histogram","name":"h","buckets":[0.5,2.5,50],"exemplar":{"value":1}"#),
    ];
    let labels = prop::sample::subsequence(
        vec![r#""x":"1""#, r#""y":"\"2\"""#, r#""z":3"#, r#""v":"ö""#, r#""w":"w""#],
        0..=3,
    );
    let ttl = prop_oneof![9 => Just(""), 1 => Just(r#","ttl":3"#), 1 => Just(r#","ttl":0"#)];
    // Some of which leave a rest beside a counter's double.
    let value = prop_oneof![
        (0u32..100_000).prop_map(|value| f64::from(value) / 128.0),
        (0u32..1000).prop_map(|value| f64::from(value) / 1000.0),
        Just(9_007_199_254_740_993.0),
    ];
    (metric, value, labels.prop_shuffle(), ttl).prop_map(|(metric, value, labels, ttl)| {
        let key = if metric.contains("counts") { "sum" } else { "value" };
        format!(r#"{{{metric},"{key}":{value}{ttl},"labels":{{{}}}}}"#, labels.join(","))
    })
}

/// Applies batches, a second apart.
pub fn feed(pipeline: &mut Pipeline, payloads: &[String], step_ms: u64) {
    for batch in payloads.chunks(5) {
        let refused = pipeline.batch(batch);
        assert!(refused.iter().all(Option::is_none), "{refused:?}");
        pipeline.now = Moment(pipeline.now.0 + step_ms);
    }
}

fn settings() -> impl Strategy<Value = PipelineSettings> {
    let ttl = prop_oneof![Just(0u64), Just(9_000)];
    (1usize..6, any::<bool>(), 1u32..4, ttl).prop_map(|(shards, sort_labels, age_buckets, ttl)| {
        PipelineSettings {
            shards,
            sort_labels,
            summary: SummarySettings {
                max_age_ms: 12_000,
                age_buckets,
                ..SummarySettings::default()
            },
            expiry: ExpirySettings::new(ttl, ttl / 2),
            ..PipelineSettings::default()
        }
    })
}

proptest! {
    #![proptest_config(cases(48))]

    /// Whatever K was and is: the exposition is the same, and so is what
    /// becomes of it, ages included. That the process is another one, with
    /// another clock, shows nowhere.
    #[test]
    fn what_was_stored_comes_back(
        settings in settings(),
        shards in 1usize..9,
        before in prop::collection::vec(payload(), 1..150),
        after in prop::collection::vec(payload(), 1..60),
        // Idle times are told in tenths of a second.
        step_ms in (0u64..30).prop_map(|tenths| tenths * 100),
        pause in (0u64..50).prop_map(|tenths| tenths * 100),
    ) {
        let mut original = pipeline(&settings);
        feed(&mut original, &before, step_ms);
        let stored = snapshot(&mut original, 1, true);
        // The segments were taken some time before the last checkpoint.
        original.now = Moment(original.now.0 + pause);
        let other = PipelineSettings { shards, ..settings };
        let mut copy = restored(&other, &stored, instants(&original).run_time);
        for format in Format::ALL {
            prop_assert_eq!(copy.lines(format), original.lines(format));
        }
        prop_assert_eq!(copy.catalog.live_series(), original.catalog.live_series());
        for batch in after.chunks(10) {
            feed(&mut original, batch, step_ms);
            feed(&mut copy, batch, step_ms);
            prop_assert_eq!(copy.lines(Format::Text), original.lines(Format::Text));
        }
    }
}

/// Enough observations that sketches are stored.
#[test]
fn sketches_come_back() {
    let summary =
        SummarySettings { max_age_ms: 60_000, age_buckets: 3, ..SummarySettings::default() };
    let settings = PipelineSettings { summary, ..PipelineSettings::default() };
    let mut original = pipeline(&settings);
    let payloads: Vec<String> = (0..6_000_u32).map(observation).collect();
    feed(&mut original, &payloads, 50);
    let stored = snapshot(&mut original, 1, true);
    let mut copy = restored(&settings, &stored, instants(&original).run_time);
    assert_eq!(copy.lines(Format::Text), original.lines(Format::Text));
    let more: Vec<String> = (6_000..9_000).map(observation).collect();
    for batch in more.chunks(500) {
        feed(&mut original, batch, 50);
        feed(&mut copy, batch, 50);
        assert_eq!(copy.lines(Format::Text), original.lines(Format::Text));
    }
}

/// The windows of `ckms-biased` are not stored: sum and count go on, quantiles
/// start empty.
#[test]
fn windows_of_biased_sketches_start_empty() {
    let estimator = Estimator::CkmsBiased;
    let summary = SummarySettings { estimator, ..SummarySettings::default() };
    let settings = PipelineSettings { summary, ..PipelineSettings::default() };
    let mut original = pipeline(&settings);
    original.batch(&[observation(1), observation(2)]);
    let stored = snapshot(&mut original, 1, true);
    let mut copy = restored(&settings, &stored, instants(&original).run_time);
    let text = copy.exposition(Format::Text);
    assert!(text.contains("s{quantile=\"0.5\"} NaN") && text.contains("s_count 2"), "{text}");
}

fn observation(number: u32) -> String {
    let value = f64::from(number.wrapping_mul(2_654_435_761) >> 8) / 1024.0;
    format!(
        r#"{{"type":"summary","name":"s","value":{value},"quantiles":[0.5,0.9,0.99],"epsilons":[0.05,0.01,0.001]}}"#
    )
}

/// Ages go on where they were: the time between two processes does not count,
/// that since the segment was written does.
#[test]
fn ages_are_those_of_the_time_that_gateways_ran() {
    let settings = PipelineSettings::default();
    let mut original = pipeline(&settings);
    original.batch(&[observation(1)]);
    original.now = Moment(START.0 + 200_000);
    let stored = snapshot(&mut original, 1, true);
    // Checkpoints went on for 300 s in which the segment did not change.
    original.now = Moment(START.0 + 500_000);
    let mut copy = restored(&settings, &stored, instants(&original).run_time);
    let is_empty = |copy: &mut Pipeline| copy.exposition(Format::Text).contains("NaN");
    assert!(!is_empty(&mut copy));
    copy.now = Moment(START.0 + 99_999);
    assert!(!is_empty(&mut copy));
    copy.now = Moment(START.0 + 100_000);
    assert!(is_empty(&mut copy));
}

/// Quantiles of another window would not be those of this one: they begin
/// anew, sum and count go on.
#[test]
fn windows_of_other_settings_begin_anew() {
    let mut original = pipeline(&PipelineSettings::default());
    original.batch(&[observation(1), observation(2)]);
    let stored = snapshot(&mut original, 1, true);
    let summary = SummarySettings { max_age_ms: 1_000, ..SummarySettings::default() };
    let settings = PipelineSettings { summary, ..PipelineSettings::default() };
    let mut copy = restored(&settings, &stored, instants(&original).run_time);
    let text = copy.exposition(Format::Text);
    assert!(text.contains("s{quantile=\"0.5\"} NaN") && text.contains("s_count 2"), "{text}");
}

/// Live series are never turned out, so limits that are lower now than they
/// were hold for new series only.
#[test]
fn limits_do_not_turn_out_what_was_stored() {
    let series = |n: u32| format!(r#"{{"name":"c_total","value":1,"labels":{{"n":{n}}}}}"#);
    let mut original = pipeline(&PipelineSettings::default());
    original.batch(&[series(1), series(2), series(3)]);
    let stored = snapshot(&mut original, 1, true);
    let limits =
        SeriesLimits { max_series: 2, max_series_per_metric: 2, max_series_bytes: usize::MAX };
    let settings = PipelineSettings { limits, ..PipelineSettings::default() };
    let mut copy = restored(&settings, &stored, instants(&original).run_time);
    assert_eq!(copy.lines(Format::Text), original.lines(Format::Text));
    let refused = copy.batch(&[series(1), series(4)]);
    assert!(refused[0].is_none() && refused[1].is_some(), "{refused:?}");
}

/// What expired before the state was stored goes on from its old total after,
/// under the key that was stored.
#[test]
fn tombstones_come_back() {
    let settings = PipelineSettings {
        expiry: ExpirySettings::new(1_000, 0),
        tombstone_ttl_ms: 60_000,
        ..PipelineSettings::default()
    };
    let samples = |value: u32| {
        [
            format!(r#"{{"name":"c_total","value":{value},"labels":{{"a":"b"}}}}"#),
            format!(r#"{{"type":"histogram","name":"h","value":{value},"buckets":[2,50]}}"#),
        ]
    };
    let mut original = pipeline(&settings);
    original.batch(&samples(3));
    original.now = Moment(START.0 + 10_000);
    original.expire();
    assert_eq!(original.exposition(Format::Text), "");
    original.tell();
    assert_eq!(original.catalog.families(), 2, "tombstones hold their families");
    let stored = snapshot(&mut original, 1, true);
    let other = PipelineSettings { shards: 5, ..settings };
    let mut copy = restored(&other, &stored, instants(&original).run_time);
    assert_eq!(copy.catalog.families(), 2, "their names keep their types");
    copy.batch(&samples(4));
    let text = copy.exposition(Format::Text);
    for line in ["c_total{a=\"b\"} 7", "h_sum 7", "h_count 2", "h_bucket{le=\"2\"} 0"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
