//! Loading: all families of a state are claimed before the first of its series
//! comes back.
//!
//! Shards answer a snapshot one after another, and with several readers a name
//! may have changed hands in between. So families are claimed from the newest
//! to the oldest; what an older one then has in its way is left out.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{OpenSegment, StateError, StoredSegment};
use crate::catalog::{Catalog, FamilyRef};
use crate::record::FamilyRecord;
use crate::reject::Reject;
use crate::sharding::{Segment, ShardCount};

/// A state that is ready to go to the shards. While it exists, its families stay.
#[derive(Debug)]
pub struct Loading {
    /// For each shard, in shard order, its segments.
    pub shards: Vec<Vec<Claimed>>,
    /// The names of families that are another metric's, and why they are left out.
    pub left_out: Vec<(String, Reject)>,
}

/// A stored segment whose families are held.
#[derive(Debug)]
pub struct Claimed {
    pub(crate) segment: OpenSegment,
    /// By position; `None` for one that is left out.
    families: Vec<Option<FamilyRef>>,
}

/// A state can't be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("segment {number}: {error}", number = segment.get())]
pub struct LoadError {
    /// The segment that can't be read.
    pub segment: Segment,
    /// What is wrong with it.
    #[source]
    pub error: StateError,
}

impl Loading {
    /// Opens stored segments and claims their families in `catalog`.
    pub fn new(
        stored: &[StoredSegment],
        catalog: &Catalog,
        shards: ShardCount,
    ) -> Result<Self, LoadError> {
        Self::of(stored, catalog, shards, |_| true, |uid| uid)
    }

    /// The same, of the families whose names are `wanted`, and which get another
    /// `uid`: those of two processes may have the same.
    pub(crate) fn of(
        stored: &[StoredSegment],
        catalog: &Catalog,
        shards: ShardCount,
        wanted: impl Fn(&str) -> bool,
        uid: impl Fn(u64) -> u64,
    ) -> Result<Self, LoadError> {
        let open = |stored: &StoredSegment| {
            OpenSegment::open(stored).map_err(|error| LoadError { segment: stored.segment, error })
        };
        let mut opened: Vec<OpenSegment> = stored.iter().map(open).collect::<Result<_, _>>()?;
        opened.iter_mut().for_each(|segment| segment.renumber_families(&uid));
        let (claims, left_out) = claim_all(&opened, catalog, wanted);
        let families: Vec<_> = opened.iter().map(|segment| held(segment, &claims)).collect();
        drop(claims);
        let mut by_shard: Vec<Vec<Claimed>> = Vec::new();
        by_shard.resize_with(shards.get(), Vec::new);
        for (segment, families) in opened.into_iter().zip(families) {
            let owner = shards.owner_of_segment(segment.segment());
            by_shard[owner.get()].push(Claimed { segment, families });
        }
        Ok(Self { shards: by_shard, left_out })
    }

    /// Totals may be lower than what was shown of them: it is no longer said when
    /// they began, since that would say that they never fell.
    #[must_use]
    pub fn without_created(mut self) -> Self {
        for claimed in self.shards.iter_mut().flatten() {
            claimed.segment.forget_created();
        }
        self
    }
}

impl Claimed {
    pub(crate) fn family(&self, position: u32) -> Option<FamilyRef> {
        let held = self.families.get(position as usize)?.as_ref()?;
        FamilyRef::from_cached(held.family())
    }
}

/// Families by what they were in the process that stored them.
type ClaimedFamilies<'a> = HashMap<(u64, &'a str), FamilyRef>;

fn held(segment: &OpenSegment, claims: &ClaimedFamilies<'_>) -> Vec<Option<FamilyRef>> {
    let held = |family: &FamilyRecord<'_>| {
        let claim = claims.get(&(family.uid, &*family.name))?;
        FamilyRef::from_cached(claim.family())
    };
    segment.families().iter().map(held).collect()
}

fn claim_all<'a>(
    opened: &'a [OpenSegment],
    catalog: &Catalog,
    wanted: impl Fn(&str) -> bool,
) -> (ClaimedFamilies<'a>, Vec<(String, Reject)>) {
    let mut families: Vec<&FamilyRecord<'_>> =
        opened.iter().flat_map(OpenSegment::families).collect();
    families.retain(|family| wanted(&family.name));
    families.sort_by_key(|family| (Reverse(family.uid), &family.name));
    families.dedup();
    let (mut claims, mut left_out) = (ClaimedFamilies::new(), Vec::new());
    for family in families {
        match catalog.restore(family) {
            Ok(held) => drop(claims.insert((family.uid, &*family.name), held)),
            Err(refused) => left_out.push((family.name.to_string(), refused)),
        }
    }
    (claims, left_out)
}
