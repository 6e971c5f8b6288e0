//! Schemas: how fine the buckets of a native histogram are.

use super::bounds::BOUNDS;

/// The resolution: a power of two is divided into 2^n buckets, or 2^-n powers of two
/// are one, where n is the number of the schema. Each bound is one of all finer ones too.
///
/// Bucket 0 ends at 1. A bucket has its upper bound, and not its lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schema(i8);

impl Schema {
    /// The coarsest that there is.
    pub const COARSEST: Schema = Schema(-4);
    /// The finest that there is.
    pub const FINEST: Schema = Schema(8);

    /// Each bound is four times the one before it.
    pub(in crate::metric) const POWERS_OF_FOUR: Schema = Schema(-1);

    /// The schema of that number, where there is one.
    pub fn new(number: i8) -> Option<Self> {
        (Self::COARSEST.0..=Self::FINEST.0).contains(&number).then_some(Self(number))
    }

    /// The coarsest in which each bound is at most `factor` times the one before it,
    /// as far as there is one. `factor` is above 1.
    pub fn for_factor(factor: f64) -> Self {
        let mut all = (Self::COARSEST.0..=Self::FINEST.0).map(Self);
        all.find(|schema| schema.factor() <= factor).unwrap_or(Self::FINEST)
    }

    /// Its number.
    pub fn number(self) -> i8 {
        self.0
    }

    /// How many times the bound before it each bound is.
    pub fn factor(self) -> f64 {
        f64::from(-self.0).exp2().exp2()
    }

    /// The next coarser one, in which two buckets are one.
    pub(super) fn halved(self) -> Option<Self> {
        Self::new(self.0 - 1)
    }

    /// The bucket that takes numbers of this magnitude, which is above 0 and finite.
    #[inline]
    pub fn bucket_of(self, magnitude: f64) -> i32 {
        let (fraction, exponent) = split(magnitude);
        if self.0 <= 0 {
            let ends_at_it = exponent - i32::from(fraction == 0.5);
            return (ends_at_it + (1 << -self.0) - 1) >> -self.0;
        }
        ((exponent - 1) << self.0) + self.position_of(fraction)
    }

    /// Which of the bounds from one half on is the first that is not below `fraction`.
    #[inline]
    fn position_of(self, fraction: f64) -> i32 {
        let mut below = 0;
        for bit in (0..self.0).rev() {
            let probe = below | 1 << bit;
            if BOUNDS[probe << (Self::FINEST.0 - self.0)] < fraction {
                below = probe;
            }
        }
        below as i32 + i32::from(fraction > 0.5)
    }

    /// The upper bound of a bucket. That of the last one is the greatest finite number.
    pub fn upper_bound(self, bucket: i32) -> f64 {
        let bound = if self.0 < 0 {
            scale(1.0, bucket << -self.0)
        } else {
            let within = bucket & ((1 << self.0) - 1);
            scale(BOUNDS[(within as usize) << (Self::FINEST.0 - self.0)], (bucket >> self.0) + 1)
        };
        bound.min(f64::MAX)
    }

    /// Which bucket of a coarser schema, or of the same, one of this is part of.
    pub(super) fn bucket_in(self, coarser: Schema, bucket: i32) -> i32 {
        ((bucket - 1) >> (self.0 - coarser.0)) + 1
    }

    /// The buckets that finite numbers fall into: the first and the last.
    pub fn range(self) -> (i32, i32) {
        (self.bucket_of(f64::from_bits(1)), self.bucket_of(f64::MAX))
    }
}

/// A positive number as a fraction, from one half on and below 1, and a power of two.
#[inline]
fn split(number: f64) -> (f64, i32) {
    const EXPONENT: u64 = 0x7ff << 52;
    const HALF: u64 = 1022 << 52;
    let bits = number.to_bits();
    let exponent = (bits >> 52) as i32;
    if exponent == 0 {
        return split_small(number);
    }
    (f64::from_bits(bits & !EXPONENT | HALF), exponent - 1022)
}

/// The same for a number that has fewer digits than others.
#[cold]
fn split_small(number: f64) -> (f64, i32) {
    let (fraction, exponent) = split(number * 2_f64.powi(54));
    (fraction, exponent - 54)
}

/// A fraction times a power of two.
fn scale(fraction: f64, exponent: i32) -> f64 {
    // In one step the power could be beyond what a double holds.
    let half = exponent / 2;
    fraction * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}
