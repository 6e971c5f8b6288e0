//! Regrouping: the states of several gateways, of which each has the metrics of some
//! names, become those of another number of gateways. Pure: what is stored comes in,
//! what is to be stored goes out.
//!
//! Each new state is made as a gateway would make it: the series of its names are
//! restored into a store, out of one old state after the other, and that is written
//! as a snapshot.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, CatalogSettings};
use crate::sharding::{ShardCount, ShardIndex};
use crate::state::{Head, Instants, LoadError, Loading, RunTime, StateError, StoredSegment};
use crate::store::{SharedTombstones, Snapshot, SnapshotOrder, Store, StoreSettings, TombstoneKey};
use crate::timestamp::Moment;

/// Series that are written between two looks whether all are.
const SLICE: usize = 100_000;

/// All that one gateway has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayState {
    /// What belongs to all of its segments.
    pub head: Head,
    /// In any order; those without series may be missing.
    pub segments: Vec<StoredSegment>,
}

/// As the gateways have them that will load what is made.
#[derive(Debug, Clone)]
pub struct RegroupSettings {
    /// What families are made with; its limits are not asked.
    pub catalog: CatalogSettings,
    /// How series are kept.
    pub store: StoreSettings,
}

/// What has become of the states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regrouped {
    /// For each new gateway its own.
    pub states: Vec<GatewayState>,
    /// Series in all of them.
    pub series: usize,
    /// Names of metrics that could not come along, since another metric has them or
    /// they are reserved, and why.
    pub left_out: Vec<(String, String)>,
    /// Old states whose totals of expired series could not come along: they are known
    /// by another key than those of the others.
    pub without_tombstones: usize,
}

/// Why states can't be regrouped: one of them can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegroupError {
    #[error("state {state}: {error}")]
    Load { state: usize, error: LoadError },
    #[error("state {state}: {error}")]
    Series { state: usize, error: StateError },
}

/// Makes `count` states of those that there are; a metric goes to the one that
/// `home_of` says of its name.
///
/// # Errors
/// A state is damaged or of a newer version.
pub fn regroup(
    states: &[GatewayState],
    settings: &RegroupSettings,
    count: usize,
    home_of: impl Fn(&str) -> usize,
) -> Result<Regrouped, RegroupError> {
    let key = common_key(states);
    let has_key = |state: &&GatewayState| state.head.tombstone_key == key;
    let mut regrouped = Regrouped {
        states: Vec::new(),
        series: 0,
        left_out: Vec::new(),
        without_tombstones: states.len() - states.iter().filter(has_key).count(),
    };
    let run_time = states.iter().map(|state| state.head.run_time.0).max().unwrap_or_default();
    let head = Head {
        run_time: RunTime(run_time),
        tombstone_key: key,
        time: states.iter().filter_map(|state| state.head.time).max(),
    };
    for home in 0..count {
        let made = Home::new(settings, key).fill(states, |name| home_of(name) == home)?;
        regrouped.series += made.series;
        regrouped.left_out.extend(made.left_out.iter().cloned());
        regrouped.states.push(GatewayState { head, segments: made.segments(run_time) });
    }
    Ok(regrouped)
}

/// The key that most of the states have.
fn common_key(states: &[GatewayState]) -> [u8; 16] {
    let mut counts: BTreeMap<[u8; 16], usize> = BTreeMap::new();
    for state in states {
        *counts.entry(state.head.tombstone_key).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(key, _)| key).unwrap_or_default()
}

/// One of the new states, in the making.
struct Home {
    catalog: Catalog,
    store: Store,
    key: [u8; 16],
    series: usize,
    left_out: Vec<(String, String)>,
}

/// The clock of the one process in which all of it happens stands still.
const NOW: Moment = Moment(0);

impl Home {
    fn new(settings: &RegroupSettings, key: [u8; 16]) -> Self {
        let tombstones = SharedTombstones::new(settings.store.tombstones, TombstoneKey(key), 1);
        Self {
            catalog: Catalog::new(settings.catalog.clone()),
            store: Store::new(settings.store, tombstones, ShardIndex(0)),
            key,
            series: 0,
            left_out: Vec::new(),
        }
    }

    fn fill(
        mut self,
        states: &[GatewayState],
        has: impl Fn(&str) -> bool,
    ) -> Result<Self, RegroupError> {
        for (state, GatewayState { head, segments }) in states.iter().enumerate() {
            let (count, number) = (states.len() as u64, state as u64);
            let uid = |uid: u64| uid.wrapping_mul(count).wrapping_add(number);
            let loading = Loading::of(segments, &self.catalog, ShardCount::new(1), &has, uid);
            let loading = loading.map_err(|error| RegroupError::Load { state, error })?;
            let refused = loading.left_out.into_iter();
            self.left_out.extend(refused.map(|(name, why)| (name, why.detail.to_string())));
            let at = Instants { now: NOW, run_time: head.run_time };
            let has_key = head.tombstone_key == self.key;
            let segments = loading.shards.into_iter().flatten().collect::<Vec<_>>();
            let restored = self.store.restore_beside(&segments, at, has_key);
            self.series += restored.map_err(|error| RegroupError::Series { state, error })?.series;
        }
        Ok(self)
    }

    fn segments(mut self, run_time: u64) -> Vec<StoredSegment> {
        let taken = Instants { now: NOW, run_time: RunTime(run_time) };
        let order = SnapshotOrder { number: 1, all: true, taken };
        self.store.begin_snapshot(order, ShardCount::new(1));
        loop {
            match self.store.snapshot_some(SLICE) {
                Snapshot::UnderWay => {}
                Snapshot::Done(segments) => return segments,
                Snapshot::None => unreachable!("a snapshot was begun"),
            }
        }
    }
}
