//! Observations: what one sample may tell a series, a number or several.

use super::native::NativeCounts;

/// How many observations a sample is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observations<'a> {
    /// One, which is its value.
    One,
    /// These values of a histogram or summary, or of a counter whose sum is so large
    /// that it may leave some of them out: at least one, all finite.
    Values(&'a [f64]),
    /// As many as these counts of a histogram say, not cumulative: one for each of
    /// its buckets, and the last for `+Inf`; or as the only one of a summary says. Its
    /// value is their sum.
    Counts(&'a [u64]),
    /// As many as these counts of a native histogram say. Its value is their sum.
    Native(&'a NativeCounts),
}
