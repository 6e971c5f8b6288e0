//! Properties of what is added to native histograms.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::tests::{START, count_of, finite, limits, plan};
use super::super::{Buckets, NativeLimits};
use super::*;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::{Applied, Unapplied};
use crate::timestamp::Moment;

/// What a producer counts of these values.
fn counted(values: &[f64], schema: i8, zero_threshold: f64) -> NativeCounts {
    let all = one_by_one(values, Schema::new(schema).expect("a schema"), zero_threshold);
    NativeCounts {
        schema: all.schema,
        zero_threshold,
        zero_count: all.zero_count,
        positive: all.positive.iter().collect(),
        negative: all.negative.iter().collect(),
    }
}

/// A histogram with that schema and threshold from the beginning.
fn one_by_one(values: &[f64], schema: Schema, zero_threshold: f64) -> NativeHistogram {
    let plan = plan(schema.number(), limits(u32::MAX));
    let mut native = NativeHistogram { zero_threshold, ..NativeHistogram::new(&plan, START) };
    assert_eq!(native.observe_all(values, &plan, false), Ok(()));
    native
}

/// Values, and how a producer counts them.
type Part = (Vec<f64>, i8, f64);

fn part(threshold: impl Strategy<Value = f64> + 'static) -> impl Strategy<Value = Part> {
    (vec(finite(), 0..60), -4_i8..=8, threshold)
}

fn parts(threshold: impl Strategy<Value = f64> + 'static) -> impl Strategy<Value = Vec<Part>> {
    vec(part(threshold), 1..8)
}

/// All parts added to a histogram of that schema, and the values of all of them.
fn added(parts: &[Part], schema: i8, limits: NativeLimits) -> (NativeHistogram, Vec<f64>) {
    let plan = plan(schema, limits);
    let mut native = NativeHistogram::new(&plan, START);
    for (values, schema, threshold) in parts {
        assert_eq!(native.add(&counted(values, *schema, *threshold), &plan, false), Ok(()));
    }
    (native, parts.iter().flat_map(|(values, ..)| values).copied().collect())
}

proptest! {
    /// Counts of counts are those of all observations, one by one: by the coarsest
    /// schema, each in the bucket in which it would have been.
    #[test]
    fn counts_that_are_added_are_those_of_all_observations(
        parts in parts(prop_oneof![Just(0.0), Just(ZERO_THRESHOLD)]), schema in -4_i8..=8,
    ) {
        let (native, all) = added(&parts, schema, limits(u32::MAX));
        let coarsest = parts.iter().map(|(_, schema, _)| *schema).min().expect("some parts");
        let schema = Schema::new(schema.min(coarsest)).expect("a schema");
        prop_assert_eq!(native, one_by_one(&all, schema, ZERO_THRESHOLD));
    }

    /// The same where they differ in what counts as zero. The bucket around zero is
    /// the widest one, up to where a bucket ends.
    #[test]
    fn the_bucket_around_zero_has_all_that_lies_within_it(
        parts in parts(prop_oneof![Just(0.0), 1e-9..1e9_f64, finite().prop_map(f64::abs)]),
        schema in -4_i8..=8,
    ) {
        let (native, all) = added(&parts, schema, limits(u32::MAX));
        let threshold = native.zero_threshold;
        let widest = parts.iter().map(|(.., own)| *own).fold(ZERO_THRESHOLD, f64::max);
        let end = native.schema.upper_bound(native.schema.bucket_of(widest));
        prop_assert!(widest <= threshold && threshold <= end, "{widest} {threshold} {end}");
        let expected = one_by_one(&all, native.schema, threshold);
        prop_assert_eq!(native, expected);
    }

    /// Single values and counts in any order, within the limits.
    #[test]
    fn nothing_is_lost_within_the_limits(
        parts in vec((part(prop_oneof![3 => Just(0.0), 1 => 1e-9..1e9_f64]), any::<bool>()), 1..9),
        schema in -4_i8..=8,
        max_buckets in 1_u32..100,
        max_zero_threshold in prop_oneof![Just(0.0), 1e-6..1e6_f64],
    ) {
        let limits = NativeLimits { max_buckets, max_zero_threshold, min_reset_ms: 0 };
        let plan = plan(schema, limits);
        let layout = BucketLayout::new(&[]).with_native(Some(plan));
        let mut histogram = Histogram::new(&layout, START);
        let mut taken = 0;
        for ((values, schema, threshold), is_whole) in &parts {
            let applied = match is_whole {
                true => {
                    let counts = counted(values, *schema, *threshold);
                    histogram.add_native(&counts, 1.0, &layout, START)
                }
                false => histogram.observe_all(values, &layout, START),
            };
            if applied == Err(Unapplied::NonFinite) {
                continue;
            }
            prop_assert_eq!(applied, Ok(Applied::Added));
            taken += values.len() as u64;
            let native = histogram.native().expect("it is native");
            prop_assert_eq!((count_of(native), histogram.count()), (taken, taken));
            prop_assert!(native.buckets() <= max_buckets as usize || native.schema == Schema::COARSEST);
            prop_assert!(native.buckets() <= plan.most_buckets());
            for side in [native.positive(), native.negative()] {
                let most = side.filled().max(max_buckets as usize + 1) + 8;
                prop_assert!(side.bytes() <= most * Buckets::BYTES_OF_ONE, "{} {most}", side.bytes());
            }
        }
    }
}

