//! Tombstones: a tombstone is what is left of a counter, a histogram or a gauge that
//! is added to when it expired, its total, so that the series goes on from it if it
//! returns: a counter which is seldom touched does not look reset, and what was
//! counted up is there to be counted down.
//!
//! All that is kept of a series' identity is a keyed hash of 128 bits: the key is
//! random, so nobody can make two series that are taken for one. Ten of its bits
//! are given up to say which segment the series belongs to ([`Segment`]), since
//! the tombstone has to find its shard again where it was stored.
//!
//! One takes some 80 bytes, its part of the index included, and that of a
//! histogram what the histogram had taken: its value moves here and back.

use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher13};

mod budget;
mod sweep;
mod table;
mod walk;

pub use budget::TombstoneBudget;
pub use sweep::Sweep;

use super::sets::SegmentSet;
use super::tick::{Tick, ticks_of};
use crate::catalog::{Family, FamilyRef};
use crate::labels::LabelPairs;
use crate::metric::Value;
use crate::sharding::{SEGMENTS, Segment, ShardIndex};
use crate::timestamp::{PackedTime, UnixTime};
use table::{NodeKey, TombstoneTable};
use walk::Walk;

/// The random key of the hashes: 16 bytes that are stored with the state.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TombstoneKey(pub [u8; 16]);

/// How many tombstones are kept, and how long.
#[derive(Debug, Clone, Copy, Default)]
pub struct TombstoneSettings {
    /// How long one is kept, in milliseconds; 0 keeps none.
    pub ttl_ms: u64,
    /// How many there may be, in all shards.
    pub max: usize,
}

/// What the tombstones of all shards have in common.
#[derive(Debug, Clone, Default)]
pub struct SharedTombstones {
    /// The key of the hashes.
    pub key: TombstoneKey,
    /// How many there are and may be.
    pub budget: Arc<TombstoneBudget>,
}

