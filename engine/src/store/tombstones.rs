//! Tombstones: the totals of counters and histograms that expired.
//!
//! A series that returns goes on from its old total, so that a counter which is
//! seldom touched does not look reset. All that is kept of its identity is a
//! keyed hash of 128 bits: the key is random, so nobody can make two series
//! that are taken for one. Ten of its bits are given up to say which segment
//! the series belongs to ([`Segment`]), since the tombstone
//! has to find its shard again where it was stored.
//!
//! One takes 48 bytes, its part of the index included; a histogram's 8 bytes
//! more for its sum, and 8 for each bucket; each of them 8 more where it is kept
//! when its total began. The pages that they lie in are never
//! copied into larger ones, so no room is held in reserve but in the last page
//! of a kind.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use siphasher::sip128::{Hasher128, SipHasher13};

mod budget;
mod families;
mod heads;
mod index;
mod rows;
mod sweep;
mod walk;

pub use budget::TombstoneBudget;
pub use sweep::Sweep;

use super::changes::SegmentSet;
use super::created::Created;
use super::wheel::{Tick, ticks_of};
use crate::catalog::{Family, FamilyRef};
use crate::labels::LabelPairs;
use crate::metric::Value;
use crate::metric::histogram::Histogram;
use crate::sharding::{SEGMENTS, Segment, ShardIndex, series_hash};
use crate::timestamp::UnixTime;
use families::{Families, FamilyNumber};
use heads::{Head, Heads};
use index::Index;
use rows::Rows;
use walk::Walk;

/// Bytes of a page, about.
const PAGE_BYTES: usize = 64 * 1024;

/// The random key of the hashes: 16 bytes that are stored with the state.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TombstoneKey(pub [u8; 16]);

/// What the tombstones of all shards have in common.
#[derive(Debug, Clone, Default)]
pub struct TombstoneSettings {
    /// How long one is kept, in milliseconds; 0 keeps none.
    pub ttl_ms: u64,
    /// The key of the hashes.
    pub key: TombstoneKey,
    /// How many there may be, in all shards.
    pub budget: Arc<TombstoneBudget>,
}

/// Which series a tombstone is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TombstoneId(pub [u64; 2]);

impl TombstoneId {
    /// The segment that its series belongs to.
    pub fn segment(self) -> Segment {
        Segment::of(self.0[1])
    }
}

/// A tombstone, as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Tombstone<'a> {
    /// Which series it is of.
    pub id: TombstoneId,
    /// The series' family.
    pub family: &'a FamilyRef,
    /// When the series expired.
    pub died: Tick,
    /// What it had come to.
    pub total: Total<'a>,
    /// When that began, where it is known.
    pub created: Option<UnixTime>,
}

/// What a series goes on from.
#[derive(Debug)]
pub struct Exhumed {
    /// Its old total.
    pub total: Value,
    /// When that began, where it is known.
    pub created: Option<UnixTime>,
}

/// What a series had come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Total<'a> {
    /// A counter's total.
    Counter(f64),
    /// A histogram's.
    Histogram {
        /// The sum of all observations.
        sum: f64,
        /// One for each bucket, not cumulative, `+Inf` last.
        counts: &'a [u64],
    },
}

/// The tombstones of one shard.
#[derive(Debug, Default)]
pub struct Tombstones {
    settings: TombstoneSettings,
    ttl: u32,
    shard: ShardIndex,
    heads: Heads,
    index: Index,
    families: Families,
    /// The figures of histograms, by the number of their buckets.
    rows: HashMap<usize, Rows, RandomState>,
    /// When the totals began, by the number of the head.
    created: Created,
    evicted: u64,
    /// The segments of those that came and went since they were asked for.
    changed: SegmentSet,
    /// Of a snapshot, while one goes through them.
    walk: Option<Walk>,
}

