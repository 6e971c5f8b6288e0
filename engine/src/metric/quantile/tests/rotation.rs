//! What a window of 100 ms in five slots shows at which time.

use super::*;

enum Step {
    /// At a time, a value.
    See(u64, f64),
    /// At a time, minimum, quantile 0.45 and maximum; `NaN` where empty.
    Expect(u64, [f64; 3]),
}
use Step::{Expect, See};

const NONE: [f64; 3] = [f64::NAN; 3];

/// `repeat` copies of each value: 1 for windows that stay exact, more for such
/// as have sketches.
fn check(steps: &[Step]) {
    for estimator in ESTIMATORS {
        for repeat in [1, 700] {
            check_one(steps, estimator, repeat);
        }
    }
}

fn check_one(steps: &[Step], estimator: Estimator, repeat: usize) {
    // 0.45 never falls on the border between two values, where a sketch is
    // free to answer either.
    let plan = plan(&[(0.0, 0.01), (0.45, 0.01), (1.0, 0.01)], estimator);
    let mut window = Window::new(&plan, Moment(1000));
    for step in steps {
        match step {
            See(at, value) => {
                (0..repeat).for_each(|_| window.observe(*value, &plan, Moment(1000 + at)));
            }
            Expect(at, expected) => {
                let got = quantiles(&mut window, &plan, 1000 + at);
                let as_text = |values: &[f64]| format!("{values:?}");
                let context = format!("{estimator:?}, {repeat} of each, at {at}");
                assert_eq!(as_text(&got), as_text(expected), "{context}");
            }
        }
    }
}

#[test]
fn empty_is_nan() {
    check(&[Expect(0, NONE), Expect(5000, NONE), Expect(0, NONE)]);
}

#[test]
fn first_slot_is_seen_for_the_whole_window() {
    check(&[See(0, 7.0), Expect(0, [7.0; 3]), Expect(99, [7.0; 3]), Expect(100, NONE)]);
}

#[test]
fn last_of_a_slot_is_seen_for_one_slot_less() {
    check(&[See(19, 7.0), Expect(99, [7.0; 3]), Expect(100, NONE)]);
}

#[test]
fn slots_expire_one_by_one() {
    check(&[
        See(0, 1.0),
        See(20, 2.0),
        See(40, 3.0),
        See(60, 4.0),
        See(80, 5.0),
        Expect(80, [1.0, 3.0, 5.0]),
        Expect(100, [2.0, 3.0, 5.0]),
        See(100, 6.0),
        Expect(119, [2.0, 4.0, 6.0]),
        Expect(120, [3.0, 4.0, 6.0]),
        Expect(140, [4.0, 5.0, 6.0]),
        Expect(160, [5.0, 5.0, 6.0]),
        Expect(180, [6.0; 3]),
        Expect(200, NONE),
    ]);
}

#[test]
fn slots_without_observations_age_the_others() {
    check(&[
        See(10, 1.0),
        See(70, 9.0),
        Expect(99, [1.0, 1.0, 9.0]),
        Expect(100, [9.0; 3]),
        Expect(159, [9.0; 3]),
        Expect(160, NONE),
    ]);
}

#[test]
fn all_expire_in_a_long_gap() {
    check(&[
        See(0, 1.0),
        See(90, 2.0),
        Expect(1_000_000_007, NONE),
        See(1_000_000_007, 3.0),
        Expect(1_000_000_008, [3.0; 3]),
        Expect(1_000_000_099, [3.0; 3]),
        Expect(1_000_000_100, NONE),
    ]);
}

#[test]
fn an_observation_alone_also_expires_what_is_old() {
    check(&[See(0, 1.0), See(105, 2.0), Expect(105, [2.0; 3]), Expect(199, [2.0; 3])]);
}

#[test]
fn clock_that_goes_back_counts_as_standing() {
    check(&[
        See(50, 1.0),
        See(0, 2.0),
        Expect(0, [1.0, 1.0, 2.0]),
        Expect(139, [1.0, 1.0, 2.0]),
        Expect(140, NONE),
        Expect(50, NONE),
    ]);
}

#[test]
fn nan_has_no_rank() {
    check(&[See(0, f64::NAN), Expect(0, NONE), See(0, 7.0), See(0, f64::NAN), Expect(0, [7.0; 3])]);
}

#[test]
fn extreme_settings_hold() {
    const LATE: u64 = u64::MAX / 2;
    let check = |max_age_ms, age_buckets, expected| {
        let estimator = Estimator::CkmsTargeted;
        let settings = SummarySettings { max_age_ms, age_buckets, estimator };
        let plan = QuantilePlan::new(&[(0.5, 0.05)], settings);
        let mut window = Window::new(&plan, Moment(3));
        window.observe(4.0, &plan, Moment(3));
        assert_eq!(quantiles(&mut window, &plan, 3), [4.0], "{settings:?}");
        window.observe(5.0, &plan, Moment(LATE));
        assert_eq!(quantiles(&mut window, &plan, LATE), [expected], "{settings:?}");
    };
    check(1, 1, 5.0);
    check(1, 5, 5.0);
    check(u64::MAX, 1, 4.0);
    check(u64::MAX, u32::MAX, 4.0);
}

#[test]
fn an_idle_window_gives_its_memory_back() {
    let plan = plan(&[(0.5, 0.05)], Estimator::CkmsTargeted);
    let mut window = Window::new(&plan, Moment(0));
    (0..100_000).for_each(|at| window.observe(1.0, &plan, Moment(at / 1000)));
    assert_eq!(quantiles(&mut window, &plan, 100), [1.0]);
    assert!(quantiles(&mut window, &plan, 500)[0].is_nan());
    assert!(window.allocated_bytes() <= 64, "{} bytes", window.allocated_bytes());
}