/// As many buckets as there can be, of what a stranger sends.
#[test]
fn a_great_many_buckets_leave_no_room_behind() {
    let (first, last) = Schema::FINEST.range();
    let all: Vec<(i32, u64)> = (first..=last).map(|bucket| (bucket, 1)).collect();
    let counts = NativeCounts { positive: all.clone(), negative: all, ..NativeCounts::default() };
    for max_zero_threshold in [0.0, 1e-300, f64::MAX] {
        let limits = NativeLimits { max_zero_threshold, ..NativeLimits::default() };
        let plan = plan(8, limits);
        let mut native = NativeHistogram::new(&plan, START);
        assert_eq!(native.add(&counts, &plan, false), Ok(()));
        assert_eq!(count_of(&native), counts.count());
        assert!(native.buckets() <= 160, "{}", native.buckets());
        let bytes = native.positive.bytes() + native.negative.bytes();
        assert!(bytes <= (160 + 16) * 16, "{bytes}");
    }
}

/// A threshold within a bucket takes in all of it, on either side and whoever has it.
#[test]
fn zero_ends_where_a_bucket_does() {
    let plan = plan(0, limits(160));
    let mut native = NativeHistogram::new(&plan, START);
    assert_eq!(native.observe_all(&[1.5, -3.0, 40.0], &plan, false), Ok(()));
    let of_zero = |zero_threshold, zero_count| NativeCounts {
        zero_threshold,
        zero_count,
        ..NativeCounts::default()
    };
    let mut add = |counts: &NativeCounts| {
        assert_eq!(native.add(counts, &plan, false), Ok(()));
        let filled = |side: &Buckets| side.iter().map(|(at, _)| at).collect::<Vec<_>>();
        let sides = (filled(native.positive()), filled(native.negative()));
        (native.zero_threshold(), native.zero_count(), sides.0, sides.1)
    };
    assert_eq!(add(&of_zero(0.25, 1)), (0.25, 1, vec![1, 6], vec![2]), "no bucket is there");
    assert_eq!(add(&of_zero(1.2, 1)), (2.0, 3, vec![6], vec![2]));
    assert_eq!(add(&of_zero(2.0, 1)), (2.0, 4, vec![6], vec![2]));
    assert_eq!(add(&of_zero(3.5, 0)), (4.0, 5, vec![6], vec![]));
    // Those of the counts are finer: 4 to 4.36 lies beyond, and 3.67 to 4 within.
    let finer = NativeCounts {
        schema: Schema::new(3).expect("a schema"),
        positive: vec![(16, 7), (17, 9)],
        ..NativeCounts::default()
    };
    assert_eq!(add(&finer), (4.0, 12, vec![3, 6], vec![]));
    // And here 4.36 is beyond 4.2, which is within a bucket of either.
    let finer = NativeCounts { zero_threshold: 4.2, positive: vec![(17, 1)], ..finer };
    assert_eq!(add(&finer), (8.0, 22, vec![6], vec![]));
}

/// As where single values are too many buckets; counts that are coarser by themselves
/// are no reason.
#[test]
fn an_old_one_begins_anew_with_counts_too() {
    let limits = NativeLimits { max_buckets: 4, min_reset_ms: 100, max_zero_threshold: 0.0 };
    let layout = BucketLayout::new(&[]).with_native(Some(plan(3, limits)));
    let mut histogram = Histogram::new(&layout, Moment(50));
    let mut add = |schema, values: &[f64], at| {
        let sum = values.iter().sum();
        let counts = counted(values, schema, 0.0);
        let applied = histogram.add_native(&counts, sum, &layout, Moment(at));
        let native = histogram.native().expect("it is native");
        (applied.expect("a finite sum"), histogram.count(), histogram.sum(), native.schema.number())
    };
    use Applied::{Added, BeganAnew};
    assert_eq!(add(3, &[1.0, 2.0, 4.0, 8.0], 60), (Added, 4, 15.0, 3));
    assert_eq!(add(0, &[2.0], 150), (Added, 5, 17.0, 0));
    assert_eq!(add(0, &[2.0], 300), (Added, 6, 19.0, 0), "it is as fine as what comes");
    assert_eq!(add(3, &[2.0], 300), (BeganAnew, 1, 2.0, 3));
    assert_eq!(add(5, &[4.0, 8.0, 16.0, 32.0], 399), (Added, 5, 62.0, -1));
    assert_eq!(add(5, &[1.0, 2.0, 4.0, 8.0, 16.0], 400), (BeganAnew, 5, 31.0, -1));
}

#[test]
fn counts_are_taken_whole_or_not_at_all() {
    let layout = BucketLayout::new(&[]).with_native(Some(plan(3, limits(160))));
    let mut histogram = Histogram::new(&layout, START);
    let mut add = |counts: &NativeCounts, sum| {
        let before = histogram.clone();
        let applied = histogram.add_native(counts, sum, &layout, START);
        assert!(applied.is_ok() || histogram == before, "{applied:?}");
        applied
    };
    let one = counted(&[2.0], 3, 0.0);
    assert_eq!(add(&one, f64::MAX), Ok(Applied::Added));
    assert_eq!(add(&one, f64::MAX), Err(Unapplied::NonFinite));
    let most = NativeCounts { zero_count: u64::MAX >> 9, ..NativeCounts::default() };
    assert_eq!(add(&most, 0.0), Err(Unapplied::NonFinite));
    let most = NativeCounts { zero_count: (u64::MAX >> 9) - 1, ..most };
    assert_eq!(add(&most, 0.0), Ok(Applied::Added));
    assert_eq!(add(&one, 0.0), Err(Unapplied::NonFinite));
}
