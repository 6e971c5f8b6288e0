//! A filter: which families a scrape shows, and which share of their series, so
//! that several scrapers can divide a large gateway.

use crate::catalog::Family;
use crate::exposition::shown_names;
use crate::sharding::{SEGMENTS, Segment};

/// How many shares the series may be divided into: beyond that they are of too
/// unequal size, since a share is made of whole segments.
pub const MAX_SHARES: usize = 64;

const _: () = assert!(MAX_SHARES as u64 * 16 <= SEGMENTS);

/// What a scrape shows of all there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// Families that show one of these names; sorted. `None` is all.
    names: Option<Vec<String>>,
    share: Option<SeriesShare>,
}

/// One of several shares of all series. By the fixed hash of a series, so it is
/// the same in each process, however many shards there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesShare {
    index: usize,
    of: usize,
}

impl SeriesShare {
    /// Share `index`, from 0 on, of `of`; `None` if there is no such share.
    pub fn new(index: usize, of: usize) -> Option<Self> {
        (index < of && of <= MAX_SHARES).then_some(Self { index, of })
    }

    fn has(self, segment: Segment) -> bool {
        segment.get() % self.of == self.index
    }
}

impl Filter {
    /// What shows one of `names`, if there are any, of `share`.
    pub fn new(mut names: Vec<String>, share: Option<SeriesShare>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { names: (!names.is_empty()).then_some(names), share }
    }

    /// Whether series of `family` may be shown.
    pub fn has_family(&self, family: &Family) -> bool {
        let Some(names) = &self.names else { return true };
        shown_names(family)
            .any(|name| names.binary_search_by(|other| other.as_str().cmp(&name)).is_ok())
    }

    /// Whether series of that segment may be shown.
    pub(super) fn has_segment(&self, segment: Segment) -> bool {
        self.share.is_none_or(|share| share.has(segment))
    }

    /// Whether it is the share that shows what belongs to no series of producers.
    pub fn has_own_metrics(&self) -> bool {
        self.share.is_none_or(|share| share.index == 0)
    }
}
