//! Whole histograms: buckets that count all below them too, as every exposition has
//! them, become counts of each bucket alone.

/// Whole numbers beyond this are not told apart by a double.
const GREATEST_COUNT: f64 = (1_u64 << 53) as f64;

/// What a histogram has counted.
#[derive(Debug, PartialEq)]
pub(super) struct Counted {
    /// Finite upper bounds, which rise.
    pub(super) bounds: Vec<f64>,
    /// Of each bucket alone; the last is that of `+Inf`.
    pub(super) counts: Vec<u64>,
}

/// The counts of buckets that are given by upper bound and count, in any order; `count`
/// is that of all observations where it is told.
pub(super) fn counted(mut buckets: Vec<(f64, u64)>, count: Option<u64>) -> Result<Counted, String> {
    buckets.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    if let Some(twice) = buckets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("expected each le once, got {} twice", twice[0].0));
    }
    let is_last = |bucket: &mut (f64, u64)| bucket.0 == f64::INFINITY;
    let last = buckets.pop_if(is_last).map(|(_, count)| count);
    let all = match (last, count) {
        (Some(last), Some(count)) if last != count => {
            return Err(format!(
                "expected as many in the bucket of +Inf as in all, {count}, got {last}"
            ));
        }
        (last, count) => {
            last.or(count).ok_or("expected a count, or a bucket of +Inf, got neither")?
        }
    };
    if let Some((bound, _)) = buckets.iter().find(|(bound, _)| !bound.is_finite()) {
        return Err(format!("expected a finite bound, or +Inf, as le, got {bound}"));
    }
    let mut below = 0;
    let mut counts = Vec::with_capacity(buckets.len() + 1);
    for (bound, count) in buckets.iter().copied().chain([(f64::INFINITY, all)]) {
        let alone = count.checked_sub(below).ok_or_else(|| {
            format!("expected buckets that count what is below them, got {count} for le {bound} and {below} before it")
        })?;
        counts.push(alone);
        below = count;
    }
    Ok(Counted { bounds: buckets.into_iter().map(|(bound, _)| bound).collect(), counts })
}

/// A count that is written as a double.
pub(super) fn whole(count: f64) -> Result<u64, String> {
    match count.fract() == 0.0 && (0.0..=GREATEST_COUNT).contains(&count) {
        true => Ok(count as u64),
        false => Err(format!("expected a whole number up to 2^53 as a count, got {count}")),
    }
}

/// A sum of observations.
pub(super) fn sum(sum: Option<f64>) -> Result<f64, String> {
    let sum = sum.ok_or("expected a sum, got none")?;
    if sum.is_finite() { Ok(sum) } else { Err(format!("expected a finite sum, got {sum}")) }
}
