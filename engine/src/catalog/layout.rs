//! Layouts: the buckets or objectives that a family's first sample came with,
//! and what others came with instead, so that who runs the producers can tell
//! which of them disagree.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Family;
use crate::metric::Kind;
use crate::metric::Shape;
use crate::sample::Sample;

/// What the series of a histogram or a summary are made by.
#[derive(Debug, Clone, PartialEq)]
pub enum Layout {
    /// The finite upper bounds of buckets, ascending.
    Buckets(Box<[f64]>),
    /// Quantiles, ascending, each with the error that it may have.
    Objectives(Box<[(f64, f64)]>),
}

impl Layout {
    /// That of a sample; `None` for types that have none.
    fn of(sample: &Sample<'_>) -> Option<Self> {
        match sample.kind {
            Kind::Counter | Kind::Gauge => None,
            Kind::Histogram => Some(Layout::Buckets(sample.buckets.into())),
            Kind::Summary => Some(Layout::Objectives(sample.objectives.into())),
        }
    }

    fn is_of(&self, sample: &Sample<'_>) -> bool {
        match self {
            Layout::Buckets(bounds) => **bounds == *sample.buckets,
            Layout::Objectives(objectives) => **objectives == *sample.objectives,
        }
    }
}

impl Family {
    /// That of its first sample, which all others are aggregated into.
    pub fn layout(&self) -> Option<Layout> {
        match self.shape() {
            Shape::Counter | Shape::Gauge => None,
            Shape::Histogram(layout) => Some(Layout::Buckets(layout.bounds().into())),
            Shape::Summary(plan) => Some(Layout::Objectives(plan.objectives().into())),
        }
    }

    /// Whether `sample`, of this family's type, came with its bucket layout or
    /// objectives; if not, it is still aggregated into them.
    pub fn has_layout_of(&self, sample: &Sample<'_>) -> bool {
        match self.shape() {
            Shape::Counter | Shape::Gauge => true,
            Shape::Histogram(layout) => layout.bounds() == sample.buckets,
            Shape::Summary(plan) => plan.objectives() == sample.objectives,
        }
    }

    /// How many samples came with another layout or other objectives.
    pub fn layout_mismatches(&self) -> u64 {
        self.counts.layout_mismatches.load(Ordering::Relaxed)
    }

    /// Another layout that samples came with: of several the one that was parsed
    /// last.
    pub fn other_layout(&self) -> Option<Layout> {
        self.counts.other_layout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the layout of a sample that came with another one, and counts it.
    pub(crate) fn note_layout_mismatch(&self, sample: &Sample<'_>) {
        let mut kept = self.counts.other_layout.lock().unwrap_or_else(PoisonError::into_inner);
        // Nearly always the same one again.
        if !kept.as_ref().is_some_and(|kept| kept.is_of(sample)) {
            *kept = Layout::of(sample);
        }
        drop(kept);
        self.count_layout_mismatch();
    }

    /// Counts one whose layout was met before.
    pub(crate) fn count_layout_mismatch(&self) {
        self.counts.layout_mismatches.fetch_add(1, Ordering::Relaxed);
    }
}
