//! Families that come back from a stored state, and the places of their series.

use std::sync::atomic::Ordering;

use super::{Admission, Catalog, CatalogSettings, FamilyRef};
use crate::metric::Shape;
use crate::record::FamilyRecord;
use crate::reject::{Reason, Reject};

impl Catalog {
    /// The family of a stored one's name: that which lives, where it is the
    /// same, or one that is claimed for it.
    ///
    /// Refuses, as [`Catalog::claim`] does, what another family stands in the
    /// way of.
    pub(crate) fn restore(&self, stored: &FamilyRecord<'_>) -> Result<FamilyRef, Reject> {
        let FamilyRecord { uid, name, help, unit, .. } = stored;
        let CatalogSettings { summary, native, .. } = &self.inner.settings;
        let shape = Shape::from_record(&stored.shape, *summary, native.limits);
        let family = match self.find(name) {
            Some(family) => family,
            None => {
                self.inner.next_uid.fetch_max(uid.saturating_add(1), Ordering::Relaxed);
                self.claim_free(name, (name, shape.kind()), usize::MAX, || {
                    self.held_family(*uid, name, help, shape.clone())
                })?
            }
        };
        if *family.shape() != shape {
            let detail = format!("{name} is another metric now");
            return Err(Reject::new(Reason::TypeConflict, detail));
        }
        // A segment may be from before the first of them came.
        family.note_texts(help, unit);
        Ok(family)
    }
}

impl FamilyRef {
    /// Gives its place back to a series of that many bytes that had one before: live
    /// series are never turned out, so the limits are not asked, though the counts
    /// may then pass them.
    pub(crate) fn restore_place(&self, admission: Admission, bytes: usize) {
        match admission {
            Admission::Counted => {
                self.counts.live_series.fetch_add(1, Ordering::Relaxed);
                if let Some(inner) = self.home.upgrade() {
                    inner.live_series.fetch_add(1, Ordering::Relaxed);
                    inner.series_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
            }
            Admission::Overflow => {}
        }
    }
}
