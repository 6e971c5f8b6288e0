//! A whole native histogram: what a producer has counted by native buckets.

use super::Schema;

/// Counts of native buckets, to be added to those of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeCounts {
    /// How fine its buckets are.
    pub schema: Schema,
    /// The magnitude up to which values count as zero; finite, at least 0.
    pub zero_threshold: f64,
    /// How many values count as zero.
    pub zero_count: u64,
    /// Indexes of buckets and how many values above zero each has. The indexes rise,
    /// and are those of finite numbers; no count is 0.
    pub positive: Vec<(i32, u64)>,
    /// The same of values below zero, by their magnitudes.
    pub negative: Vec<(i32, u64)>,
}

impl Default for NativeCounts {
    /// Nothing was counted.
    fn default() -> Self {
        Self {
            schema: Schema::FINEST,
            zero_threshold: 0.0,
            zero_count: 0,
            positive: Vec::new(),
            negative: Vec::new(),
        }
    }
}

impl NativeCounts {
    /// How many values were counted.
    pub fn count(&self) -> u64 {
        let sides = self.positive.iter().chain(&self.negative).map(|(_, count)| *count);
        sides.fold(self.zero_count, u64::saturating_add)
    }
}
