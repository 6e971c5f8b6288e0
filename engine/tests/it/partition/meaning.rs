//! What a sample means on its way: a line of the protocol each.

use psg_engine::exposition::Format;
use psg_engine::labels::DropLabels;
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::native::{NativeMode, NativeSettings};
use psg_engine::partition::Lane;
use psg_engine::reject::Reason;
use psg_engine::timestamp::Moment;

use super::{Router, home};
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

/// The lines of a home's page, of frames of routers in this order.
#[track_caller]
fn shown(settings: &PipelineSettings, routers: &mut [Router]) -> Vec<String> {
    let frames: Vec<Vec<u8>> = routers.iter_mut().flat_map(Router::flush).collect();
    let (mut home, refused) = home(settings, &frames);
    assert_eq!(refused, []);
    home.lines(Format::Text).into_iter().filter(|line| !line.starts_with('#')).collect()
}

fn router(payloads: &[&str]) -> Router {
    let mut router = Router::new(&PipelineSettings::default(), 2);
    router.batch(payloads);
    assert_eq!(router.refused, []);
    router
}

#[track_caller]
fn check(payloads: &[&str], expected: &[&str]) {
    assert_eq!(shown(&PipelineSettings::default(), &mut [router(payloads)]), expected);
}

#[test]
fn of_gauges_the_last_claimed_stays() {
    let gauge = |value: u32| format!(r#"{{"type":"gauge","name":"g","value":{value}}}"#);
    let claimed = |at: f64, value: u32| {
        let mut router = Router::new(&PipelineSettings::default(), 2);
        router.claimed_at = at;
        router.batch(&[gauge(value)]);
        router
    };
    let now = f64::from(NOW);
    // The router with the backlog is the last that delivers.
    let shown = shown(&PipelineSettings::default(), &mut [claimed(now, 7), claimed(now - 30.0, 3)]);
    assert_eq!(shown, ["g 7"]);
}

#[test]
fn of_gauges_that_say_when_the_newest_stays() {
    let at = |value: u32, second: u32| {
        format!(r#"{{"type":"gauge","name":"g","value":{value},"timestamp":{second}}}"#)
    };
    let (old, new) = (at(1, NOW - 9), at(2, NOW - 5));
    check(&[&new, &old], &["g 2"]);
    let settings = PipelineSettings::default();
    assert_eq!(shown(&settings, &mut [router(&[&new]), router(&[&old])]), ["g 2"]);
    assert_eq!(shown(&settings, &mut [router(&[&old]), router(&[&new])]), ["g 2"]);
}

/// A replay of the same claim says the same, whenever it is.
#[test]
fn a_replay_gives_the_same_bytes() {
    let payloads = [
        r#"{"type":"gauge","name":"g","value":1}"#,
        r#"{"name":"c_total","value":0.1}"#,
        r#"{"name":"c_total","value":0.2}"#,
    ];
    let mut again = router(&[]);
    again.now = Moment(1_000_000);
    again.batch(&payloads);
    assert_eq!(router(&payloads).flush(), again.flush());
}

#[test]
fn what_is_done_to_a_gauge_is_done_in_order() {
    let step = |op: &str, value: i32| {
        format!(r#"{{"type":"gauge","name":"g","op":"{op}","value":{value}}}"#)
    };
    let check = |steps: &[(&str, i32)], expected: &str, samples: usize| {
        let payloads: Vec<String> = steps.iter().map(|(op, value)| step(op, *value)).collect();
        let mut router = Router::new(&PipelineSettings::default(), 1);
        router.batch(&payloads);
        let frames = router.flush();
        let (mut home, _) = home(&PipelineSettings::default(), &frames);
        assert_eq!(home.lines(Format::Text).last().map(String::as_str), Some(expected));
        assert_eq!(home.sent, samples as u64);
    };
    check(&[("add", 2), ("add", 3)], "g 5", 2);
    check(&[("set", 9), ("add", 3), ("max", 4), ("max", 20), ("min", 15)], "g 15", 5);
    check(&[("add", 2), ("set", 9), ("add", 1), ("set", 4), ("add", 1)], "g 5", 5);
    // More than one delta has.
    let many: Vec<(&str, i32)> =
        (0..100).map(|number| if number % 2 == 0 { ("add", 1) } else { ("max", 3) }).collect();
    check(&many, "g 52", 100);
}

/// Where a home has a later value, what was set is too old, but what was added counts.
#[test]
fn what_is_added_around_a_set_that_is_too_old_counts() {
    let settings = PipelineSettings::default();
    let of = |payloads: &[String]| {
        let mut router = Router::new(&settings, 1);
        router.batch(payloads);
        router
    };
    let set = |value: u32, second: u32| {
        format!(r#"{{"type":"gauge","name":"g","value":{value},"timestamp":{second}}}"#)
    };
    let add = |value: u32| format!(r#"{{"type":"gauge","name":"g","op":"add","value":{value}}}"#);
    let newer = of(&[set(100, NOW + 5)]);
    let older = of(&[add(1), set(7, NOW), add(2), set(8, NOW + 1), add(4)]);
    assert_eq!(shown(&settings, &mut [newer, older]), ["g 107"]);
}

/// A double leaves out what the delta has.
#[test]
fn counters_are_exact_beyond_what_a_double_holds() {
    let large = r#"{"name":"c_total","value":9007199254740992}"#;
    let one = r#"{"name":"c_total","value":1}"#;
    let mut first = router(&[large, one]);
    let mut second = router(&[one]);
    let mut frames = first.flush();
    frames.extend(second.flush());
    let (mut home, _) = home(&PipelineSettings::default(), &frames);
    let shown = home.lines(Format::Text).pop().expect("a line");
    assert_eq!(shown, "c_total 9007199254740994");
}

/// Its sum would be infinite, but each of the two is a sample.
#[test]
fn samples_that_one_delta_can_t_have_are_in_two() {
    let huge = r#"{"name":"c_total","value":1.7e308}"#;
    let mut router = router(&[huge, huge]);
    assert_eq!(router.forwarder.samples(lane_of(&router, "c_total")), 2);
    let (home, _) = home(&PipelineSettings::default(), &router.flush());
    let refused = home.stores.into_iter().map(|mut store| store.take_refused().samples());
    assert_eq!(refused.sum::<u64>(), 1, "the second, by the home");
}

fn lane_of(router: &Router, name: &str) -> Lane {
    router.partitions.lane_of(name)
}

#[test]
fn few_values_stay_and_more_are_counted() {
    let value = |value: f64| {
        format!(r#"{{"type":"histogram","name":"h","value":{value},"buckets":[1,2]}}"#)
    };
    for count in [1, 2, 8, 9, 100] {
        let payloads: Vec<String> =
            (0..count).map(|number| value(f64::from(number % 3) + 0.5)).collect();
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let mut direct = Pipeline::new(&PipelineSettings::default());
        direct.batch(&payloads);
        let (mut home, _) = home(&PipelineSettings::default(), &router(&payloads).flush());
        assert_eq!(home.lines(Format::Text), direct.lines(Format::Text));
        assert_eq!(home.sent, count as u64);
        let is_counted = home.details.iter().any(|details| details.contains("Counts"));
        assert_eq!(is_counted, count > 8);
    }
}

/// One producer with a wrong layout does not spoil what comes over the same router.
#[test]
fn layouts_that_disagree_are_counted_by_their_own() {
    let value = |buckets: &str| {
        format!(r#"{{"type":"histogram","name":"h","value":0.5,"buckets":{buckets}}}"#)
    };
    let (own, other) = (value("[1,4]"), value("[2,3]"));
    let mut payloads = vec![own.as_str()];
    payloads.extend([other.as_str(); 20]);
    payloads.extend([own.as_str(); 20]);
    let mut router = router(&payloads);
    let (mut home, _) = home(&PipelineSettings::default(), &router.flush());
    let lines = home.lines(Format::Text);
    for expected in [
        "h_bucket{le=\"1\"} 21",
        // Those of the other layout are in the bucket that takes the bound of theirs.
        "h_bucket{le=\"4\"} 41",
        "h_bucket{le=\"+Inf\"} 41",
        "h_sum 20.5",
        "h_count 41",
    ] {
        assert!(lines.iter().any(|line| line == expected), "no {expected} in {lines:#?}");
    }
    assert_eq!(home.layout_mismatches, 20);
}

/// What a producer has counted is refused for what it would be refused for.
#[test]
fn counts_of_producers_have_to_fit() {
    let whole = |buckets: &str| {
        format!(r#"{{"type":"histogram","name":"h","counts":[1,2,3],"sum":6,"buckets":{buckets}}}"#)
    };
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&[whole("[1,4]"), whole("[2,3]"), whole("[2,3]"), whole("[1,4]")]);
    let (home, refused) = home(&PipelineSettings::default(), &router.flush());
    let refused: Vec<_> = refused.iter().map(|reject| (reject.reason, reject.samples)).collect();
    assert_eq!(refused, [(Reason::BadBuckets, 2)]);
    assert_eq!(home.sent, 2);
}

#[test]
fn values_of_native_histograms_stay_what_they_are() {
    let native = NativeSettings { mode: NativeMode::Only, ..NativeSettings::default() };
    for settings in
        [PipelineSettings { native, ..PipelineSettings::default() }, PipelineSettings::default()]
    {
        let payloads: Vec<String> = (1..200)
            .map(|value| {
                format!(r#"{{"type":"histogram","name":"h","value":{value},"factor":1.1}}"#)
            })
            .collect();
        let mut direct = Pipeline::new(&settings);
        direct.batch(&payloads);
        let mut router = Router::new(&settings, 1);
        router.batch(&payloads);
        let (mut home, _) = home(&settings, &router.flush());
        assert_eq!(home.lines(Format::Protobuf), direct.lines(Format::Protobuf));
    }
}

#[test]
fn summaries_are_values_in_order() {
    let values = |values: &str| {
        let objectives = r#""quantiles":[0.5,0.99],"epsilons":[0.05,0.001]"#;
        format!(r#"{{"type":"summary","name":"s","values":[{values}],{objectives}}}"#)
    };
    let payloads: Vec<String> = (0..2000).map(|number| values(&format!("{number},0.1"))).collect();
    let mut direct = Pipeline::new(&PipelineSettings::default());
    direct.batch(&payloads);
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&payloads);
    let (mut home, _) = home(&PipelineSettings::default(), &router.flush());
    assert_eq!(home.lines(Format::Text), direct.lines(Format::Text));
    assert_eq!(home.sent, 2000);
}

/// Where it is decided, it is decided once for a name, and counted in samples.
#[test]
fn types_are_the_home_s_to_decide() {
    let counter = r#"{"name":"x","value":1}"#;
    let gauge = r#"{"type":"gauge","name":"x","value":1}"#;
    let mut router = router(&[counter, gauge, gauge, counter, gauge]);
    let (mut home, refused) = home(&PipelineSettings::default(), &router.flush());
    let refused: Vec<_> = refused.iter().map(|reject| (reject.reason, reject.samples)).collect();
    assert_eq!((refused, home.sent), (vec![(Reason::TypeConflict, 3)], 2));
    assert_eq!(home.lines(Format::Text).last().map(String::as_str), Some("x 2"));
}

#[test]
fn names_and_limits_are_the_home_s_to_refuse() {
    let limits = SeriesLimits { max_series_per_metric: 1, ..SeriesLimits::default() };
    let settings = PipelineSettings { limits, ..PipelineSettings::default() };
    let of = |name: &str, label: u32| {
        format!(r#"{{"name":"{name}","value":1,"labels":{{"l":{label}}}}}"#)
    };
    let mut router = Router::new(&settings, 1);
    let payloads = [of("a", 1), of("a", 2), of("a", 2), of("a", 1), of("up", 1)];
    router.batch(&payloads);
    router.batch(&payloads);
    assert_eq!((router.refused.len(), router.taken), (0, 10));
    let (home, refused) = home(&settings, &router.flush());
    let mut refused: Vec<_> =
        refused.iter().map(|reject| (reject.reason, reject.samples)).collect();
    refused.sort_unstable();
    assert_eq!(refused, [(Reason::ReservedName, 2), (Reason::MetricSeriesLimit, 4)]);
    assert_eq!(home.sent, 4);
}

#[test]
fn the_overflow_series_counts_samples() {
    let limits = SeriesLimits { max_series_per_metric: 1, ..SeriesLimits::default() };
    let settings = PipelineSettings { limits, overflow: true, ..PipelineSettings::default() };
    let of = |label: u32| format!(r#"{{"name":"a_total","value":3,"labels":{{"l":{label}}}}}"#);
    let mut router = Router::new(&settings, 1);
    router.batch(&[of(1), of(2), of(2), of(3), of(3), of(3)]);
    let (mut home, refused) = home(&settings, &router.flush());
    assert_eq!((refused.len(), home.folded, home.sent), (0, 5, 6));
    let last = home.lines(Format::Text).pop();
    assert_eq!(last.as_deref(), Some("a_total{otel_metric_overflow=\"true\"} 15"));
}

#[test]
fn of_times_to_live_the_last_is_said() {
    let ttl = |seconds: u32| format!(r#"{{"name":"c_total","ttl":{seconds}}}"#);
    let plain = r#"{"name":"c_total"}"#.to_owned();
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&[ttl(10), ttl(20), plain]);
    let (home, _) = home(&PipelineSettings::default(), &router.flush());
    assert!(home.details[0].contains("Some(Ttl(20))"), "{:?}", home.details);
}

#[test]
fn of_exemplars_the_newest_is_shown() {
    let exemplar = |trace: u32, second: u32| {
        let exemplar =
            format!(r#"{{"labels":{{"trace":{trace}}},"value":1,"timestamp":{second}}}"#);
        format!(r#"{{"name":"c_total","value":1,"exemplar":{exemplar}}}"#)
    };
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&[exemplar(1, NOW - 9), exemplar(2, NOW - 3), exemplar(3, NOW - 5)]);
    let (mut home, _) = home(&PipelineSettings::default(), &router.flush());
    let page = home.exposition(Format::OpenMetrics);
    assert!(page.contains(r#"c_total 3.0 # {trace="2"} 1.0"#), "{page}");
    // Where the home shows none, it takes none.
    let settings = PipelineSettings { max_exemplars: 0, ..PipelineSettings::default() };
    router.batch(&[exemplar(1, NOW)]);
    let mut without = Pipeline::new(&settings);
    assert_eq!(without.batch_at_home(&router.flush()), Ok(Vec::new()));
    assert!(!without.exposition(Format::OpenMetrics).contains("trace"));
}

#[test]
fn labels_are_dropped_by_the_router() {
    let settings = PipelineSettings { drop_labels: &["pod"], ..PipelineSettings::default() };
    assert!(DropLabels::new(settings.drop_labels).contains("pod"));
    let of = |pod: u32| format!(r#"{{"name":"c_total","value":1,"labels":{{"pod":{pod},"a":1}}}}"#);
    let mut router = Router::new(&settings, 1);
    router.batch(&[of(1), of(2), of(3)]);
    assert_eq!(shown(&PipelineSettings::default(), &mut [router]), ["c_total{a=\"1\"} 3"]);
}

/// A home that takes legacy names alone shows no others.
#[test]
fn names_are_held_to_the_home_s_rules() {
    use psg_engine::name::NameRules;
    let of_any_script = PipelineSettings { names: NameRules::Utf8, ..PipelineSettings::default() };
    let mut router = Router::new(&of_any_script, 1);
    router.batch(&[
        r#"{"name":"é.total"}"#,
        r#"{"name":"c","labels":{"a.b":1}}"#,
        r#"{"name":"c","labels":{"a.b":1}}"#,
        r#"{"name":"c","value":1}"#,
    ]);
    assert_eq!(router.refused, []);
    let legacy = PipelineSettings { names: NameRules::Legacy, ..PipelineSettings::default() };
    let frames = router.flush();
    let (mut home, refused) = home(&legacy, &frames);
    let mut refused: Vec<_> =
        refused.iter().map(|reject| (reject.reason, reject.samples)).collect();
    refused.sort_unstable();
    assert_eq!(refused, [(Reason::InvalidName, 1), (Reason::InvalidLabelName, 2)]);
    assert_eq!(home.lines(Format::Text).last().map(String::as_str), Some("c 1"));
}

/// What had no sample for a while is let go of, and what comes then is counted.
#[test]
fn series_that_are_idle_are_let_go_of() {
    let mut router = Router::new(&PipelineSettings::default(), 1);
    let payload = r#"{"name":"c_total","value":2}"#;
    let frames = |router: &mut Router, at: u64| {
        router.now = Moment(at);
        router.batch(&[payload; 5]);
        router.forwarder.forget_idle(router.now);
        let frames = router.flush();
        router.forwarder.forget_idle(Moment(at + 200_000));
        frames
    };
    let mut all = frames(&mut router, 20_000);
    assert_eq!(router.forwarder.series(), 0);
    all.extend(frames(&mut router, 400_000));
    let (mut home, _) = home(&PipelineSettings::default(), &all);
    assert_eq!(home.lines(Format::Text).last().map(String::as_str), Some("c_total 20"));
}

/// A burst of series that come once takes no more room than the cache of series.
#[test]
fn series_beyond_the_cache_are_let_go_of_with_their_deltas() {
    let settings = PipelineSettings { cache_series: 10, ..PipelineSettings::default() };
    let mut router = Router::new(&settings, 1);
    for round in 0..50 {
        let of = |number| format!(r#"{{"name":"c_total","labels":{{"n":"{round}-{number}"}}}}"#);
        let payloads: Vec<String> = (0..100).map(of).collect();
        router.batch(&payloads);
        router.flush();
    }
    assert!(router.forwarder.series() <= 10, "{}", router.forwarder.series());
}

#[test]
fn lanes_that_changed_are_known() {
    let mut router = router(&[r#"{"name":"a"}"#, r#"{"name":"b"}"#, r#"{"name":"c"}"#]);
    let lanes = ["a", "b", "c"].map(|name| lane_of(&router, name));
    let changed = |router: &mut Router| router.forwarder.take_changed().iter().collect::<Vec<_>>();
    let mut expected = lanes.to_vec();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(changed(&mut router), expected);
    assert_eq!(changed(&mut router), []);
    router.batch(&[r#"{"name":"b"}"#]);
    assert_eq!(changed(&mut router), [lanes[1]]);
    router.flush_lane(lanes[0]);
    assert_eq!(changed(&mut router), [lanes[0]]);
    router.flush_lane(lanes[0]);
    assert_eq!(changed(&mut router), [], "there was nothing");
}
