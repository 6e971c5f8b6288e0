//! Properties of the whole engine: whatever K is, whatever the caches hold,
//! the same input gives the same exposition.

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::reject::Reason;

use crate::support::cases;
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

/// Payloads of few names and labels, so that they meet each other; some of
/// them are refused.
fn payload() -> impl Strategy<Value = String> {
    let kind = prop_oneof![Just("counter"), Just("gauge"), Just("histogram"), Just("summary")];
    let name =
        prop_oneof![Just("a"), Just("b"), Just("a_sum"), Just("c_total"), Just("c"), Just("d e")];
    let value = prop_oneof![
        (-3i32..100).prop_map(|n| n.to_string()),
        (0i32..1000).prop_map(|n| format!("{}.{:02}", n / 100, n % 100)),
        Just("1e999".to_owned()),
        Just("01".to_owned()),
    ];
    let observed = observed(value.boxed());
    let labels = prop::sample::subsequence(vec![r#""x":"1""#, r#""y":"\"2\"""#, r#""z":3"#], 0..=3)
        .prop_shuffle();
    let shape = prop_oneof![
        Just(r#","buckets":[1,2.5,50]"#),
        Just(r#","buckets":[1,2.5]"#),
        Just(r#","quantiles":[0.5],"epsilons":[0.05]"#),
        Just("")
    ];
    (kind, name, observed, labels, shape, times(), extras()).prop_map(
        |(kind, name, observed, labels, shape, times, extras)| {
            let labels = labels.join(",");
            format!(
                r#"{{"type":"{kind}","name":"{name}",{observed},"labels":{{{labels}}}{shape}{times}{extras}}}"#
            )
        },
    )
}

/// A value, several, or counts, which often are as many as the buckets are.
fn observed(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let values = prop::collection::vec(value.clone(), 0..4);
    let counts = prop::collection::vec(prop_oneof![9 => 0i32..9, 1 => -1i32..0], 2..5);
    let several = values.prop_map(|values| format!(r#""values":[{}]"#, values.join(", ")));
    let counted = (value.clone(), counts)
        .prop_map(|(sum, counts)| format!(r#""counts":{counts:?},"sum":{sum}"#));
    prop_oneof![
        5 => value.prop_map(|value| format!(r#""value":{value}"#)),
        1 => several,
        1 => counted,
    ]
}

/// What few samples have: units and exemplars.
fn extras() -> impl Strategy<Value = String> {
    let exemplar = (0u32..9, prop::option::of(0i32..70), prop::option::of(0u32..9)).prop_map(
        |(trace, value, second)| {
            let value = value.map_or(String::new(), |value| format!(r#","value":{value}"#));
            let second = second.map_or(String::new(), |it| format!(r#","timestamp":{}"#, NOW - it));
            format!(r#","exemplar":{{"labels":{{"trace":{trace}}}{value}{second}}}"#)
        },
    );
    prop_oneof![
        6 => Just(String::new()),
        1 => Just(r#","unit":"sum""#.to_owned()),
        3 => exemplar,
    ]
}

/// Payloads that are JSON, whatever else is wrong with them.
fn json_payload() -> impl Strategy<Value = String> {
    payload().prop_filter("a fault of syntax is one of all the array", |payload| {
        [":01", "[01", " 01"].iter().all(|fault| !payload.contains(fault))
    })
}

/// Timestamps of which gauges keep the greatest, and what is not accepted.
fn times() -> impl Strategy<Value = String> {
    let timestamp = prop_oneof![
        4 => (0u32..8).prop_map(|second| (NOW - 3 + second).to_string()),
        1 => Just((NOW + 3601).to_string()),
        1 => Just("null".to_owned()),
    ];
    let ttl = prop::sample::select(vec!["0", "7", "8", "-1", "\"9\""]);
    prop_oneof![
        4 => Just(String::new()),
        2 => timestamp.prop_map(|timestamp| format!(r#","timestamp":{timestamp}"#)),
        1 => ttl.prop_map(|ttl| format!(r#","ttl":{ttl}"#)),
    ]
}

fn run(
    settings: &PipelineSettings,
    payloads: &[Vec<u8>],
    batch: usize,
) -> (Vec<Option<Reason>>, Pipeline) {
    let mut pipeline = Pipeline::new(settings);
    let verdicts = payloads.chunks(batch).flat_map(|batch| pipeline.batch(batch)).collect();
    (verdicts, pipeline)
}

fn bytes(payloads: Vec<String>) -> Vec<Vec<u8>> {
    payloads.into_iter().map(String::into_bytes).collect()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn k_and_page_size_change_nothing(payloads in prop::collection::vec(payload(), 1..120), batch in 1usize..40) {
        let payloads = bytes(payloads);
        let settings = |shards| PipelineSettings { shards, ..PipelineSettings::default() };
        let (expected_verdicts, mut expected) = run(&settings(1), &payloads, payloads.len());
        for shards in [1, 2, 3, 8] {
            let (verdicts, mut pipeline) = run(&settings(shards), &payloads, batch);
            prop_assert_eq!(&verdicts, &expected_verdicts);
            for format in Format::ALL {
                prop_assert_eq!(pipeline.lines(format), expected.lines(format));
            }
        }
    }

    /// A recognised template is exactly as strict as the decoder: with mutated
    /// copies of payloads that were seen before, a pipeline that recognises
    /// templates and one that keeps nothing refuse and show the same.
    #[test]
    fn templates_are_as_strict_as_the_decoder(
        seeds in prop::collection::vec(payload(), 1..8),
        picks in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..200),
    ) {
        let seeds = bytes(seeds);
        // Each seed comes four times first, so that its template is known.
        let mut payloads: Vec<Vec<u8>> = seeds.iter().cycle().take(4 * seeds.len()).cloned().collect();
        payloads.extend(picks.iter().map(|(seed, mutation)| mutation.apply(seed.get::<Vec<u8>>(&seeds))));
        let (with, mut recognising) = run(&PipelineSettings::default(), &payloads, 7);
        let bare = PipelineSettings { cache_series: 0, ..PipelineSettings::default() };
        let (without, mut decoding) = run(&bare, &payloads, 7);
        for (payload, pair) in payloads.iter().zip(with.iter().zip(&without)) {
            prop_assert_eq!(pair.0, pair.1, "{}", String::from_utf8_lossy(payload));
        }
        prop_assert_eq!(recognising.layout_mismatches, decoding.layout_mismatches);
        prop_assert_eq!(&recognising.details, &decoding.details);
        prop_assert_eq!(recognising.newest, decoding.newest);
        for format in Format::ALL {
            prop_assert_eq!(recognising.lines(format), decoding.lines(format));
        }
    }

    /// An array is worth what its samples are worth alone, and of each that is
    /// refused the bytes are told.
    #[test]
    fn arrays_are_their_samples(payloads in prop::collection::vec(json_payload(), 1..60), length in 1usize..9) {
        let mut alone = Pipeline::new(&PipelineSettings::default());
        let expected: Vec<(Vec<u8>, Reason)> = payloads
            .chunks(length)
            .flat_map(|batch| alone.batch_of_arrays(batch))
            .map(|(_, sample, reason)| (sample, reason))
            .collect();
        let mut pipeline = Pipeline::new(&PipelineSettings::default());
        let refused: Vec<(Vec<u8>, Reason)> = payloads
            .chunks(length)
            .flat_map(|batch| pipeline.batch_of_arrays(&[format!("[{}]", batch.join(", "))]))
            .map(|(_, sample, reason)| (sample, reason))
            .collect();
        prop_assert_eq!(refused, expected);
        prop_assert_eq!(&pipeline.details, &alone.details);
        for format in Format::ALL {
            prop_assert_eq!(pipeline.lines(format), alone.lines(format));
        }
    }

    /// As for single samples, so for arrays: one that is no JSON counts nothing of it,
    /// also where some of its samples are recognised.
    #[test]
    fn recognised_arrays_are_as_strict_as_the_decoder(
        seeds in prop::collection::vec(prop::collection::vec(json_payload(), 1..5), 1..4),
        picks in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..100),
    ) {
        let seeds = seeds.into_iter().map(|samples| format!("[{}]", samples.join(",")));
        let seeds = bytes(seeds.collect());
        let mut payloads: Vec<Vec<u8>> = seeds.iter().cycle().take(4 * seeds.len()).cloned().collect();
        payloads.extend(picks.iter().map(|(seed, mutation)| mutation.apply(seed.get::<Vec<u8>>(&seeds))));
        let run = |cache_series| {
            let settings = PipelineSettings { cache_series, ..PipelineSettings::default() };
            let mut pipeline = Pipeline::new(&settings);
            let refused: Vec<_> =
                payloads.chunks(7).map(|batch| pipeline.batch_of_arrays(batch)).collect();
            (refused, pipeline)
        };
        let ((with, mut recognising), (without, mut decoding)) = (run(1000), run(0));
        prop_assert_eq!(with, without);
        prop_assert_eq!(recognising.layout_mismatches, decoding.layout_mismatches);
        prop_assert_eq!(&recognising.details, &decoding.details);
        prop_assert_eq!(recognising.newest, decoding.newest);
        for format in Format::ALL {
            prop_assert_eq!(recognising.lines(format), decoding.lines(format));
        }
    }

    /// What is dropped is as if it had not been sent, also where a template is
    /// recognised.
    #[test]
    fn dropped_labels_are_as_if_not_sent(payloads in prop::collection::vec(payload(), 1..60)) {
        let payloads: Vec<String> = payloads.iter().cycle().take(4 * payloads.len()).cloned().collect();
        let without = |payload: &String| {
            let labels = [r#""x":"1""#, r#""z":3"#];
            let forms = |label: &str| [format!("{label},"), format!(",{label}"), label.to_owned()];
            labels.into_iter().flat_map(forms).fold(payload.clone(), |text, form| text.replace(&form, ""))
        };
        let bare: Vec<String> = payloads.iter().map(without).collect();
        let (expected, mut bare) = run(&PipelineSettings::default(), &bytes(bare), 7);
        let settings = PipelineSettings { drop_labels: &["z", "x"], ..PipelineSettings::default() };
        let (verdicts, mut dropping) = run(&settings, &bytes(payloads), 7);
        prop_assert_eq!(verdicts, expected);
        prop_assert_eq!(dropping.lines(Format::Text), bare.lines(Format::Text));
    }

    #[test]
    fn label_order_never_matters(order in Just(vec!["a", "b", "c", "d", "e"]).prop_shuffle(), sort_labels: bool) {
        let labels: Vec<String> = order.iter().map(|name| format!(r#""{name}":"v{name}""#)).collect();
        let payload = |labels: &[String]| {
            format!(r#"{{"name":"n","value":1,"labels":{{{}}}}}"#, labels.join(","))
        };
        let sorted = { let mut sorted = labels.clone(); sorted.sort(); sorted };
        let settings = PipelineSettings { sort_labels, ..PipelineSettings::default() };
        let mut pipeline = Pipeline::new(&settings);
        pipeline.batch(&[payload(&labels), payload(&sorted)]);
        let printed = if sort_labels { vec!["a", "b", "c", "d", "e"] } else { order };
        let printed: Vec<String> = printed.iter().map(|name| format!(r#"{name}="v{name}""#)).collect();
        let expected = format!("n{{{}}} 2\n", printed.join(","));
        let exposition = pipeline.exposition(Format::Text);
        prop_assert!(exposition.ends_with(&expected), "{}", exposition);
    }

    /// Readers that know few series ask again and again; what they gave back
    /// and asked for again is the same series.
    #[test]
    fn small_caches_change_nothing(payloads in prop::collection::vec(payload(), 1..200), cache_series in 0usize..4) {
        let payloads = bytes(payloads);
        let (_, mut expected) = run(&PipelineSettings::default(), &payloads, 9);
        let small = PipelineSettings { cache_series, ..PipelineSettings::default() };
        let (_, mut pipeline) = run(&small, &payloads, 9);
        prop_assert_eq!(pipeline.lines(Format::Text), expected.lines(Format::Text));
    }

    /// At the limits what exists goes on, what is new is refused, and what was
    /// refused leaves nothing behind.
    #[test]
    fn limits_hold(payloads in prop::collection::vec(payload(), 1..200), max_series in 1usize..6, max_series_per_metric in 1usize..3) {
        let limits = SeriesLimits { max_series, max_series_per_metric, max_series_bytes: usize::MAX };
        let settings = PipelineSettings { limits, cache_series: 3, ..PipelineSettings::default() };
        let mut pipeline = Pipeline::new(&settings);
        for batch in bytes(payloads).chunks(11) {
            pipeline.batch(batch);
            let defined: usize = pipeline.stores.iter().map(|store| store.defined()).sum();
            let shown: usize = pipeline.stores.iter().flat_map(|store| store.live()).sum();
            prop_assert!(defined <= max_series);
            prop_assert_eq!(pipeline.catalog.live_series(), defined);
            prop_assert_eq!(shown, defined, "every series that was admitted got its value");
        }
        let headers = pipeline.exposition(Format::Text).matches("# TYPE").count();
        prop_assert_eq!(headers, pipeline.catalog.families(), "no family without series stays");
    }
}

/// A change to a payload that may or may not leave it valid.
#[derive(Debug, Clone)]
enum Mutation {
    Nothing,
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    /// Another in place of one of its numbers.
    Number(prop::sample::Index, String),
    SecondValue(String),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop::sample::select(b"{}[]\":,.0123456789eE+-xyz \n\\\0\xff".to_vec());
    let number = prop::sample::select(vec![
        "0",
        "-0",
        "1",
        "-1",
        "1e3",
        "1E+2",
        "1e-400",
        "1e400",
        "-1e400",
        "0.5",
        "1.",
        ".5",
        "01",
        "+1",
        "NaN",
        "null",
        "\"1\"",
        "true",
        "[1]",
        " 7 ",
        "123456789012345678901234567890",
        "2.5 ",
    ]);
    prop_oneof![
        Just(Mutation::Nothing),
        (any::<prop::sample::Index>(), byte.clone())
            .prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<prop::sample::Index>(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Mutation::Remove),
        (any::<prop::sample::Index>(), number.clone())
            .prop_map(|(at, number)| Mutation::Number(at, number.into())),
        number.prop_map(|number| Mutation::SecondValue(number.into())),
    ]
}

impl Mutation {
    fn apply(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = payload.to_vec();
        match self {
            Mutation::Nothing => {}
            Mutation::Replace(at, byte) => bytes[at.index(payload.len())] = *byte,
            Mutation::Insert(at, byte) => bytes.insert(at.index(payload.len()), *byte),
            Mutation::Remove(at) => drop(bytes.remove(at.index(payload.len()))),
            Mutation::Number(at, number) => {
                let text = String::from_utf8_lossy(payload);
                let starts: Vec<usize> = text
                    .match_indices([':', '[', ',', ' '])
                    .map(|(before, _)| before + 1)
                    .filter(|start| text[*start..].starts_with(|c: char| c.is_ascii_digit()))
                    .collect();
                let Some(start) = starts.get(at.index(starts.len().max(1))) else { return bytes };
                let length = text[*start..].find([',', ']', '}']).expect("something follows");
                bytes =
                    format!("{}{number}{}", &text[..*start], &text[start + length..]).into_bytes();
            }
            Mutation::SecondValue(number) => {
                bytes.pop();
                bytes.extend_from_slice(format!(",\"value\":{number}}}").as_bytes());
            }
        }
        bytes
    }
}

#[test]
fn a_refused_sample_of_an_array_is_found_in_it() {
    let limits =
        SeriesLimits { max_series: 1, max_series_per_metric: 1, max_series_bytes: usize::MAX };
    let mut pipeline = Pipeline::new(&PipelineSettings { limits, ..PipelineSettings::default() });
    let (one, two, bad) = (r#"{"name":"a"}"#, r#"{"name":"b"}"#, r#"{"name":"a","value":-1}"#);
    let batch = [one.to_owned(), format!(" [ {one} , {two},{bad} ]"), two.to_owned(), "[]".into()];
    let refused = pipeline.batch_of_arrays(&batch);
    let told = |number: usize, sample: &str, reason| (number, sample.as_bytes().to_vec(), reason);
    let expected = [
        told(1, bad, Reason::NegativeCounter),
        told(3, "[]", Reason::NotASample),
        told(1, two, Reason::SeriesLimit),
        told(2, two, Reason::SeriesLimit),
    ];
    assert_eq!(refused, expected);
}

#[test]
fn gauges_keep_the_greatest_timestamp() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let gauge = |value: u32, timestamp: &str| {
        format!(r#"{{"type":"gauge","name":"g","value":{value}{timestamp}}}"#)
    };
    let mut show = |batch: &[String]| {
        pipeline.batch(batch);
        pipeline.lines(Format::Text).pop().expect("a line")
    };
    let at = |seconds: u32| format!(r#","timestamp":{seconds}"#);
    assert_eq!(show(&[gauge(1, &at(NOW - 5)), gauge(2, &at(NOW - 9))]), "g 1");
    assert_eq!(show(&[gauge(3, &at(NOW - 5))]), "g 3", "of two at one time the later");
    assert_eq!(show(&[gauge(4, "")]), "g 4", "it was measured when it was taken");
    assert_eq!(show(&[gauge(5, &at(NOW - 1))]), "g 4");
    assert_eq!(show(&[gauge(6, &at(NOW + 60)), gauge(7, "")]), "g 6");
    assert_eq!(
        show(&[gauge(8, r#","timestamp":"9""#)]),
        "g 6",
        "it is refused where it is no number"
    );
}

/// The first producer of a name may be one that gives no help.
#[test]
fn an_empty_help_is_filled_by_the_first_that_comes() {
    let settings = PipelineSettings::default();
    let mut pipeline = Pipeline::new(&settings);
    let sample = |help: &str| format!(r#"{{"name":"n","value":1,"help":"{help}"}}"#);
    for (sent, shown) in [("", ""), ("first", "first"), ("second", "first"), ("", "first")] {
        assert_eq!(pipeline.batch(&[sample(sent)]), [None]);
        let line = format!("# HELP n {shown}\n");
        assert!(pipeline.exposition(Format::Text).starts_with(&line), "{sent}: {line}");
    }
}
