//! Default buckets: the layouts that the operator gives to histograms whose
//! samples come without buckets, for all names or by patterns of names.

use super::histogram::BucketLayout;
use crate::name::pattern::NamePattern;

/// Layouts for histograms that bring none. The first pattern that fits a name
/// holds, and where none does the layout for all names.
#[derive(Debug, Clone, Default)]
pub struct DefaultBuckets {
    /// In the order in which they are asked.
    pub by_name: Vec<(NamePattern, BucketLayout)>,
    /// For the names that no pattern fits.
    pub for_others: Option<BucketLayout>,
}

impl DefaultBuckets {
    /// The layout of a histogram of this name, if there is one for it.
    pub fn layout_for(&self, name: &str) -> Option<&BucketLayout> {
        let by_name = self.by_name.iter().find(|(pattern, _)| pattern.matches(name));
        by_name.map(|(_, layout)| layout).or(self.for_others.as_ref())
    }

    /// All layouts.
    pub fn layouts(&self) -> impl Iterator<Item = &BucketLayout> {
        self.by_name.iter().map(|(_, layout)| layout).chain(&self.for_others)
    }
}
