//! The buckets of a histogram: those that it brings, the operator's, or none where it
//! is native.

use std::borrow::Cow;

use super::observed::Observed;
use super::{Rules, SampleLists, shown, too_much};
use crate::metric::histogram::{BadBounds, BucketLayout};
use crate::metric::native::{NativeMode, Schema};
use crate::reject::{Reason, Reject};

/// What a histogram says of its buckets besides the bounds.
#[derive(Default)]
pub(super) struct SentLayout {
    /// Whether the bounds are not its own.
    pub(super) is_by_default: bool,
    /// How fine it asks to be.
    pub(super) schema: Option<Schema>,
}

impl SentLayout {
    /// Leaves in `lists` the finite upper bounds to count by, and the counts where
    /// there are some. The name is in `lists` if it got its unit.
    #[inline(always)]
    pub(super) fn of(
        lists: &mut SampleLists,
        (sent, factor): (usize, Option<f64>),
        observed: Observed,
        (name, has_appended): (&str, bool),
        rules: &Rules,
    ) -> Result<Self, Reject> {
        let schema = factor.map(schema_of).transpose()?;
        let SampleLists { buckets, name: appended, .. } = lists;
        let name = if has_appended { appended } else { name };
        if let Observed::Counts { sent: counts, .. } = observed {
            match sent {
                0 => buckets.clear(),
                _ => normalize(buckets, sent, false, name, rules)?,
            }
            normalize_counts(lists, counts, sent == 0)?;
            return Ok(Self { is_by_default: false, schema });
        }
        if let Observed::Native { .. } = observed {
            native_counts(lists, sent)?;
            return Ok(Self { is_by_default: true, schema });
        }
        let mode = rules.native.mode_of(name);
        let needs_none = schema.is_some() || mode != NativeMode::Off;
        normalize(buckets, sent, needs_none, name, rules)?;
        if mode == NativeMode::Only {
            buckets.clear();
        }
        Ok(Self { is_by_default: sent == 0 || mode == NativeMode::Only, schema })
    }
}

/// Leaves in `buckets` the finite upper bounds: those that were sent, or the
/// operator's, or none where it `needs_none`.
fn normalize(
    buckets: &mut Vec<f64>,
    sent: usize,
    needs_none: bool,
    name: &str,
    rules: &Rules,
) -> Result<(), Reject> {
    if sent == 0 {
        let layout = rules.default_buckets.layout_for(name);
        if layout.is_none() && !needs_none {
            return Err(bad_buckets("expected buckets for a histogram, got none"));
        }
        buckets.clear();
        buckets.extend_from_slice(layout.map_or(&[], BucketLayout::bounds));
        return Ok(());
    }
    let most = rules.limits.max_buckets;
    if sent > most {
        return Err(Reject::new(Reason::BadBuckets, too_much("buckets", most, sent)));
    }
    BucketLayout::normalize(buckets).map_err(|bad| match bad {
        BadBounds::NotFinite => {
            bad_buckets("expected finite buckets but for a last +Inf, got another infinite one")
        }
        BadBounds::NotIncreasing => {
            bad_buckets("expected buckets that strictly increase, got some that do not")
        }
    })
}

/// The schema that keeps to a factor.
#[cold]
fn schema_of(factor: f64) -> Result<Schema, Reject> {
    if factor > 1.0 && factor.is_finite() {
        return Ok(Schema::for_factor(factor));
    }
    let detail = format!("expected a factor above 1, got {}", shown(factor));
    Err(Reject::new(Reason::BadBuckets, detail))
}

#[cold]
pub(super) fn bad_buckets(detail: impl Into<Cow<'static, str>>) -> Reject {
    Reject::new(Reason::BadBuckets, detail)
}

/// Whole numbers beyond this are not told apart by a double.
pub(super) const GREATEST_COUNT: f64 = (1_u64 << 53) as f64;

/// Whether a number counts observations.
pub(super) fn is_count(number: f64) -> bool {
    (0.0..=GREATEST_COUNT).contains(&number) && number.fract() == 0.0
}

/// Leaves in `lists` what native buckets have counted, and no bounds of others.
#[cold]
fn native_counts(lists: &mut SampleLists, buckets_sent: usize) -> Result<(), Reject> {
    let SampleLists { buckets, native_sent, native, .. } = lists;
    if buckets_sent > 0 {
        return Err(bad_buckets("expected no buckets beside native, got some"));
    }
    buckets.clear();
    native_sent.normalize(native)
}

/// Leaves in `counts` one for each bucket that was sent, and one for `+Inf`, which a
/// histogram without others has alone.
#[cold]
fn normalize_counts(
    lists: &mut SampleLists,
    sent: usize,
    has_no_buckets: bool,
) -> Result<(), Reject> {
    let buckets = &lists.buckets;
    if has_no_buckets && sent != 1 {
        return Err(bad_buckets("expected the buckets that the counts are of, got none"));
    }
    if sent != buckets.len() && sent != buckets.len() + 1 {
        let expected = format!("expected {0} counts or {1}", buckets.len() + 1, buckets.len());
        let detail = format!("{expected}, for the +Inf bucket may be left out, got {sent}");
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    let buckets = buckets.len() + 1;
    take_counts(lists, buckets)
}

/// Leaves in `counts` the one that a summary has: of all its observations.
#[cold]
pub(super) fn normalize_count(lists: &mut SampleLists, sent: usize) -> Result<(), Reject> {
    if sent != 1 {
        let detail = format!("expected one count on a summary, of all observations, got {sent}");
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    take_counts(lists, 1)
}

/// Leaves in `counts` so many of those that were sent, and zeros where there are fewer.
fn take_counts(lists: &mut SampleLists, most: usize) -> Result<(), Reject> {
    let SampleLists { counts_sent, counts, .. } = lists;
    if let Some(other) = counts_sent.iter().find(|count| !is_count(**count)) {
        let detail = format!("expected whole numbers up to 2^53 as counts, got {}", shown(*other));
        return Err(Reject::new(Reason::BadBuckets, detail));
    }
    fill_counts(counts, counts_sent, most).map_err(|all| {
        let detail = format!("expected counts of up to 2^53 observations, got {all}");
        Reject::new(Reason::BadBuckets, detail)
    })
}

/// Leaves in `counts` those that were sent, and zeros up to `most`. How many all of them
/// are, where that is too many.
fn fill_counts(counts: &mut Vec<u64>, sent: &[f64], most: usize) -> Result<(), u64> {
    counts.clear();
    counts.extend(sent.iter().map(|count| *count as u64));
    counts.resize(most, 0);
    let all = counts.iter().fold(0_u64, |all, count| all.saturating_add(*count));
    if all > GREATEST_COUNT as u64 { Err(all) } else { Ok(()) }
}

/// Leaves in `counts` those of a histogram with so many buckets besides `+Inf`; false
/// where the sample would be refused for them.
pub(crate) fn take_known_counts(counts: &mut Vec<u64>, sent: &[f64], buckets: usize) -> bool {
    let fit = sent.len() == buckets || sent.len() == buckets + 1;
    fit && sent.iter().copied().all(is_count) && fill_counts(counts, sent, buckets + 1).is_ok()
}