impl Tombstones {
    /// The tombstones of `shard`; none so far.
    pub fn new(settings: TombstoneSettings, shard: ShardIndex) -> Self {
        let mut tombstones = Self::default();
        tombstones.ttl = ticks_of(settings.ttl_ms);
        tombstones.settings = settings;
        tombstones.shard = shard;
        tombstones
    }

    /// Whether it is kept when totals began: 8 bytes more for each.
    #[must_use]
    pub fn with_created(mut self, is_kept: bool) -> Self {
        self.created = Created::new(is_kept);
        self
    }

    /// What is counted goes on from there.
    pub(super) fn go_on_counting(&mut self, before: &Self) {
        self.evicted = before.evicted;
    }

    /// Takes over the key of stored tombstones, where there are none yet.
    pub fn set_key(&mut self, key: TombstoneKey) {
        assert!(self.is_empty(), "tombstones under another key can't be found any more");
        self.settings.key = key;
    }

    /// Takes in what was stored, in any order, where there are none yet: those
    /// that are still in time, and of these as many as there may be.
    pub fn restore(&mut self, mut stored: Vec<Tombstone<'_>>, now: Tick) {
        stored.retain(|tombstone| tombstone.died.after(self.ttl) > now);
        stored.sort_by_key(|tombstone| tombstone.died);
        stored.into_iter().for_each(|tombstone| self.insert(tombstone));
    }

    /// The segments of those that came and went since the last call.
    pub(super) fn take_changed(&mut self) -> SegmentSet {
        std::mem::take(&mut self.changed)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.heads.oldest().is_none()
    }

    /// How many had to make room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The id of a series' tombstone.
    pub fn id_of(&self, family: &Family, labels: LabelPairs<'_>) -> TombstoneId {
        let mut hasher = SipHasher13::new_with_key(&self.settings.key.0);
        hasher.write(family.name().as_bytes());
        // No name has this byte.
        hasher.write_u8(0xff);
        hasher.write(labels.as_bytes());
        let hash = hasher.finish128();
        let segment = Segment::of(series_hash(family.name_hash(), labels)).get() as u64;
        TombstoneId([hash.h1, hash.h2 / SEGMENTS * SEGMENTS + segment])
    }

    /// Keeps the total of a series that expires `now`, if its type has one that
    /// goes on, and when that began.
    pub fn bury(
        &mut self,
        family: &FamilyRef,
        labels: LabelPairs<'_>,
        value: &Value,
        created: Option<UnixTime>,
        now: Tick,
    ) {
        let total = match value {
            Value::Counter(total) => Total::Counter(*total),
            Value::Histogram(histogram) => {
                Total::Histogram { sum: histogram.sum(), counts: histogram.counts() }
            }
            Value::Gauge(..) | Value::Summary(_) => return,
        };
        if self.ttl > 0 {
            let id = self.id_of(family, labels);
            self.insert(Tombstone { id, family, died: now, total, created });
        }
    }

    /// The total that a series goes on from, if it returns in time.
    pub fn exhume(
        &mut self,
        family: &Arc<Family>,
        labels: LabelPairs<'_>,
        now: Tick,
    ) -> Option<Exhumed> {
        if self.is_empty() {
            return None;
        }
        let id = self.id_of(family, labels);
        let number = self.find(id, self.families.number_of(family)?)?;
        let is_in_time = self.is_in_time(self.heads.get(number), now);
        let exhumed = is_in_time.then(|| {
            let Tombstone { total, created, .. } = self.get(number);
            Exhumed { total: value_of(total), created }
        });
        self.remove(number);
        exhumed
    }

    /// Takes one in: the newest, whatever its age says. The oldest makes room
    /// where there are too many.
    pub fn insert(&mut self, tombstone: Tombstone<'_>) {
        let Tombstone { id, family, died, total, created } = tombstone;
        self.changed.insert(id.segment());
        let number = self.families.hold(family);
        if let Some(old) = self.find(id, number) {
            self.remove(old);
        }
        let total = match total {
            Total::Counter(total) => total.to_bits(),
            Total::Histogram { sum, counts } => self.rows_of(counts.len()).insert(sum, counts),
        };
        let head = self.heads.push(Head::new(id, total, number, died));
        self.created.set(head, created);
        self.walk.iter_mut().for_each(|walk| walk.leave_out(head));
        self.index.insert(id, head, &mut self.heads);
        self.settings.budget.add_one();
        self.tell_oldest();
        self.make_room();
    }

