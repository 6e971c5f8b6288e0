//! A counter: a total as a double, and beside it what the double leaves out. A
//! double alone stops at 2^53 to change by steps of 1; a counter that is fed whole
//! numbers stays exact to 2^77. Below 2^53 there is nothing beside it, and adding to
//! it costs what adding to a double costs.

use super::Unapplied;

/// Doubles that are not below it have no fraction, and further on they leave out
/// whole numbers.
pub(super) const FIRST_WITH_REST: f64 = (1_u64 << 53) as f64;

/// Adds a sample, which is not negative, to a total of `sum + rest`, unless it
/// would be no number any more. `sum` is the double nearest to the total, and
/// never falls.
#[inline]
pub fn add(sum: &mut f64, rest: &mut f32, sample: f64) -> Result<(), Unapplied> {
    let total = *sum + sample;
    if total < FIRST_WITH_REST {
        *sum = total;
        return Ok(());
    }
    add_to_large(sum, rest, sample)
}

/// The same with each of `samples`: all of them or none.
pub fn add_all(sum: &mut f64, rest: &mut f32, samples: &[f64]) -> Result<(), Unapplied> {
    let (mut new_sum, mut new_rest) = (*sum, *rest);
    samples.iter().try_for_each(|sample| add(&mut new_sum, &mut new_rest, *sample))?;
    (*sum, *rest) = (new_sum, new_rest);
    Ok(())
}

#[cold]
fn add_to_large(sum: &mut f64, rest: &mut f32, sample: f64) -> Result<(), Unapplied> {
    let (rough, missing) = two_sum(*sum, sample);
    let (new_sum, new_rest) = two_sum(rough, missing + f64::from(*rest));
    // Where the first sum is infinite, what is missing is no number.
    if !new_sum.is_finite() {
        return Err(Unapplied::NonFinite);
    }
    (*sum, *rest) = (new_sum, toward_zero(new_rest));
    Ok(())
}

/// The double nearest to `a + b`, and by how much it is off: Knuth's TwoSum.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// The nearest of the floats that are not further from 0. Another one could be half
/// a step of the sum away from it, and the next sum would round to the other side:
/// a total that fell, which Prometheus takes for a reset.
fn toward_zero(number: f64) -> f32 {
    let nearest = number as f32;
    let is_further = f64::from(nearest).abs() > number.abs();
    f32::from_bits(nearest.to_bits() - u32::from(is_further))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sum and rest after these samples, none of which is refused.
    fn total(samples: impl IntoIterator<Item = f64>) -> (f64, f32) {
        let (mut sum, mut rest) = (0.0, 0.0);
        for sample in samples {
            let before = sum;
            assert_eq!(add(&mut sum, &mut rest, sample), Ok(()), "{sample}");
            assert!(sum >= before, "it fell from {before} to {sum} with {sample}");
        }
        (sum, rest)
    }

    /// What a total is, where it is a whole number.
    fn whole((sum, rest): (f64, f32)) -> u128 {
        (sum as u128).saturating_add_signed(rest as i128)
    }

    #[test]
    fn steps_of_one_count_beyond_two_to_the_53() {
        let large = 9_007_199_254_740_992.0;
        let steps = |count: usize| std::iter::once(large).chain(std::iter::repeat_n(1.0, count));
        for count in [1, 2, 3, 1000] {
            let total = total(steps(count));
            assert_eq!(whole(total), (1 << 53) + count as u128);
            // Which is what is printed: the nearest double.
            assert_eq!(total.0, ((1_u64 << 53) + count as u64) as f64);
        }
    }

    #[test]
    fn a_rest_is_a_number_at_every_size() {
        let (sum, rest) = total([f64::MAX, 1.0, 1e291]);
        assert!(sum == f64::MAX && rest.is_finite());
        let (sum, rest) = total([1e300, 1e283, 5e-324]);
        assert!(sum == 1e300 && rest == f32::MAX, "{sum} {rest}");
        assert_eq!(total([5e-324, 5e-324]), (1e-323, 0.0));
    }

    #[test]
    fn what_would_be_infinite_is_refused_and_changes_nothing() {
        let (mut sum, mut rest) = total([f64::MAX, 1.0]);
        let before = (sum, rest);
        // The second one only rounds to infinity.
        for sample in [f64::MAX, f64::MAX * f64::EPSILON] {
            assert_eq!(add(&mut sum, &mut rest, sample), Err(Unapplied::NonFinite));
            assert_eq!((sum, rest), before);
        }
    }

    /// Whole numbers of any size that a payload may have.
    fn whole_number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0_u32..64).prop_map(|(bits, shift)| (bits >> shift) as f64 as u64 >> 1)
    }

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![
            whole_number().prop_map(|number| number as f64),
            (0_u32..1000).prop_map(|thousandths| f64::from(thousandths) / 1000.0),
            (0.0..1.0, -40_i32..200).prop_map(|(number, power)| number * 2_f64.powi(power)),
            Just(0.0),
        ]
    }

    proptest! {
        #[test]
        fn whole_numbers_add_up(numbers in prop::collection::vec(whole_number(), 0..200)) {
            let samples = numbers.iter().map(|number| *number as f64);
            let exact: u128 = numbers.iter().map(|number| *number as f64 as u128).sum();
            let total = total(samples);
            prop_assert_eq!(whole(total), exact);
            prop_assert_eq!(total.0, exact as f64);
        }

        /// `total` looks whether it falls, after the last of them by nothing.
        #[test]
        fn no_total_falls(numbers in prop::collection::vec(any_number(), 0..200)) {
            let (sum, rest) = total(numbers.iter().copied().chain([0.0, 0.0]));
            prop_assert_eq!(sum + f64::from(rest), sum, "the rest is less than half a step");
            let rough: f64 = numbers.iter().sum();
            prop_assert!((sum - rough).abs() <= rough * 1e-13, "{} for {}", sum, rough);
            prop_assert!(sum >= FIRST_WITH_REST || (sum, rest) == (rough, 0.0));
        }
    }
}
