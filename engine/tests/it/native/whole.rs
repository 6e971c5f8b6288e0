//! Whole native histograms: that a producer has counted by native buckets is as good as
//! if it had sent what it counted.

use std::collections::BTreeMap;

use psg_engine::metric::native::{NativeMode, NativeSettings, Schema};
use psg_engine::reject::Reason;

use super::{decoded, mode, only, with};

/// The fields of a sample that has counted these values, as a producer writes them.
pub fn fields(values: &[f64], schema: i8) -> String {
    let by = Schema::new(schema).expect("a schema");
    let side = |sign: f64| {
        let mut buckets = BTreeMap::<i32, u64>::new();
        for value in values.iter().map(|value| value * sign).filter(|value| *value > 0.0) {
            *buckets.entry(by.bucket_of(value)).or_default() += 1;
        }
        let (indexes, counts): (Vec<_>, Vec<_>) = buckets.into_iter().unzip();
        format!(r#"{{"indexes":{indexes:?},"counts":{counts:?}}}"#)
    };
    let zeros = values.iter().filter(|value| **value == 0.0).count();
    let (positive, negative, sum) = (side(1.0), side(-1.0), values.iter().sum::<f64>());
    format!(
        r#""native":{{"schema":{schema},"zero_count":{zeros},"positive":{positive},"negative":{negative}}},"sum":{sum:?}"#
    )
}

fn sample(fields: &str) -> String {
    format!(r#"{{"type":3,"name":"h",{fields}}}"#)
}

/// Whatever the operator says: a metric that begins with one is native alone, as fine
/// as it or as the operator has it, and takes values and others.
#[test]
fn a_metric_that_begins_with_one_is_native_alone() {
    for mode_of_all in NativeMode::ALL {
        for (schema, shown) in [(5, 5), (3, 3), (0, 0), (-4, -4)] {
            let mut pipeline = with(mode(mode_of_all, &[]));
            assert_eq!(pipeline.batch(&[sample(&fields(&[3.0, -0.5, 0.0], schema))]), [None]);
            let seen = only(&mut pipeline, "h");
            let expected = (Some(shown), 3, 2.5, 1, 0);
            let of = |seen: &psg_engine::protobuf::Histogram| {
                let (count, sum) = (seen.sample_count(), seen.sample_sum());
                (seen.schema, count, sum, seen.zero_count(), seen.bucket.len())
            };
            assert_eq!(of(&seen), expected, "{mode_of_all:?} {schema}");
            // Others are no finer than the metric, and need not be as fine.
            let values = sample(r#""values":[3,7],"buckets":[1,2]"#);
            let whole = sample(r#""counts":[1,1],"buckets":[1,2],"sum":3"#);
            let verdicts = pipeline.batch(&[&values, &sample(&fields(&[3.0], 8)), &whole]);
            assert_eq!(verdicts, [None, None, Some(Reason::BadBuckets)]);
            let seen = only(&mut pipeline, "h");
            assert_eq!(of(&seen), (Some(shown), 6, 15.5, 1, 0), "{mode_of_all:?} {schema}");
            let by = Schema::new(shown as i8).expect("a schema");
            let mut expected = BTreeMap::<i32, u64>::new();
            for value in [3.0, 3.0, 7.0, 3.0] {
                *expected.entry(by.bucket_of(value)).or_default() += 1;
            }
            assert_eq!(decoded(&seen.positive_span, &seen.positive_delta), expected);
            let below = BTreeMap::from([(by.bucket_of(0.5), 1)]);
            assert_eq!(decoded(&seen.negative_span, &seen.negative_delta), below);
        }
    }
}

/// The first one may have been coarse by chance: the operator's factor is for all.
#[test]
fn a_coarse_first_one_does_not_make_the_metric_coarse() {
    let mut pipeline = with(NativeSettings::default());
    let of = |label: &str, fields: &str| {
        format!(r#"{{"type":3,"name":"h","labels":{{"a":"{label}"}},{fields}}}"#)
    };
    let (coarse, value) = (fields(&[2.0], -2), r#""value":2"#);
    let samples = [of("first", &coarse), of("other", &fields(&[2.0], 6)), of("single", value)];
    assert_eq!(pipeline.batch(&samples), [None, None, Some(Reason::BadBuckets)]);
    let seen = super::histograms(&mut pipeline, "h");
    assert_eq!((seen["first"].schema, seen["other"].schema), (Some(-2), Some(3)));
    assert_eq!(pipeline.layout_mismatches, 0);
}

/// Which classic buckets they are of nobody knows.
#[test]
fn a_metric_with_classic_buckets_takes_none() {
    let value = sample(r#""value":1,"buckets":[1]"#);
    let counts = sample(r#""buckets":[1],"counts":[1],"sum":1"#);
    let both = sample(r#""value":1,"buckets":[1],"factor":1.1"#);
    for first in [value, counts, both] {
        let mut pipeline = with(NativeSettings::default());
        assert_eq!(pipeline.batch(std::slice::from_ref(&first)), [None]);
        let native = sample(&fields(&[1.0], 3));
        assert_eq!(pipeline.batch(&[&native, &first]), [Some(Reason::BadBuckets), None]);
        assert_eq!(only(&mut pipeline, "h").sample_count(), 2, "{first}");
    }
    // And a metric that has yet to come is not reserved by one that is refused.
    let mut pipeline = with(NativeSettings::default());
    let refused = sample(r#""native":{"schema":9},"sum":1"#);
    let taken = sample(r#""value":1,"buckets":[1]"#);
    assert_eq!(pipeline.batch(&[&refused, &taken]), [Some(Reason::BadBuckets), None]);
}

/// As many buckets as a payload may have are made as many as a series may have.
#[test]
fn the_operators_bound_holds_for_them() {
    let values: Vec<f64> = (1..4000).map(|step| f64::exp2(f64::from(step) / 256.0)).collect();
    let mut pipeline = with(NativeSettings::default());
    assert_eq!(pipeline.batch(&[sample(&fields(&values, 8))]), [None]);
    let seen = only(&mut pipeline, "h");
    let buckets = decoded(&seen.positive_span, &seen.positive_delta);
    assert!(buckets.len() <= 160, "{}", buckets.len());
    assert_eq!(buckets.values().sum::<u64>(), 3999);
    assert_eq!((seen.sample_count(), seen.schema), (3999, Some(3)));
}