    /// Drops at most `budget` tombstones that are too old; true when none is
    /// left. Makes room too, where another shard's tombstones ask for it.
    pub fn expire_some(&mut self, budget: usize, now: Tick) -> bool {
        self.make_room();
        for _ in 0..budget {
            let Some(oldest) = self.heads.oldest() else { return true };
            if self.is_in_time(self.heads.get(oldest), now) {
                return true;
            }
            self.remove(oldest);
        }
        false
    }

    /// When the oldest is too old.
    pub fn next_expiry(&self) -> Option<Tick> {
        self.heads.oldest().map(|oldest| self.heads.get(oldest).died.after(self.ttl))
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Tombstone<'_>> {
        self.heads.iter().map(|number| self.get(number))
    }

    fn get(&self, number: u32) -> Tombstone<'_> {
        let head = self.heads.get(number);
        let family = self.families.get(head.family);
        let total = match family.shape().buckets() {
            None => Total::Counter(f64::from_bits(head.total)),
            Some(buckets) => {
                let (sum, counts) = self.rows[&buckets].get(head.total);
                Total::Histogram { sum, counts }
            }
        };
        let created = self.created.get(number);
        Tombstone { id: head.id, family, died: head.died, total, created }
    }

    fn find(&self, id: TombstoneId, family: FamilyNumber) -> Option<u32> {
        self.index.find(id, &self.heads, |number| {
            let Head { id: found, family: of, .. } = *self.heads.get(number);
            found == id && of == family
        })
    }

    fn remove(&mut self, number: u32) {
        self.unlink(number);
        self.settings.budget.take_one();
    }

    fn unlink(&mut self, number: u32) {
        self.before_unlink(number);
        let head = *self.heads.get(number);
        let id = head.id;
        self.changed.insert(id.segment());
        self.index.remove(head.id, number, &mut self.heads);
        self.heads.remove(number);
        let shape = self.families.get(head.family).shape();
        if let Some(buckets) = shape.buckets() {
            self.rows_of(buckets).remove(head.total);
        }
        self.families.release(head.family);
        self.tell_oldest();
    }

    /// While there are too many in all shards and the oldest of them is here,
    /// it goes. It may lie in another shard, which looks once a second; if that
    /// takes it too long, the oldest of this one goes.
    fn make_room(&mut self) {
        while let Some(oldest) = self.heads.oldest()
            && self.settings.budget.wants_back(self.shard)
        {
            self.unlink(oldest);
            self.evicted += 1;
        }
    }

    fn tell_oldest(&self) {
        let oldest = self.heads.oldest().map_or(Tick::MAX, |number| self.heads.get(number).died);
        self.settings.budget.tell_oldest(self.shard, oldest);
    }

    fn is_in_time(&self, head: &Head, now: Tick) -> bool {
        head.died.after(self.ttl) > now
    }

    fn rows_of(&mut self, buckets: usize) -> &mut Rows {
        self.rows.entry(buckets).or_insert_with(|| Rows::new(buckets))
    }
}

impl Drop for Tombstones {
    fn drop(&mut self) {
        (0..self.len()).for_each(|_| self.settings.budget.take_one());
        self.settings.budget.tell_oldest(self.shard, Tick::MAX);
    }
}

fn value_of(total: Total<'_>) -> Value {
    match total {
        Total::Counter(total) => Value::Counter(total),
        Total::Histogram { sum, counts } => {
            Value::Histogram(Box::new(Histogram::from_parts(counts.into(), sum)))
        }
    }
}

impl std::fmt::Debug for TombstoneKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests;
