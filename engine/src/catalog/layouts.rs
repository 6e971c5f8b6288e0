//! Layouts: the buckets or objectives that a family's first sample came with,
//! and what others came with instead, so that who runs the producers can tell
//! which of them disagree.

use std::sync::atomic::Ordering;

use super::Family;
use crate::metric::Shape;
use crate::metric::native::{NativeLimits, NativePlan};
use crate::metric::summary::SummarySettings;
use crate::sample::Sample;

impl Family {
    /// How many samples came with another layout or other objectives.
    pub fn layout_mismatches(&self) -> u64 {
        self.counts.layout_mismatches.load(Ordering::Relaxed)
    }

    /// The shape that other samples would have given to the family: of several the
    /// one that was parsed last.
    pub fn other_layout(&self) -> Option<Shape> {
        self.counts.other_layout.lock().clone()
    }

    /// Keeps the layout of a sample that came with another one, and counts it.
    pub(crate) fn note_layout_mismatch(&self, sample: &Sample<'_>) {
        let Sample { kind, buckets, objectives, schema, .. } = *sample;
        let mut kept = self.counts.other_layout.lock();
        // Nearly always the same one again.
        let is_same = |kept: &Shape| {
            kept.agrees(buckets, objectives) && kept.native().map(|plan| plan.schema) == schema
        };
        if !kept.as_ref().is_some_and(is_same) {
            // No series is made of it: only its numbers are shown.
            let plan = schema.map(|schema| NativePlan { schema, limits: NativeLimits::default() });
            let shape = Shape::new(kind, buckets, objectives, SummarySettings::default());
            *kept = Some(shape.with_native(plan));
        }
        drop(kept);
        self.count_layout_mismatch();
    }

    /// Counts one whose layout was met before.
    pub(crate) fn count_layout_mismatch(&self) {
        self.counts.layout_mismatches.fetch_add(1, Ordering::Relaxed);
    }
}
