//! Properties of native histograms.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::{Applied, Value};

pub(super) const START: Moment = Moment(0);

pub(super) fn plan(schema: i8, limits: NativeLimits) -> NativePlan {
    NativePlan { schema: Schema::new(schema).expect("a schema"), limits }
}

pub(super) fn limits(max_buckets: u32) -> NativeLimits {
    NativeLimits { max_buckets, ..NativeLimits::default() }
}

/// Of no limits.
fn of(values: &[f64], schema: i8) -> NativeHistogram {
    let plan = plan(schema, limits(u32::MAX));
    let mut native = NativeHistogram::new(&plan, START);
    assert_eq!(native.observe_all(values, &plan, false), Ok(()));
    native
}

pub(super) fn count_of(native: &NativeHistogram) -> u64 {
    let sides = native.positive.iter().chain(native.negative.iter());
    native.zero_count + sides.map(|(_, count)| count).sum::<u64>()
}

pub(super) fn finite() -> impl Strategy<Value = f64> {
    let anywhere = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |it| it.is_finite());
    let usual = (-9.0..9.0_f64, any::<bool>()).prop_map(|(power, is_negative)| {
        let magnitude = 10_f64.powf(power);
        if is_negative { -magnitude } else { magnitude }
    });
    let bounds = (-1074..1024_i32).prop_map(|power| f64::exp2(power.into()));
    prop_oneof![3 => usual, 1 => anywhere, 1 => bounds, 1 => Just(0.0)]
}

proptest! {
    #[test]
    fn a_bucket_contains_its_values(value in finite(), number in -4_i8..=8) {
        let magnitude = value.abs();
        prop_assume!(magnitude > 0.0);
        let schema = Schema::new(number).expect("a schema");
        let bucket = schema.bucket_of(magnitude);
        let (lower, upper) = (schema.upper_bound(bucket - 1), schema.upper_bound(bucket));
        // Numbers with fewer digits lie between bounds that are rounded to one.
        let is_above = lower < magnitude || lower == magnitude && magnitude < f64::MIN_POSITIVE;
        prop_assert!(is_above && magnitude <= upper, "{lower} {magnitude} {upper}");
        let (first, last) = schema.range();
        prop_assert!((first..=last).contains(&bucket));
        // By the definition, but where its rounding decides.
        let position = magnitude.log2() * f64::from(number).exp2();
        if (position - position.round()).abs() > 1e-9 * position.abs().max(1.0) {
            prop_assert_eq!(bucket, position.ceil() as i32);
        }
    }

    #[test]
    fn a_factor_is_kept_where_there_is_so_fine_a_schema(factor in 1.0000001..1e30_f64) {
        let schema = Schema::for_factor(factor);
        prop_assert!(schema.factor() <= factor || schema == Schema::FINEST, "{schema:?}");
        if let Some(coarser) = Schema::new(schema.number() - 1) {
            prop_assert!(coarser.factor() > factor * (1.0 - 1e-12), "{schema:?}");
        }
    }

    #[test]
    fn halving_is_as_if_it_had_been_coarser_before(
        values in vec(finite(), 0..200), number in -3_i8..=8,
    ) {
        let mut finer = of(&values, number);
        prop_assert!(finer.halve());
        prop_assert_eq!(finer, of(&values, number - 1));
    }

    #[test]
    fn every_observation_is_counted_within_the_limits(
        values in vec(finite(), 1..300),
        number in -4_i8..=8,
        max_buckets in 1_u32..100,
        max_zero_threshold in prop_oneof![Just(0.0), 1e-6..1e6_f64],
        together in 1_usize..20,
    ) {
        let limits = NativeLimits { max_buckets, max_zero_threshold, min_reset_ms: 0 };
        let plan = plan(number, limits);
        let layout = BucketLayout::new(&[0.0, 1.0]).with_native(Some(plan));
        let mut histogram = Histogram::new(&layout, START);
        let mut taken: Vec<f64> = Vec::new();
        for values in values.chunks(together) {
            match histogram.observe_all(values, &layout, Moment(u64::MAX)) {
                Ok(applied) => {
                    prop_assert_eq!(applied, Applied::Added);
                    taken.extend(values);
                }
                Err(_) => continue,
            }
            let native = histogram.native().expect("no counts came");
            let most = max_buckets as usize;
            prop_assert!(native.buckets() <= most || native.schema == Schema::COARSEST);
            prop_assert!(native.buckets() <= plan.most_buckets());
            prop_assert!(native.zero_threshold <= max_zero_threshold.max(ZERO_THRESHOLD));
            prop_assert_eq!(count_of(native), taken.len() as u64);
            prop_assert_eq!(histogram.count(), taken.len() as u64);
        }
        let native = histogram.native().expect("no counts came");
        let of_zero = taken.iter().filter(|value| value.abs() <= native.zero_threshold).count();
        prop_assert!(native.zero_count <= of_zero as u64, "what widened it lies within it");
        let mut coarse = Histogram::new(&layout, START);
        coarse.observe_all(&taken, &layout, START).expect("they were taken one by one");
        prop_assert_eq!(coarse.native(), histogram.native());
    }

    /// What a query finds lies in the bucket in which the exact quantile lies, whose
    /// bounds are a factor apart.
    #[test]
    fn quantiles_are_within_the_factor(
        mut values in vec(finite(), 1..300), factor in 1.003..16.0_f64, share in 0.0..=1.0_f64,
    ) {
        let schema = Schema::for_factor(factor);
        let native = of(&values, schema.number());
        values.sort_by(f64::total_cmp);
        let rank = ((values.len() as f64 * share).ceil() as usize).max(1);
        let exact = values[rank - 1];
        let (lower, upper) = native.bucket_at_rank(rank as u64);
        prop_assert!(lower <= exact && exact <= upper, "{lower} {exact} {upper}");
        // At the ends of what a double holds bounds are rounded.
        if exact.abs() > f64::MIN_POSITIVE && exact.abs() < f64::MAX / 1e10 && exact.abs() > ZERO_THRESHOLD {
            let (near, far) = (lower.abs().min(upper.abs()), lower.abs().max(upper.abs()));
            prop_assert!(far <= near * factor * (1.0 + 1e-12), "{near} {far} {factor}");
        }
    }
}