impl SharedTombstones {
    /// Of that many shards, which have none yet.
    pub fn new(settings: TombstoneSettings, key: TombstoneKey, shards: usize) -> Self {
        Self { key, budget: Arc::new(TombstoneBudget::new(settings.max, shards)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TombstoneId(pub [u64; 2]);

impl TombstoneId {
    /// The segment that its series belongs to.
    pub fn segment(self) -> Segment {
        Segment::of(self.0[1])
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        let [low, high] = self.0;
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        let id = u128::from_le_bytes(bytes);
        Self([id as u64, (id >> 64) as u64])
    }
}

/// What makes a series the one that it is, for its tombstone.
#[derive(Debug, Clone, Copy)]
pub struct SeriesIdentity<'a> {
    /// Its family.
    pub family: &'a FamilyRef,
    /// Its labels.
    pub labels: LabelPairs<'a>,
    /// The segment that it belongs to.
    pub segment: Segment,
}

/// What is left of a series that expired.
#[derive(Debug)]
pub struct Tombstone {
    pub id: TombstoneId,
    /// The series' family, which stays in the catalog: so name, type and layout do.
    pub family: FamilyRef,
    /// What the series had come to.
    pub total: Value,
    /// When the series expired.
    pub died: Tick,
    /// When the total began, where that is known.
    pub created: Option<PackedTime>,
}

impl Tombstone {
    fn is_of(&self, family: &Arc<Family>) -> bool {
        Arc::ptr_eq(self.family.family(), family)
    }

    /// A copy, where its family was not removed: then nothing is left of it.
    fn copy(&self) -> Option<Self> {
        let Self { id, ref family, ref total, died, created } = *self;
        if family.is_retired() {
            return None;
        }
        Some(Self { id, family: family.another(), total: total.copy_of_total()?, died, created })
    }
}

/// The tombstones of one shard.
#[derive(Debug, Default)]
pub struct Tombstones {
    settings: TombstoneSettings,
    shared: SharedTombstones,
    shard: ShardIndex,
    table: TombstoneTable,
    evicted: u64,
    /// The segments of those that came and went since they were asked for.
    changed: SegmentSet,
    /// Of a snapshot, while one goes through them.
    walk: Option<Walk>,
}

impl Tombstones {
    /// The tombstones of `shard`; none so far.
    pub fn new(settings: TombstoneSettings, shared: SharedTombstones, shard: ShardIndex) -> Self {
        let mut tombstones = Self::default();
        (tombstones.settings, tombstones.shared, tombstones.shard) = (settings, shared, shard);
        tombstones
    }

    /// For other tombstones in the place of these.
    pub(super) fn shared(&self) -> SharedTombstones {
        self.shared.clone()
    }

    pub(super) fn go_on_counting(&mut self, before: &Self) {
        self.evicted = before.evicted;
    }

    /// Takes over the key of stored tombstones, where there are none yet.
    pub(super) fn set_key(&mut self, key: TombstoneKey) {
        assert!(self.is_empty(), "tombstones under another key can't be found any more");
        self.shared.key = key;
    }

    /// Takes in what was stored, in any order, where there are few or none yet: those
    /// that are still in time, and of these as many as there may be.
    pub(super) fn restore(&mut self, mut stored: Vec<Tombstone>, now: Tick) {
        stored.retain(|tombstone| self.is_in_time(tombstone, now));
        stored.sort_by_key(|tombstone| tombstone.died);
        stored.into_iter().for_each(|tombstone| self.insert(tombstone));
    }

    /// The segments of those that came and went since the last call.
    pub(super) fn take_changed(&mut self) -> SegmentSet {
        std::mem::take(&mut self.changed)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many had to make room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Keeps the total of a series that expires `now`, and when that began.
    pub fn store_total(
        &mut self,
        identity: SeriesIdentity<'_>,
        total: Value,
        created: Option<UnixTime>,
        now: Tick,
    ) {
        if self.settings.ttl_ms > 0 {
            let id = self.id_of(identity);
            let (family, created) = (identity.family.another(), created.map(PackedTime::from));
            self.insert(Tombstone { id, family, total, died: now, created });
        }
    }

    /// Takes out what a series goes on from, where it returns in time.
    pub fn take_total(&mut self, identity: SeriesIdentity<'_>, now: Tick) -> Option<Tombstone> {
        if self.is_empty() {
            return None;
        }
        let key = self.table.find(self.id_of(identity), identity.family.family())?;
        self.remove(key).filter(|tombstone| self.is_in_time(tombstone, now))
    }

    /// Drops at most `budget` tombstones that are too old; true when none is
    /// left. Makes room too, where another shard's tombstones ask for it.
    pub fn expire_some(&mut self, budget: usize, now: Tick) -> bool {
        self.make_room();
        for _ in 0..budget {
            match self.table.oldest() {
                Some((key, oldest)) if !self.is_in_time(oldest, now) => drop(self.remove(key)),
                Some(_) | None => return true,
            }
        }
        false
    }

    /// When the oldest is too old.
    pub fn next_expiry(&self) -> Option<Tick> {
        self.table.oldest().map(|(_, oldest)| self.end_of(oldest))
    }

    fn id_of(&self, SeriesIdentity { family, labels, segment }: SeriesIdentity<'_>) -> TombstoneId {
        let mut hasher = SipHasher13::new_with_key(&self.shared.key.0);
        hasher.write(family.name().as_bytes());
        // No name has this byte.
        hasher.write_u8(0xff);
        hasher.write(labels.as_bytes());
        let hash = hasher.finish128();
        TombstoneId([hash.h1, hash.h2 / SEGMENTS * SEGMENTS + segment.get() as u64])
    }

    /// Takes one in: the newest, whatever its age says. The oldest makes room
    /// where there are too many.
    fn insert(&mut self, tombstone: Tombstone) {
        // Only where what was stored had one twice.
        if let Some(old) = self.table.find(tombstone.id, tombstone.family.family()) {
            self.remove(old);
        }
        self.changed.insert(tombstone.id.segment());
        let key = self.table.insert(tombstone);
        if let Some(walk) = &mut self.walk {
            walk.inserted(key);
        }
        self.shared.budget.add();
        self.publish_oldest();
        self.make_room();
    }

    fn remove(&mut self, key: NodeKey) -> Option<Tombstone> {
        let tombstone = self.take_out(key)?;
        self.shared.budget.give_back();
        Some(tombstone)
    }

    /// Takes one out that is no longer counted.
    fn take_out(&mut self, key: NodeKey) -> Option<Tombstone> {
        let tombstone = self.table.remove(key)?;
        self.changed.insert(tombstone.id.segment());
        if let Some(walk) = &mut self.walk {
            walk.removed(key, &tombstone);
        }
        self.publish_oldest();
        Some(tombstone)
    }

    /// While there are too many in all shards and the oldest of them is here,
    /// it goes. It may lie in another shard, which looks once a second; if that
    /// takes it too long, the oldest of this one goes.
    fn make_room(&mut self) {
        while let Some((oldest, _)) = self.table.oldest()
            && self.shared.budget.takes_back(self.shard)
        {
            self.take_out(oldest);
            self.evicted += 1;
        }
    }

    fn publish_oldest(&self) {
        let oldest = self.table.oldest().map_or(Tick::MAX, |(_, oldest)| oldest.died);
        self.shared.budget.set_oldest(self.shard, oldest);
    }

    fn is_in_time(&self, tombstone: &Tombstone, now: Tick) -> bool {
        self.end_of(tombstone) > now
    }

    fn end_of(&self, tombstone: &Tombstone) -> Tick {
        tombstone.died.after(ticks_of(self.settings.ttl_ms))
    }
}

impl Drop for Tombstones {
    fn drop(&mut self) {
        (0..self.len()).for_each(|_| self.shared.budget.give_back());
        self.shared.budget.set_oldest(self.shard, Tick::MAX);
    }
}

impl std::fmt::Debug for TombstoneKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests;
