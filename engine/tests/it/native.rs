//! Native histograms behind the whole way through the engine: which ones are, what
//! scrapers see of them, and that their totals outlive series and processes.

mod whole;

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::native::{NativeLimits, NativeMode, NativeSettings};
use psg_engine::name::pattern::NamePattern;
use psg_engine::protobuf::{BucketSpan, Histogram};
use psg_engine::reject::Reason;
use psg_engine::store::{AckHorizon, ExpirySettings, ScrapeContext, ScrapeSeq};
use psg_engine::timestamp::Moment;

use crate::state::{instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

fn mode(mode: NativeMode, names: &[&str]) -> NativeSettings {
    let names = names.iter().map(|name| NamePattern::new(name)).collect();
    NativeSettings { mode, names, ..NativeSettings::default() }
}

fn with(native: NativeSettings) -> Pipeline {
    Pipeline::new(&PipelineSettings { native, ..PipelineSettings::default() })
}

/// The histograms of a name, by their labels.
fn histograms(pipeline: &mut Pipeline, name: &str) -> BTreeMap<String, Histogram> {
    let families = pipeline.messages();
    let metrics = families.into_iter().filter(|family| family.name() == name);
    let all = metrics.flat_map(|family| family.metric).map(|metric| {
        let labels: Vec<&str> = metric.label.iter().map(|label| label.value()).collect();
        (labels.join(","), metric.histogram.expect("a histogram"))
    });
    all.collect()
}

fn only(pipeline: &mut Pipeline, name: &str) -> Histogram {
    let mut all = histograms(pipeline, name);
    all.remove("").expect("one without labels")
}

/// The counts by the numbers of their buckets, as a scraper reads them.
fn decoded(spans: &[BucketSpan], deltas: &[i64]) -> BTreeMap<i32, u64> {
    let (mut buckets, mut at, mut count) = (BTreeMap::new(), 0, 0);
    let mut deltas = deltas.iter();
    for span in spans {
        at += span.offset();
        for _ in 0..span.length() {
            count += deltas.next().expect("one for each bucket");
            if count != 0 {
                buckets.insert(at, u64::try_from(count).expect("a count"));
            }
            at += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets
}

/// The same by the definition: eight buckets for each power of two.
fn expected(values: &[f64]) -> BTreeMap<i32, u64> {
    let mut buckets = BTreeMap::new();
    for value in values.iter().filter(|value| **value > 0.0) {
        *buckets.entry((value.log2() * 8.0).ceil() as i32).or_default() += 1;
    }
    buckets
}

/// Buckets of a schema as those of the one with eight for each power of two.
fn eighths(buckets: BTreeMap<i32, u64>, schema: i32) -> BTreeMap<i32, u64> {
    let mut coarser = BTreeMap::new();
    for (bucket, count) in buckets {
        let eighth = (f64::from(bucket) * f64::from(3 - schema).exp2()).ceil();
        *coarser.entry(eighth as i32).or_default() += count;
    }
    coarser
}

/// What a metric is by the settings, and by what its first sample says.
#[test]
fn who_is_native() {
    const BOUNDS: &str = r#","buckets":[1,2]"#;
    const WHOLE: &str = r#","buckets":[1,2],"counts":[1,0,2],"sum":7"#;
    use NativeMode::{Both, Off, Only};
    let check = |native: NativeMode, what: &str, expected: Option<(usize, Option<i32>)>| {
        let mut pipeline = with(mode(native, &["h"]));
        let payload = format!(r#"{{"type":"histogram","name":"h"{what}}}"#);
        let refused = expected.is_none().then_some(Reason::BadBuckets);
        assert_eq!(pipeline.batch(&[&payload]), [refused], "{native:?} {what}");
        let Some((buckets, schema)) = expected else { return };
        let shown = only(&mut pipeline, "h");
        assert_eq!((shown.bucket.len(), shown.schema), (buckets, schema), "{native:?} {what}");
        // It goes on as it began, whatever comes.
        assert_eq!(pipeline.batch(&[&payload]), [None]);
        let payload = format!(r#"{{"type":"histogram","name":"h","value":3{BOUNDS}}}"#);
        assert_eq!(pipeline.batch(&[payload]), [None]);
        let shown = only(&mut pipeline, "h");
        assert_eq!((shown.bucket.len(), shown.schema), (buckets, schema), "{native:?} {what}");
    };
    check(Off, "", None);
    check(Off, BOUNDS, Some((3, None)));
    check(Off, r#","factor":1.1"#, Some((0, Some(3))));
    check(Off, &format!(r#","factor":2{BOUNDS}"#), Some((3, Some(0))));
    check(Both, "", Some((0, Some(3))));
    check(Both, BOUNDS, Some((3, Some(3))));
    check(Both, r#","factor":2"#, Some((0, Some(0))));
    check(Only, "", Some((0, Some(3))));
    check(Only, BOUNDS, Some((0, Some(3))));
    check(Only, &format!(r#","factor":1.0001{BOUNDS}"#), Some((0, Some(8))));
    for mode in NativeMode::ALL {
        check(mode, WHOLE, Some((3, None)));
    }
}

#[test]
fn the_operator_says_for_which_names() {
    let mut pipeline = with(mode(NativeMode::Only, &["*_seconds", "api"]));
    let payload = |name| format!(r#"{{"type":3,"name":"{name}","buckets":[1]}}"#);
    let names = ["a_seconds", "api", "api_seconds_sum_", "seconds"];
    assert_eq!(pipeline.batch(&names.map(payload)), [None; 4]);
    let is_native = names.map(|name| only(&mut pipeline, name).schema.is_some());
    assert_eq!(is_native, [true, true, false, false]);
    assert_eq!(pipeline.layout_mismatches, 0);
}

/// A whole histogram can't be added to native buckets.
#[test]
fn whole_histograms_stay_classic() {
    let whole = r#"{"type":3,"name":"h","buckets":["B"],"counts":[2,1],"sum":9}"#;
    let whole = |bounds: &str| whole.replace(r#""B""#, bounds);
    let value = r#"{"type":3,"name":"h","value":0.5,"buckets":[1]}"#.to_owned();

    let mut pipeline = with(mode(NativeMode::Both, &[]));
    let other = value.replace(r#""name""#, r#""labels":{"a":"b"},"name""#);
    assert_eq!(pipeline.batch(&[&value, &other]), [None; 2]);
    assert_eq!(pipeline.batch(&[&whole("1"), &value]), [None; 2]);
    let shown = histograms(&mut pipeline, "h");
    assert_eq!(
        (shown[""].schema, shown[""].sample_count(), shown[""].sample_sum()),
        (None, 5, 10.0)
    );
    assert_eq!((shown["b"].schema, shown["b"].sample_count()), (Some(3), 1));

    let mut pipeline = with(mode(NativeMode::Only, &[]));
    assert_eq!(pipeline.batch(std::slice::from_ref(&value)), [None]);
    for bounds in ["1", "1e999"] {
        assert_eq!(pipeline.batch(&[whole(bounds)]), [Some(Reason::BadBuckets)], "{bounds}");
    }
    let shown = only(&mut pipeline, "h");
    assert_eq!((shown.schema, shown.sample_count()), (Some(3), 1));
}

/// Who asks for another factor than the first one is told by a counter.
#[test]
fn another_factor_is_another_layout() {
    let mut pipeline = with(NativeSettings::default());
    let payload = |factor| format!(r#"{{"type":3,"name":"h","factor":{factor}}}"#);
    for (factor, mismatches) in [("1.1", 0), ("1.15", 0), ("2", 1), ("1.01", 2), ("null", 2)] {
        let refused = (factor == "null").then_some(Reason::BadBuckets);
        assert_eq!(pipeline.batch(&[payload(factor)]), [refused]);
        assert_eq!(pipeline.layout_mismatches, mismatches, "{factor}");
    }
    assert_eq!(only(&mut pipeline, "h").sample_count(), 4);
}

/// Text has no native buckets, and shows what it has room for.
#[test]
fn text_shows_sum_and_count() {
    let mut pipeline = with(mode(NativeMode::Only, &[]));
    let sample = |value, trace| {
        format!(
            r#"{{"type":3,"name":"h","value":{value},"exemplar":{{"labels":{{"t":"{trace}"}},"timestamp":{trace}}}}}"#
        )
    };
    assert_eq!(pipeline.batch(&[sample(0.5, 2), sample(500.0, 3), sample(0.49, 1)]), [None; 3]);
    let expected = ["h_sum 500.99", "h_count 3", "h_bucket{le=\"+Inf\"} 3"];
    for format in [Format::Text, Format::OpenMetrics] {
        let exposition = pipeline.exposition(format);
        let lines: Vec<&str> = exposition.lines().filter(|line| line.starts_with("h_")).collect();
        assert!(lines.iter().zip(expected).all(|(line, own)| line.starts_with(own)), "{lines:?}");
        assert_eq!(lines.len(), 3, "{lines:?}");
        let newest = lines[2].ends_with("# {t=\"3\"} 500.0 3.0");
        assert_eq!(newest, format == Format::OpenMetrics, "{lines:?}");
    }
    // The newest of values that are near each other, and those far off.
    let exemplars = only(&mut pipeline, "h").exemplars;
    let mut traces: Vec<&str> = exemplars.iter().map(|it| it.label[0].value()).collect();
    traces.sort_unstable();
    assert_eq!(traces, ["2", "3"]);
    assert!(exemplars.iter().all(|exemplar| exemplar.timestamp.is_some()));
    let many: Vec<String> = (0..300).map(|at| sample(f64::exp2(f64::from(at)), 4)).collect();
    assert!(pipeline.batch(&many).iter().all(Option::is_none));
    assert_eq!(only(&mut pipeline, "h").exemplars.len(), 10, "there are never more");
}

#[derive(Debug, Clone)]
enum Step {
    Values {
        label: usize,
        values: Vec<f64>,
        /// How fine a producer counts them by itself, where it does.
        counted_by: Option<i8>,
    },
    /// All series expire, and leave their totals.
    Expire,
    /// Stored, and loaded by so many shards.
    Load { shards: usize },
}

fn step() -> impl Strategy<Value = Step> {
    // None lies on a bound.
    let value = (-40_i32..40, 1_i32..9, any::<bool>()).prop_map(|(power, ninths, is_negative)| {
        let magnitude = f64::exp2(f64::from(power) / 8.0 + f64::from(ninths) / 81.0);
        if is_negative { -magnitude } else { magnitude }
    });
    let value = prop_oneof![9 => value, 1 => Just(0.0)];
    prop_oneof![
        6 => (0..3_usize, prop::collection::vec(value, 1..6), prop::option::of(3..=8_i8))
            .prop_map(|(label, values, counted_by)| Step::Values { label, values, counted_by }),
        1 => Just(Step::Expire),
        1 => (1..4_usize).prop_map(|shards| Step::Load { shards }),
    ]
}

const TTL_MS: u64 = 10_000;

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever expires, returns, and is stored and loaded between: a scraper reads
    /// as many observations as came, each in its bucket.
    #[test]
    fn totals_outlive_series_and_processes(
        steps in prop::collection::vec(step(), 1..30), has_bounds in any::<bool>(),
    ) {
        let mut settings = PipelineSettings {
            native: mode(NativeMode::Both, &[]),
            expiry: ExpirySettings::new(TTL_MS, TTL_MS),
            tombstone_ttl_ms: 1_000_000,
            ..PipelineSettings::default()
        };
        let mut gateway = pipeline(&settings);
        let mut model: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let mut shown = BTreeMap::<usize, bool>::new();
        let bounds = if has_bounds { r#","buckets":[0,1]"# } else { "" };
        for (number, step) in (1..).zip(steps) {
            match step {
                Step::Values { label, values, counted_by } => {
                    let observed = match counted_by {
                        Some(schema) if !has_bounds => whole::fields(&values, schema),
                        Some(_) | None => format!(r#""values":{values:?}{bounds}"#),
                    };
                    let payload = format!(
                        r#"{{"type":3,"name":"h","labels":{{"a":"{label}"}},{observed}}}"#
                    );
                    prop_assert_eq!(gateway.batch(&[payload]), [None]);
                    model.entry(label).or_default().extend(values);
                    shown.insert(label, true);
                }
                Step::Expire => {
                    gateway.now = Moment(gateway.now.0 + 2 * TTL_MS);
                    gateway.expire();
                    gateway.tell();
                    shown.clear();
                }
                Step::Load { shards } => {
                    settings.shards = shards;
                    let (stored, at) = (snapshot(&mut gateway, number, true), instants(&gateway));
                    gateway = restored(&settings, &stored, at.run_time);
                }
            }
            let seen = histograms(&mut gateway, "h");
            prop_assert_eq!(seen.len(), shown.len());
            for label in shown.keys() {
                let (seen, values) = (&seen[&label.to_string()], &model[label]);
                let sides = [
                    decoded(&seen.positive_span, &seen.positive_delta),
                    decoded(&seen.negative_span, &seen.negative_delta),
                ];
                // Finer where the first one that a producer has counted was.
                prop_assert!(seen.schema() >= 3);
                let sides = sides.map(|side| eighths(side, seen.schema()));
                let negated: Vec<f64> = values.iter().map(|value| -value).collect();
                prop_assert_eq!(&sides, &[expected(values), expected(&negated)]);
                let zeros = values.iter().filter(|value| **value == 0.0).count() as u64;
                prop_assert_eq!(seen.zero_count(), zeros);
                prop_assert_eq!(seen.sample_count(), values.len() as u64);
                prop_assert_eq!(seen.bucket.len(), if has_bounds { 3 } else { 0 });
            }
        }
    }
}

/// Where it has too many buckets and is old enough it is a new total, with a new
/// beginning, which comes back with it too.
#[test]
fn a_reset_is_told_as_a_new_beginning() {
    let limits = NativeLimits { max_buckets: 4, min_reset_ms: 5000, max_zero_threshold: 0.0 };
    let settings = PipelineSettings {
        native: NativeSettings { limits, ..mode(NativeMode::Both, &[]) },
        created_timestamps: true,
        ..PipelineSettings::default()
    };
    let mut gateway = pipeline(&settings);
    let begin = gateway.unix_now;
    let send = |gateway: &mut Pipeline, values: &str, after: u64| {
        gateway.now = Moment(gateway.now.0 + after * 1000);
        gateway.unix_now += after as f64;
        let payload = format!(r#"{{"type":3,"name":"h","values":{values},"buckets":[2]}}"#);
        assert_eq!(gateway.batch(&[payload]), [None]);
        let seen = only(gateway, "h");
        let created = seen.created_timestamp.map_or(0, |at| at.seconds - begin as i64);
        (seen.sample_count(), seen.sample_sum(), seen.bucket[0].cumulative_count(), created)
    };
    assert_eq!(send(&mut gateway, "[1,2,4,8]", 0), (4, 15.0, 2, 0));
    assert_eq!(send(&mut gateway, "[1,2]", 6), (6, 18.0, 4, 0));
    assert_eq!(send(&mut gateway, "[16,1]", 1), (2, 17.0, 1, 7));
    // Too early again: it is coarser, which it is not for ever.
    assert_eq!(send(&mut gateway, "[32,64,128]", 1), (5, 241.0, 1, 7));
    assert!(only(&mut gateway, "h").schema() < 3);

    let (stored, at) = (snapshot(&mut gateway, 1, true), instants(&gateway));
    let unix_now = gateway.unix_now;
    let mut gateway = restored(&settings, &stored, at.run_time);
    gateway.unix_now = unix_now;
    assert_eq!(send(&mut gateway, "[1]", 3), (6, 242.0, 2, 7));
    assert_eq!(send(&mut gateway, "[1]", 3), (1, 1.0, 1, 14));
    assert_eq!(only(&mut gateway, "h").schema(), 3);
}

/// Who has not seen one is shown it at its start first, which is native too.
#[test]
fn a_new_one_is_shown_at_its_start() {
    let native = mode(NativeMode::Only, &[]);
    let settings = PipelineSettings { native, shards: 1, ..PipelineSettings::default() };
    let mut pipeline = Pipeline::new(&settings);
    let horizon = AckHorizon { record_until: Moment(u64::MAX), ..AckHorizon::default() };
    let context = |seq, last_seen: u64| ScrapeContext {
        seq: ScrapeSeq(seq),
        last_seen: Some(ScrapeSeq(last_seen)),
        horizon,
    };
    assert_eq!(pipeline.messages_for(context(1, 0)), []);
    let samples = [r#""value":2"#.to_owned(), whole::fields(&[2.0], 5)];
    let payloads = ["a", "b"].map(|name| format!(r#"{{"type":3,"name":"{name}","#));
    let payloads: Vec<String> =
        payloads.iter().zip(samples).map(|(name, said)| format!("{name}{said}}}")).collect();
    assert_eq!(pipeline.batch(&payloads), [None; 2]);
    for (context, count, spans) in [(context(2, 1), 0, 0), (context(3, 2), 1, 1)] {
        let shown = pipeline.messages_for(context);
        for (family, schema) in shown.into_iter().zip([3, 5]) {
            let shown = family.metric[0].histogram.clone().expect("a histogram");
            assert_eq!((shown.sample_count(), shown.positive_span.len()), (count, spans));
            assert_eq!((shown.schema, shown.zero_threshold() > 0.0), (Some(schema), true));
        }
    }
}

/// What a series can't take is told as a payload that asks for the same.
#[test]
fn what_is_refused_is_a_payload_again() {
    let refused_by = |whole: &str, payload: &str| {
        let mut pipeline = with(NativeSettings::default());
        let first = r#"{"type":3,"name":"h","value":1.7e308,"factor":1.003,"buckets":B}"#;
        assert_eq!(pipeline.batch(&[first.replace('B', whole)]), [None]);
        assert_eq!(pipeline.batch(&[payload]), [None]);
        pipeline.refused_by_shards().remove(0)
    };
    let value = refused_by("[]", r#"{"type":3,"name":"h","value":1.7e308,"factor":1.003}"#);
    let counts = r#"{"type":3,"name":"h","buckets":[1],"counts":[1],"sum":1.7e308}"#;
    let counts = refused_by("[1]", counts);
    let native = r#"{"type":3,"name":"h","native":{"schema":-1,"zero_threshold":1e-9,"zero_count":1,"positive":{"indexes":[2,4],"counts":[1,5]}},"sum":1.7e308}"#;
    let native = refused_by("[]", native);
    for (refused, schema) in [(value, Some(8)), (counts, None), (native, Some(-1))] {
        let mut pipeline = with(NativeSettings::default());
        assert_eq!(pipeline.batch(&[&refused]), [None], "{refused}");
        assert_eq!(only(&mut pipeline, "h").schema, schema, "{refused}");
    }
}

/// They are charged with what they may come to take.
#[test]
fn a_budget_bounds_their_bytes() {
    let limits = SeriesLimits { max_series_bytes: 100_000, ..SeriesLimits::default() };
    let native = mode(NativeMode::Only, &[]);
    let settings = PipelineSettings { limits, native, shards: 1, ..PipelineSettings::default() };
    let mut pipeline = Pipeline::new(&settings);
    let payload =
        |label| format!(r#"{{"type":3,"name":"h","value":1,"labels":{{"a":"{label}"}}}}"#);
    let verdicts = pipeline.batch(&(0..200).map(payload).collect::<Vec<_>>());
    let taken = verdicts.iter().filter(|verdict| verdict.is_none()).count();
    assert!((10..80).contains(&taken), "{taken} series of some thousand bytes");
    assert!(verdicts[taken..].iter().all(|it| *it == Some(Reason::SeriesBytesLimit)));
    assert!(pipeline.catalog.series_bytes() <= 100_000);
}