#[test]
fn bounds_are_those_of_prometheus() {
    // As its own tests have them: what lies on a bound is below it.
    for (number, value, bucket) in [
        (0, 1.0, 0),
        (0, 1.000001, 1),
        (0, 2.0, 1),
        (3, 1.0, 0),
        (3, 1.1, 2),
        (3, 1.0905077326652577, 1),
        (-1, 4.0, 1),
        (-1, 4.1, 2),
        (-4, 65536.0, 1),
        (-4, 65537.0, 2),
        (8, f64::MAX, 262_144),
        (-4, f64::MAX, 64),
        (8, f64::from_bits(1), -274_944),
        (-4, f64::from_bits(1), -67),
    ] {
        let schema = Schema::new(number).expect("a schema");
        assert_eq!(schema.bucket_of(value), bucket, "{number} {value}");
    }
    let last = |schema: Schema| schema.upper_bound(schema.range().1);
    assert_eq!([Schema::COARSEST, Schema::FINEST].map(last), [f64::MAX; 2]);
    for (factor, number) in [(1.1, 3), (1.0001, 8), (2.0, 0), (4.0, -1), (65536.0, -4), (1e9, -4)] {
        assert_eq!(Schema::for_factor(factor).number(), number, "{factor}");
    }
    assert_eq!(Schema::new(9).or(Schema::new(-5)), None);
}

/// By magnitudes from one on in steps of one bucket, of the default schema.
fn filled(buckets: usize) -> Vec<f64> {
    (0..buckets).map(|bucket| f64::exp2(bucket as f64 / 8.0 - 1.0 / 16.0)).collect()
}

#[test]
fn fifty_buckets_take_less_than_700_bytes() {
    let plan = plan(3, NativeLimits::default());
    let layout = BucketLayout::new(&[]).with_native(Some(plan));
    let mut histogram = Histogram::new(&layout, START);
    histogram.observe_all(&filled(50), &layout, START).expect("a finite sum");
    let native = histogram.native().expect("it is native");
    assert_eq!(native.buckets(), 50);
    let bytes = size_of::<Value>()
        + size_of::<Histogram>()
        + size_of_val(histogram.counts())
        + size_of::<NativeHistogram>()
        + native.positive.bytes()
        + native.negative.bytes();
    assert!(bytes < 700, "{bytes}");
}

/// By default no series passes its limit, whatever comes.
#[test]
fn the_coarsest_has_room_for_every_number() {
    let plan = plan(8, NativeLimits::default());
    assert_eq!(plan.most_buckets(), 160);
    let powers = (-127..1024).map(|power| f64::exp2(power.into()));
    let all: Vec<f64> = powers.flat_map(|value| [value, -value]).collect();
    let mut native = NativeHistogram::new(&plan, START);
    assert_eq!(native.observe_all(&all, &plan, false), Ok(()));
    assert!(native.buckets() <= 160, "{}", native.buckets());
    assert_eq!(count_of(&native), all.len() as u64);
}

