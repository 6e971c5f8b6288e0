//! Every answer is within its ε of the exact rank, on every stream.

use proptest::prelude::*;

use super::streams::{Shape, rank_error};
use super::*;

const USUAL: &[(f64, f64)] = &[(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];
const OBJECTIVES: [&[(f64, f64)]; 3] =
    [USUAL, &[(0.5, 0.01)], &[(0.0, 0.01), (0.99, 0.001), (1.0, 0.01)]];

fn assert_within(plan: &QuantilePlan, seen: &[f64], answers: &[f64], context: &str) {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    assert_eq!(answers.len(), plan.objectives().len(), "{context}");
    for ((quantile, epsilon), answer) in plan.objectives().iter().zip(answers) {
        let is_extreme = *quantile == 0.0 || *quantile == 1.0;
        let allowed = if is_extreme { 0.0 } else { epsilon * sorted.len() as f64 };
        let error = rank_error(&sorted, *quantile, *answer);
        assert!(
            error.is_some_and(|error| error as f64 <= allowed),
            "{context}, n {}, φ {quantile}: {answer} is {error:?} ranks off, allowed {allowed}",
            sorted.len()
        );
    }
}

#[test]
fn biased_meets_every_objective() {
    for shape in Shape::ALL {
        for objectives in OBJECTIVES {
            let plan = plan(objectives, Estimator::CkmsBiased);
            let values = shape.values(12_000, 1);
            let mut window = Window::new(&plan, Moment(0));
            for (index, value) in values.iter().enumerate() {
                window.observe(*value, &plan, Moment(0));
                if [1, 10, 513, 3000, 12_000].contains(&(index + 1)) {
                    let answers = quantiles(&mut window, &plan, 0);
                    assert_within(&plan, &values[..=index], &answers, &format!("{shape:?}"));
                }
            }
        }
    }
}

/// The `quantiles` crate as judge of the targeted sketch, and the other way
/// round: on one stream both answer within twice ε of each other.
#[test]
fn estimators_agree() {
    for shape in Shape::ALL {
        let values = shape.values(12_000, 3);
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let [biased, targeted] = ESTIMATORS.map(|estimator| {
            let plan = plan(USUAL, estimator);
            let mut window = Window::new(&plan, Moment(0));
            values.iter().for_each(|value| window.observe(*value, &plan, Moment(0)));
            quantiles(&mut window, &plan, 0)
        });
        for ((_, epsilon), (biased, targeted)) in USUAL.iter().zip(biased.iter().zip(&targeted)) {
            let (low, high) = (biased.min(*targeted), biased.max(*targeted));
            let first_above = sorted.partition_point(|value| *value <= low);
            let first_high = sorted.partition_point(|value| *value < high);
            let apart = first_high.saturating_sub(first_above) as f64;
            let allowed = 2.0 * epsilon * values.len() as f64;
            assert!(apart <= allowed, "{shape:?}: {biased} and {targeted}, allowed {allowed}");
        }
    }
}

/// One reading of a slot: how many values, of what shape, at which height. What
/// is the 99th percentile of the window is another one of each of its slots.
fn readings() -> impl Strategy<Value = Vec<(u64, usize, Shape, f64)>> {
    let shape = prop::sample::select(Shape::ALL.to_vec());
    let height = prop_oneof![Just(0.0), Just(10.0), -1e3..1e3];
    let pause = prop_oneof![4 => 0..30u64, 1 => 30..150u64];
    prop::collection::vec((pause, 0..1200usize, shape, height), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_are_answered_within(readings in readings(), is_biased in prop::bool::weighted(0.2)) {
        let estimator = if is_biased { Estimator::CkmsBiased } else { Estimator::CkmsTargeted };
        let plan = plan(&[(0.0, 0.1), (0.5, 0.05), (0.9, 0.01), (0.99, 0.001)], estimator);
        let mut window = Window::new(&plan, Moment(0));
        let (mut at, mut seen) = (0, Vec::new());
        for (pause, count, shape, height) in readings {
            at += pause;
            for value in shape.values(count, at) {
                window.observe(value + height, &plan, Moment(at));
                seen.push((at / 20, value + height));
            }
            // A slot of 20 ms is read until four more have ended.
            let is_live = |(slot, _): &&(u64, f64)| slot + 5 > at / 20;
            let live: Vec<f64> = seen.iter().filter(is_live).map(|(_, value)| *value).collect();
            let answers = quantiles(&mut window, &plan, at);
            if live.is_empty() {
                prop_assert!(answers.iter().all(|answer| answer.is_nan()), "{answers:?}");
                continue;
            }
            assert_within(&plan, &live, &answers, "window");
            if !is_biased && live.len() <= EXACT {
                let mut sorted = live;
                sorted.sort_unstable_by(f64::total_cmp);
                let exact: Vec<f64> = [0.0, 0.5, 0.9, 0.99]
                    .map(|phi| sorted[rank_of(phi, sorted.len() as u64) as usize - 1])
                    .into();
                prop_assert_eq!(answers, exact);
            }
        }
    }
}

#[test]
fn a_fresh_or_idle_window_costs_less_than_a_kilobyte() {
    let plan = plan(USUAL, Estimator::CkmsTargeted);
    let mut window = Window::new(&plan, Moment(0));
    for slot in 0..5 {
        (0..4).for_each(|value| window.observe(f64::from(value), &plan, Moment(slot * 20)));
    }
    let bytes = size_of::<Window>() + window.allocated_bytes();
    assert!(bytes <= 1024, "{bytes} bytes");
}

#[test]
fn a_busy_window_costs_kilobytes() {
    let plan = plan(USUAL, Estimator::CkmsTargeted);
    for shape in [Shape::Uniform, Shape::Exponential, Shape::Sorted, Shape::Reversed] {
        let mut window = Window::new(&plan, Moment(0));
        for (index, value) in shape.values(150_000, 5).into_iter().enumerate() {
            window.observe(value, &plan, Moment(index as u64 / 1500));
        }
        let bytes = window.allocated_bytes();
        assert!(bytes <= 16 * 1024, "{shape:?}: {bytes} bytes");
    }
}

proptest! {
    #[test]
    fn few_observations_are_exact(
        values in prop::collection::vec(-1e6..1e6f64, 1..=EXACT),
        phis in prop::collection::btree_set(0..=1000u32, 1..6),
        is_biased: bool,
    ) {
        let estimator = if is_biased { Estimator::CkmsBiased } else { Estimator::CkmsTargeted };
        let objectives: Vec<_> = phis.iter().map(|phi| (f64::from(*phi) / 1000.0, 1.0)).collect();
        let plan = plan(&objectives, estimator);
        let mut window = Window::new(&plan, Moment(0));
        values.iter().for_each(|value| window.observe(*value, &plan, Moment(0)));
        let answers = quantiles(&mut window, &plan, 0);
        let mut sorted = values;
        sorted.sort_unstable_by(f64::total_cmp);
        for (phi, answer) in phis.iter().zip(answers) {
            // In whole numbers: the rank is ⌈φ·n⌉, at least 1.
            let rank = (*phi as usize * sorted.len()).div_ceil(1000).max(1);
            prop_assert_eq!(answer, sorted[rank - 1]);
        }
    }
}

/// Values that had to be condensed for the sake of older ones, now expired,
/// are as exact as if they had been alone.
#[test]
fn few_that_are_left_of_many_are_exact() {
    for (expired, left) in [(20, 500), (300, 512), (512, 300), (5000, 40)] {
        let plan = plan(&[(0.25, 0.2), (0.5, 0.05), (0.9, 0.01)], Estimator::CkmsTargeted);
        let mut window = Window::new(&plan, Moment(0));
        let values = Shape::Uniform.values(expired + left, 11);
        values[..expired].iter().for_each(|value| window.observe(*value, &plan, Moment(0)));
        values[expired..].iter().for_each(|value| window.observe(*value, &plan, Moment(20)));
        let mut out = Vec::new();
        let mut sorted = values[expired..].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        push_exact(&sorted, &plan, &mut out);
        assert_eq!(quantiles(&mut window, &plan, 100), out, "{left} left of {expired} more");
    }
}
