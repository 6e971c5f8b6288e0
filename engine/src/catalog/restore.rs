//! Families that come back from a stored state, and the places of their series.

use std::sync::atomic::Ordering;

use super::{Admission, Catalog, Family, FamilyRef};
use crate::metric::Shape;
use crate::metric::histogram::BucketLayout;
use crate::metric::summary::{SummaryPlan, SummarySettings};
use crate::reject::{Reason, Reject};

/// A family as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredFamily {
    /// Its uid in the process that stored it; it keeps it, so that of two that
    /// had one name in turn the newer stays known.
    pub uid: u64,
    /// A valid metric name.
    pub name: Box<str>,
    /// Its help text, not escaped.
    pub help: Box<str>,
    /// What its series are made of.
    pub shape: RestoredShape,
}

/// A [`Shape`] as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub enum RestoredShape {
    /// A number that rises.
    Counter,
    /// A number that is set.
    Gauge,
    /// Upper bounds, strictly increasing and finite.
    Histogram(Box<[f64]>),
    /// Objectives as in [`crate::sample::Sample::objectives`].
    Summary(Box<[(f64, f64)]>),
}

impl Catalog {
    /// The family of a stored one's name: that which lives, where it is the
    /// same, or one that is claimed for it.
    ///
    /// Refuses, as [`Catalog::claim`] does, what another family stands in the
    /// way of.
    pub fn restore(&self, stored: &RestoredFamily) -> Result<FamilyRef, Reject> {
        let family = match self.find(&stored.name) {
            Some(family) => family,
            None => {
                let next = stored.uid.saturating_add(1);
                self.shared.next_uid.fetch_max(next, Ordering::Relaxed);
                let shape = stored.shape.build(self.shared.settings.summary);
                let kind = shape.kind();
                self.claim_anew(&stored.name, kind, usize::MAX, || {
                    self.held_family(stored.uid, &stored.name, &stored.help, shape)
                })?
            }
        };
        if stored.shape.is_of(&family) {
            // A segment may be from before the first help came.
            if family.help().is_empty() && !stored.help.is_empty() {
                family.note_help(&stored.help);
            }
            return Ok(family);
        }
        let detail = format!("{} is another metric now", stored.name);
        Err(Reject::new(Reason::TypeConflict, detail))
    }
}

impl RestoredShape {
    fn build(&self, summary: SummarySettings) -> Shape {
        match self {
            Self::Counter => Shape::Counter,
            Self::Gauge => Shape::Gauge,
            Self::Histogram(bounds) => Shape::Histogram(BucketLayout::new(bounds)),
            Self::Summary(objectives) => Shape::Summary(SummaryPlan::new(objectives, summary)),
        }
    }

    fn is_of(&self, family: &Family) -> bool {
        match (self, family.shape()) {
            (Self::Counter, Shape::Counter) | (Self::Gauge, Shape::Gauge) => true,
            (Self::Histogram(bounds), Shape::Histogram(layout)) => **bounds == *layout.bounds(),
            (Self::Summary(objectives), Shape::Summary(plan)) => **objectives == *plan.objectives(),
            (Self::Counter | Self::Gauge | Self::Histogram(_) | Self::Summary(_), _) => false,
        }
    }
}

impl FamilyRef {
    /// Gives its place back to a series of so many bytes that had one before: live
    /// series are never turned out, so the limits are not asked, though the counts
    /// may then pass them.
    pub fn restore_place(&self, admission: Admission, bytes: usize) {
        match admission {
            Admission::Counted => {
                self.counts.live_series.fetch_add(1, Ordering::Relaxed);
                if let Some(shared) = self.home.upgrade() {
                    shared.live_series.fetch_add(1, Ordering::Relaxed);
                    shared.series_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
            }
            Admission::Overflow => {}
        }
    }
}
