//! What the numbers of a data point come to.

use super::refusal::Refusal;

/// The sum of so many observations.
pub fn sum_of(sum: Option<f64>, count: u64) -> Result<f64, Refusal> {
    sum.or((count == 0).then_some(0.0)).ok_or(Refusal::NoSum)
}

/// Whether the counts are all that there is.
pub fn add_up_to<'c>(all: u64, counts: impl IntoIterator<Item = &'c u64>) -> bool {
    let sum = counts.into_iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    sum == Some(all)
}

/// Unix seconds; none where there is no time.
pub fn seconds(nanoseconds: u64) -> Option<f64> {
    (nanoseconds > 0).then_some(nanoseconds as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_observations_have_a_sum_of_zero() {
        assert_eq!(sum_of(None, 0), Ok(0.0));
        assert_eq!(sum_of(None, 1), Err(Refusal::NoSum));
        assert_eq!(sum_of(Some(2.5), 1), Ok(2.5));
    }

    #[test]
    fn counts_that_overflow_add_up_to_nothing() {
        assert!(add_up_to(3, &[1, 0, 2]) && add_up_to(0, &[]));
        assert!(!add_up_to(3, &[1, 1]) && !add_up_to(0, &[u64::MAX, 1]));
    }
}