#[test]
fn a_count_goes_on_beyond_what_a_small_one_holds() {
    let mut buckets = Buckets::default();
    let far = u64::from(u32::MAX);
    for (bucket, more) in [(3, far), (-7, 1), (3, 2), (9, far + 5), (-7, far)] {
        buckets.add(bucket, more);
    }
    let expected = [(-7, far + 1), (3, far + 2), (9, far + 5)];
    assert_eq!(buckets.iter().collect::<Vec<_>>(), expected);
    buckets.halve();
    assert_eq!(buckets.iter().collect::<Vec<_>>(), [(-3, far + 1), (2, far + 2), (5, far + 5)]);
    let first = |bucket| bucket <= 2;
    let taken = [buckets.take_first(first), buckets.take_first(first)];
    assert_eq!((taken, buckets.filled()), ([2 * far + 3, 0], 1));
}

/// As client_golang has it: with too many buckets it begins anew if it is old enough,
/// and one that was made coarser begins anew once it is.
#[test]
fn an_old_one_begins_anew() {
    let limits = NativeLimits { max_buckets: 4, min_reset_ms: 100, max_zero_threshold: 0.0 };
    let layout = BucketLayout::new(&[1.0]).with_native(Some(plan(3, limits)));
    let mut histogram = Histogram::new(&layout, Moment(50));
    let mut observe = |values: &[f64], at| {
        let applied = histogram.observe_all(values, &layout, Moment(at)).expect("a finite sum");
        let native = histogram.native().expect("it is native");
        assert_eq!(count_of(native), histogram.count());
        (applied, histogram.count(), histogram.sum(), native.schema.number())
    };
    let values = filled(5);
    assert_eq!(observe(&values[..4], 60), (Applied::Added, 4, values[..4].iter().sum(), 3));
    // Too early: coarser instead.
    assert_eq!(observe(&values[4..], 149).3, 2);
    assert_eq!(observe(&[2.0], 149).1, 6);
    assert_eq!(observe(&[2.0], 150), (Applied::BeganAnew, 1, 2.0, 3));
    // It is as fine as it was, and has room: no reason to begin anew.
    assert_eq!(observe(&[2.0], 500), (Applied::Added, 2, 4.0, 3));
    // What comes together is counted whole.
    let sum = values[..4].iter().sum();
    assert_eq!(observe(&values[..4], 500), (Applied::BeganAnew, 4, sum, 3));
    // It would be infinite without what was there before.
    assert_eq!(observe(&[f64::MIN], 500).0, Applied::Added);
    assert_eq!(observe(&[f64::MAX, f64::MAX], 700).0, Applied::Added);
    assert_eq!(observe(&[1.0], 700), (Applied::BeganAnew, 1, 1.0, 3));
}

#[test]
fn zero_is_widened_first() {
    let limits = NativeLimits { max_buckets: 2, min_reset_ms: 0, max_zero_threshold: 2.0 };
    let plan = plan(0, limits);
    let mut native = NativeHistogram::new(&plan, START);
    let mut observe = |value| {
        assert_eq!(native.observe_all(&[value], &plan, false), Ok(()));
        let NativeHistogram { zero_threshold, zero_count, schema, .. } = &native;
        (*zero_threshold, *zero_count, schema.number())
    };
    assert_eq!(observe(0.0), (ZERO_THRESHOLD, 1, 0));
    assert_eq!(observe(1.0), (ZERO_THRESHOLD, 1, 0));
    assert_eq!(observe(-1.0), (ZERO_THRESHOLD, 1, 0));
    assert_eq!(observe(64.0), (1.0, 3, 0), "both sides go");
    assert_eq!(observe(-2.0), (1.0, 3, 0));
    assert_eq!(observe(128.0), (2.0, 4, 0));
    assert_eq!(observe(-4.0), (2.0, 4, -2), "it would be beyond the most");
}

/// Prometheus refuses native buckets that do not have all observations.
#[test]
fn counts_of_a_producer_end_the_native_side() {
    let layout = BucketLayout::new(&[1.0]).with_native(Some(plan(3, limits(160))));
    let mut histogram = Histogram::new(&layout, START);
    histogram.observe(0.5, &layout, START).expect("a finite sum");
    assert_eq!(histogram.add(&[1, 2], 5.0), Ok(()));
    histogram.observe(0.5, &layout, START).expect("a finite sum");
    assert_eq!((histogram.native(), histogram.count(), histogram.sum()), (None, 5, 6.0));
}
