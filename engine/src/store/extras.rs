//! Extras: what few series have, in tables by their slots, so that a series fits
//! into a cache line. Its flags say whether to look.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::created::Created;
use super::exemplars::Exemplars;
use super::tick::Tick;
use super::{Series, SeriesFlags};
use crate::exemplar::SeriesExemplars;
use crate::labels::LabelsAsSent;
use crate::series::Slot;

/// What few series of a shard have.
#[derive(Debug, Default)]
pub(super) struct SeriesExtras {
    /// Labels that are shown in the order in which they were sent.
    pub display: HashMap<Slot, LabelsAsSent, RandomState>,
    /// Times to live that came with samples.
    pub own_ttl: HashMap<Slot, OwnTtl, RandomState>,
    /// When the totals of live series began.
    pub created: Created,
    /// The exemplars of live series.
    pub exemplars: Exemplars,
}

/// A time to live that came with a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnTtl {
    /// 0 is never.
    pub ticks: u32,
    /// The bucket of the expiry queue whose entry counts.
    pub bucket: Tick,
}

impl SeriesExtras {
    /// Those of no series: whether created times are kept, and how many exemplars.
    pub fn new(keeps_created: bool, max_exemplars: usize) -> Self {
        let (created, exemplars) = (Created::new(keeps_created), Exemplars::new(max_exemplars));
        Self { created, exemplars, ..Self::default() }
    }

    /// The exemplars of a series.
    #[inline]
    pub fn exemplars(&self, slot: Slot, flags: SeriesFlags) -> Option<&SeriesExemplars> {
        if flags.has_exemplars() { self.exemplars.get(slot) } else { None }
    }

    /// The time to live that came with a sample of a series, in ticks.
    #[inline]
    pub fn own_ttl(&self, slot: Slot, series: &Series) -> Option<u32> {
        if !series.flags.has_own_ttl() {
            return None;
        }
        self.own_ttl.get(&slot).map(|own| own.ticks)
    }

    /// Forgets what a series had whose slot is freed.
    pub fn remove(&mut self, slot: Slot, flags: SeriesFlags) {
        if flags.has_own_ttl() {
            self.own_ttl.remove(&slot);
        }
        if flags.has_display() {
            self.display.remove(&slot);
        }
    }
}
