//! Tests of the whole estimator: windows against exact ranks.

mod accuracy;
mod rotation;
pub mod streams;

use super::*;
use crate::timestamp::Moment;

const ESTIMATORS: [Estimator; 2] = [Estimator::CkmsBiased, Estimator::CkmsTargeted];

/// A window of 100 ms in five slots of 20 ms.
fn plan(objectives: &[(f64, f64)], estimator: Estimator) -> QuantilePlan {
    let settings = SummarySettings { max_age_ms: 100, age_buckets: 5, estimator };
    QuantilePlan::new(objectives, settings)
}

fn quantiles(window: &mut Window, plan: &QuantilePlan, at: u64) -> Vec<f64> {
    let mut out = Vec::new();
    window.push_quantiles(plan, Moment(at), &mut out);
    out
}

#[test]
fn rank_is_the_ceiling_of_the_product() {
    let check = |quantile, count, expected| {
        assert_eq!(rank_of(quantile, count), expected, "φ {quantile} of {count}");
    };
    check(0.0, 10, 1);
    check(1.0, 10, 10);
    check(0.99, 10, 10);
    check(0.9, 10, 9);
    check(0.5, 1, 1);
    check(0.5, 3, 2);
    check(0.07, 100, 7);
    check(0.99, 100, 99);
    check(0.999, 1_000_000, 999_000);
    check(0.5, 0, 1);
    check(1e-300, 5, 1);
}
