//! Retirement: a name is taken from its family while the family still has
//! references, because an operator wants it gone.
//!
//! The name is free at once. What still refers to the family finds out:
//! readers compare [`Catalog::retirements`] once a batch, shards ask
//! [`Family::is_retired`] where a series would be shown, and are told to drop
//! what they show.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Catalog, Family, release_names};

impl Catalog {
    /// Takes `name` from the family that has it, and returns that family.
    pub fn retire(&self, name: &str) -> Option<Arc<Family>> {
        let mut printed = self.inner.printed.lock();
        let (_, family) = self.inner.families.remove(name)?;
        release_names(&mut printed, &family);
        if family.counts.refs.load(Ordering::Acquire) == 0 {
            return None;
        }
        family.counts.retired.store(true, Ordering::Release);
        self.inner.retirements.fetch_add(1, Ordering::Release);
        Some(family)
    }

    /// How many families were retired so far. A reader that sees another
    /// number than before has to look which of its series are concerned.
    #[inline]
    pub(crate) fn retirements(&self) -> u64 {
        self.inner.retirements.load(Ordering::Acquire)
    }
}

impl Family {
    /// Whether its name was taken from it: its series are not shown any more,
    /// and values for them are thrown away.
    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        self.counts.retired.load(Ordering::Acquire)
    }
}
