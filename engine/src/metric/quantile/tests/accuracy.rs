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
