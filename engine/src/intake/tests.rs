//! What a reader keeps, and lets go of.

use super::*;
use crate::metric::Kind;
use crate::sample::Labels;
use crate::store::Store;
use crate::timestamp::Moment;

/// Routes one payload as a batch of its own; whether it was recognised.
fn route(intake: &mut Intake, store: &mut Store, payload: &str) -> bool {
    let payload = payload.as_bytes();
    let located = intake.json.templates.locate(payload);
    let route = located.and_then(|located| intake.json.templates.recognise(payload, &located));
    intake.route(payload, |_, reject| panic!("{reject}"));
    intake.define_with(|_, key| store.define(key, ReaderIndex(0), Moment(0)));
    intake.finish().updates.iter().for_each(|updates| store.apply(updates, Moment(0)));
    route.is_some()
}

fn one_shard(cache_series: usize) -> (Intake, Store) {
    let settings = IntakeSettings { cache_series, ..IntakeSettings::default() };
    let catalog = Catalog::default();
    (Intake::new(settings, catalog, ShardCount::new(1), ReaderIndex(0)), Store::default())
}

/// Without this the properties that compare templates with the decoder
/// would hold for nothing.
#[test]
fn a_spelling_that_comes_back_is_recognised() {
    let (mut intake, mut store) = one_shard(10);
    let payload = |value: u32| format!(r#"{{"name":"n","value":{value},"labels":{{"a":"b"}}}}"#);
    let mut recognised = (0..6).map(|value| route(&mut intake, &mut store, &payload(value)));
    assert!((0..3).all(|_| recognised.next() == Some(false)));
    assert!(recognised.all(|recognised| recognised));
}

/// Whatever the numbers are of.
#[test]
fn every_kind_of_numbers_is_recognised() {
    for shape in [
        r#""name":"n","value":V,"timestamp":V"#,
        r#""timestamp": V ,"type":"gauge","name":"n","value":V"#,
        r#""type":"summary","name":"n","values":[V, 2.5,V]"#,
        r#""type":"histogram","name":"n","buckets":[1,2],"counts":[V,1,V],"sum":V"#,
        r#""sum":V,"type":"histogram","timestamp":V,"counts":[0,V],"name":"n","buckets":[1,2]"#,
    ] {
        let (mut intake, mut store) = one_shard(10);
        intake.begin(UnixTime::from_sample(100.0));
        let payload = |value: u32| format!("{{{}}}", shape.replace('V', &value.to_string()));
        let times = (0..9).filter(|value| route(&mut intake, &mut store, &payload(*value)));
        assert!(times.count() >= 5, "{shape}");
        assert!(!route(&mut intake, &mut store, &format!(" {}", payload(1))), "{shape}");
    }
}

#[test]
fn samples_of_arrays_are_recognised() {
    let (mut intake, mut store) = one_shard(10);
    let mut parsed = |payload: &str| {
        intake.route(payload.as_bytes(), |_, reject| panic!("{reject}"));
        intake.define_with(|_, key| store.define(key, ReaderIndex(0), Moment(0)));
        let routed = intake.finish();
        routed.updates.iter().for_each(|updates| store.apply(updates, Moment(0)));
        routed.parsed
    };
    let array = |value: u32| {
        let sample =
            |name: &str| format!(r#"{{"name":"{name}","value":{value},"labels":{{"a":"b"}}}}"#);
        format!(" [ {} , {},{}\n] ", sample("x"), sample("y"), sample("z"))
    };
    let needed: Vec<u64> = (0..5).map(|value| parsed(&array(value))).collect();
    assert_eq!(needed, [3, 3, 3, 0, 0]);
}

/// Also while templates are passed by, since nothing is known at first.
#[test]
fn samples_of_arrays_are_learnt_as_soon_as_others() {
    let parsed = |length: usize| {
        let (mut intake, mut store) = one_shard(10_000);
        let mut parsed = Vec::new();
        for round in 0..10 {
            let samples: Vec<String> = (0..3000)
                .map(|series| {
                    format!(r#"{{"name":"n","value":{round},"labels":{{"a":"{series}"}}}}"#)
                })
                .collect();
            for samples in samples.chunks(length) {
                let array = match samples {
                    [one] => one.clone(),
                    _ => format!("[{}]", samples.join(",")),
                };
                intake.route(array.as_bytes(), |_, reject| panic!("{reject}"));
                intake.define_with(|_, key| store.define(key, ReaderIndex(0), Moment(0)));
            }
            let routed = intake.finish();
            routed.updates.iter().for_each(|updates| store.apply(updates, Moment(0)));
            parsed.push(routed.parsed);
        }
        parsed
    };
    let (alone, in_arrays) = (parsed(1), parsed(20));
    assert_eq!(alone.last(), Some(&0), "{alone:?}");
    assert_eq!(in_arrays.last(), Some(&0), "{in_arrays:?}");
    let sum = |parsed: &[u64]| parsed.iter().sum::<u64>();
    // They end their windows elsewhere.
    let window = 1024;
    assert!(sum(&in_arrays) <= sum(&alone) + window, "{in_arrays:?}, {alone:?}");
}

/// However many elements they have, each is looked at for a bounded time: these would
/// take minutes otherwise.
#[test]
fn arrays_of_other_things_take_no_longer_than_they_are() {
    let (mut intake, _) = one_shard(10);
    for (element, samples) in [("1", 1), ("{},1", 2), ("{}, \"x\"", 2), (r#"{"x":{}},[]"#, 2)] {
        let times = 1_000_000 / (element.len() + 1);
        let array = format!("[{}]", vec![element; times].join(","));
        let mut refused = 0;
        intake.route(array.as_bytes(), |_, _| refused += 1);
        assert_eq!(refused, times * samples, "{element}");
    }
}

/// The same for label sets.
#[test]
fn a_series_that_is_spelt_differently_each_time_is_found_by_its_labels() {
    let (mut intake, mut store) = one_shard(10);
    let payload = |value: u32, labels: &str| {
        format!(r#"{{"value":{value},"timestamp":{value},"name":"n","labels":{{{labels}}}}}"#)
    };
    let labels = [crate::sample::Label { name: "a", value: "/" }];
    let is_kept = |intake: &mut Intake| {
        let family = intake.resolver.families.id_of("n");
        intake.resolver.label_sets.find(Labels::from(&labels[..]), || family).is_some()
    };
    route(&mut intake, &mut store, &payload(1, r#""a":"/""#));
    assert!(!is_kept(&mut intake), "it may never come again");
    route(&mut intake, &mut store, &payload(2, r#" "a" : "\/" "#));
    assert!(!is_kept(&mut intake), "it may be spelt so again");
    route(&mut intake, &mut store, &payload(3, r#""b":"","a":"\u002f""#));
    assert!(is_kept(&mut intake));
    assert_eq!(store.live()[Kind::Counter as usize], 1);
}

/// Each of them is another text: they must not drive out what was learnt, nor keep
/// it from being learnt, whether they are taken or dropped.
#[test]
fn samples_with_exemplars_do_not_disturb_the_templates_of_others() {
    for exemplars in [false, true] {
        let (mut intake, mut store) = one_shard(10);
        let settings = IntakeSettings { exemplars, ..intake.settings.clone() };
        intake.settings = settings;
        intake.forget_all();
        let plain = |value: usize| format!(r#"{{"name":"n_total","value":{value}}}"#);
        let with = |value: usize| {
            let exemplar = format!(r#""exemplar":{{"labels":{{"t":{value}}},"value":2}}"#);
            let value = format!(r#""value":{value}"#);
            let (first, second) =
                if value.len() % 2 == 0 { (&value, &exemplar) } else { (&exemplar, &value) };
            format!(r#"{{"name":"n_total",{first},{second}}}"#)
        };
        let mut recognised = 0;
        for number in 0..100 {
            recognised += usize::from(route(&mut intake, &mut store, &plain(number)));
            for other in 0..9 {
                let payload = with(10 * number + other);
                assert!(!route(&mut intake, &mut store, &payload), "{payload}");
            }
        }
        assert_eq!(recognised, 97, "as without the others");
        assert_eq!(store.live()[Kind::Counter as usize], 1);
    }
}

#[test]
fn templates_leave_with_their_series() {
    let (mut intake, mut store) = one_shard(1);
    let payload = |name: &str| format!(r#"{{"name":"{name}","value":1}}"#);
    for _ in 0..4 {
        route(&mut intake, &mut store, &payload("a"));
    }
    assert!(route(&mut intake, &mut store, &payload("a")));
    // One batch gives the first series its second chance, the next evicts it.
    route(&mut intake, &mut store, &payload("b"));
    route(&mut intake, &mut store, &payload("c"));
    assert!(!route(&mut intake, &mut store, &payload("a")));
}
