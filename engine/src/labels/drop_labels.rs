//! Labels that are taken off every sample before anything else looks at it.

use std::sync::Arc;

/// The names of labels that are taken off every sample before it is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropLabels {
    /// Sorted.
    names: Arc<[Box<str>]>,
}

impl DropLabels {
    /// Drops labels of these names.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        names.sort_unstable();
        Self { names: names.into() }
    }

    /// Whether it drops none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a label of this name is dropped.
    pub fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|dropped| (**dropped).cmp(name)).is_ok()
    }
}
