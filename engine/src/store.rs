//! The store: the series of one shard, which it exclusively owns.
//!
//! A series lives in a *slot*. Readers learn the slot once (`define`) and then
//! send values for slots, so that applying a sample is an array look-up.
//! A slot is held by a reference of each reader that knows it; a series is
//! *live* from its first value on, until it expires. Then its total goes to the
//! tombstones, its holders are notified, and with the last reference the slot is
//! free.

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::catalog::{Admission, FamilyRef};
use crate::labels::SeriesLabels;
use crate::metric::Kind;
use crate::metric::{Applied, Observations, Shape, Unapplied, Value};
use crate::series::{Generation, ReaderSet, Slot};
use crate::sharding::{Segment, ShardIndex};
use crate::timestamp::Moment;
use crate::timestamp::{SampleTime, UnixTime};
use crate::updates::{DetailedUpdate, Details, UpdateRun, Updates, ValueUpdate};

mod changes;
mod created;
mod eviction_notices;
mod exemplars;
mod expire;
mod expiry_queue;
mod expose;
mod extras;
mod filter;
mod first_seen;
mod listing;
mod pages;
mod refused;
mod remove;
mod restore;
mod search;
mod sets;
mod slots;
mod snapshot;
mod survey;
mod tick;
mod tombstones;

pub use eviction_notices::EvictionNotice;
pub use expire::ExpirySettings;
pub use expose::ExposeJob;
pub use filter::{Filter, MAX_SHARES, SeriesShare};
pub use first_seen::{AckHorizon, ScrapeContext, ScrapeSeq};
pub use refused::{RefusedUpdate, RefusedUpdates};
pub use remove::{RemoveJob, Removed};
pub use restore::Restored;
pub use search::{Found, FoundSeries, SearchJob, SearchOrder};
pub use snapshot::{Snapshot, SnapshotOrder};
pub use survey::SurveyJob;
pub use tick::Tick;
pub use tombstones::{
    SeriesIdentity, SharedTombstones, Sweep, TombstoneBudget, TombstoneKey, TombstoneSettings,
    Tombstones,
};

use changes::Changes;
use eviction_notices::EvictionNotices;
use expiry_queue::{BucketTag, ExpiryQueue};
use extras::SeriesExtras;
use first_seen::FirstSeen;
use listing::{ListingPosition, Listings};
use slots::Indexed;

/// The series of one shard.
#[derive(Debug, Default)]
pub struct Store {
    settings: StoreSettings,
    shard: ShardIndex,
    slots: Vec<Option<Series>>,
    free: Vec<Slot>,
    /// Finds slots by family and label text. Keyed by a hash of this process'
    /// own, since a stranger can make series that collide under a fixed one.
    index: HashTable<Indexed>,
    hasher: RandomState,
    /// The live series of each family.
    listings: Listings,
    extras: SeriesExtras,
    /// Live series by type.
    live: [usize; Kind::ALL.len()],
    generation: Generation,
    /// When to look at series that may be idle for too long.
    expiry_queue: ExpiryQueue,
    eviction_notices: EvictionNotices,
    tombstones: Tombstones,
    tombstones_checked: Tick,
    expired: u64,
    stale_gauge_samples: u64,
    future_timestamps: u64,
    /// Since they were asked for.
    refused: RefusedUpdates,
    /// What a checkpoint has to know of what happens to the series.
    changes: Changes,
    /// Series that some scraper has not been shown yet.
    first_seen: FirstSeen,
}

/// What stores are tuned by.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreSettings {
    /// When idle series expire.
    pub expiry: ExpirySettings,
    /// How long their totals are kept.
    pub tombstones: TombstoneSettings,
    /// Whether series without an `instance` label show an empty one.
    pub empty_instance: bool,
    /// Whether OpenMetrics shows when the totals of series began.
    pub created_timestamps: bool,
    /// How many exemplars the series of one shard may have; 0 keeps none.
    pub max_exemplars: usize,
}

/// One series. A cache line, since applying a sample touches nothing else: what
/// few series have stands in [`SeriesExtras`].
#[derive(Debug)]
struct Series {
    family: FamilyRef,
    labels: SeriesLabels,
    value: Value,
    /// Readers that hold the slot and have not been notified to forget it.
    holders: ReaderSet,
    /// Its low bits are the number of the segment: see [`Store::index_hash`].
    index_hash: u32,
    /// When its last value came.
    touched: Tick,
    /// Where it stands among the live series of its family.
    position: ListingPosition,
    generation: Generation,
    admission: Admission,
    /// The bucket of the expiry queue whose entry counts.
    bucket: BucketTag,
    flags: SeriesFlags,
}

/// What holds for few series.
#[derive(Debug, Clone, Copy, Default)]
struct SeriesFlags(u8);

const _: () = assert!(size_of::<Option<Series>>() == 64);

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Its series has it.
    Taken,
    /// Its series can't take it.
    Refused,
    /// Its family was removed.
    Dropped,
}

impl Store {
    /// The store of `shard`, without series.
    pub fn new(settings: StoreSettings, tombstones: SharedTombstones, shard: ShardIndex) -> Self {
        Self {
            tombstones: Tombstones::new(settings.tombstones, tombstones, shard),
            extras: SeriesExtras::new(settings.created_timestamps, settings.max_exemplars),
            settings,
            shard,
            ..Self::default()
        }
    }

    /// Applies updates.
    pub fn apply(&mut self, updates: &Updates, now: Moment) {
        if self.changes.snapshot.is_some() {
            updates.slots().for_each(|slot| self.before_change(slot));
        }
        for run in updates.runs() {
            match run {
                UpdateRun::Values(values) => {
                    for update in values {
                        let time = SampleTime::taken(updates.taken_at);
                        if self.apply_one(*update, time, now) == Outcome::Refused {
                            self.refuse(*update, Observations::One, 1);
                        }
                    }
                }
                UpdateRun::Detailed(update) => {
                    self.apply_detailed(update, updates.taken_at, now);
                }
            }
        }
        for slot in &updates.forget {
            self.forget(*slot, updates.reader);
        }
    }

    #[cold]
    fn apply_detailed(&mut self, detailed: DetailedUpdate<'_>, taken_at: UnixTime, now: Moment) {
        let DetailedUpdate { update, details, observations, exemplar } = detailed;
        let Details { timestamp, ttl, observations: _, exemplar: _, more_samples } = details;
        let ValueUpdate { slot, op, value: sample } = update;
        let time = SampleTime { taken_at, timestamp };
        // Not by `apply_one`: that is part of the loop over plain values as long as it
        // has no other caller.
        let outcome = self.apply_with(slot, taken_at, now, |value, shape| match observations {
            Observations::One => value.apply(sample, op, time, shape, now),
            Observations::Values(_) | Observations::Counts(_) | Observations::Native(_) => {
                value.apply_several(observations, sample, shape, now)
            }
        });
        match outcome {
            Outcome::Taken => {}
            Outcome::Refused => return self.refuse(update, observations, 1 + more_samples),
            Outcome::Dropped => return,
        }
        if timestamp.is_some_and(|timestamp| timestamp.is_ahead_of(taken_at)) {
            self.future_timestamps += 1;
        }
        if let Some(exemplar) = exemplar {
            self.put_exemplar(slot, exemplar.clone());
        }
        if let Some(ttl) = ttl {
            let seconds = ttl.seconds().unwrap_or(0);
            self.set_ttl(slot, u64::from(seconds) * 1000, now);
        }
    }

    #[inline(always)]
    fn apply_one(&mut self, update: ValueUpdate, time: SampleTime, now: Moment) -> Outcome {
        let ValueUpdate { slot, op, value: sample } = update;
        self.apply_with(slot, time.taken_at, now, |value, shape| {
            value.apply(sample, op, time, shape, now)
        })
    }

    /// Changes the value of a series, which is live from now on, unless its family was
    /// retired.
    #[inline(always)]
    fn apply_with(
        &mut self,
        slot: Slot,
        taken_at: UnixTime,
        now: Moment,
        change: impl FnOnce(&mut Value, &Shape) -> Result<Applied, Unapplied>,
    ) -> Outcome {
        let mut series = held(&mut self.slots, slot);
        self.changes.mark(series.segment());
        if !series.is_live() {
            if !self.activate(slot, taken_at, now) {
                return Outcome::Dropped;
            }
            series = held(&mut self.slots, slot);
        }
        series.touched = Tick::at(now);
        match change(&mut series.value, series.family.shape()) {
            Ok(Applied::Added) => Outcome::Taken,
            Ok(Applied::BeganAnew) => {
                self.began_anew(slot, taken_at);
                Outcome::Taken
            }
            Err(Unapplied::Stale) => {
                self.stale_gauge_samples += 1;
                Outcome::Taken
            }
            Err(Unapplied::NonFinite) => Outcome::Refused,
        }
    }

    /// The total of a series was reset, and has one sample again.
    #[cold]
    fn began_anew(&mut self, slot: Slot, taken_at: UnixTime) {
        let created = (!self.first_seen.is_replay()).then_some(taken_at);
        self.extras.created.set(slot.0, created);
        self.first_seen.begins_anew(slot);
    }

    #[cold]
    fn refuse(&mut self, update: ValueUpdate, observations: Observations<'_>, samples: u64) {
        let series = held(&mut self.slots, update.slot);
        self.refused.push(series, update, observations, samples);
    }

    /// Live series of each type, indexed by `kind as usize`.
    pub fn live(&self) -> [usize; Kind::ALL.len()] {
        self.live
    }

    /// Samples of gauges that were measured before what is there, and changed nothing.
    pub fn stale_gauge_samples(&self) -> u64 {
        self.stale_gauge_samples
    }

    /// Samples of gauges that were measured some minutes after they were taken.
    pub fn future_timestamps(&self) -> u64 {
        self.future_timestamps
    }

    /// The samples that were refused since the last call.
    pub fn take_refused(&mut self) -> RefusedUpdates {
        std::mem::take(&mut self.refused)
    }

    /// Slots in use: live series, those that readers have asked for and sent
    /// no value to yet, and those that expired and that readers still hold.
    pub fn defined(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Makes a series live, at its first value or at the first one after it
    /// expired: then it goes on from its old total, where that is kept. False
    /// where its family was retired: its values are thrown away.
    fn activate(&mut self, slot: Slot, taken_at: UnixTime, now: Moment) -> bool {
        let series = held(&mut self.slots, slot);
        if series.family.is_retired() {
            self.notify_holders(slot);
            return false;
        }
        let family = series.family.family();
        let tick = Tick::at(now);
        let (total, created) = match self.tombstones.take_total(series.identity(), tick) {
            Some(tombstone) => (Some(tombstone.total), tombstone.created.map(UnixTime::from)),
            // Of what is applied again it is not known when it was applied first.
            None if self.first_seen.is_replay() => (None, None),
            None => (None, Some(taken_at)),
        };
        self.extras.created.set(slot.0, created);
        series.flags.set_new(self.first_seen.record(slot, family, total.as_ref(), now));
        series.value = total.unwrap_or_else(|| Value::new(family.shape(), now));
        series.position = self.listings.insert(family, slot);
        self.live[family.kind() as usize] += 1;
        series.touched = tick;
        self.schedule_expiry(slot, tick);
        true
    }

    fn series_mut(&mut self, slot: Slot) -> &mut Series {
        held(&mut self.slots, slot)
    }
}

impl Series {
    fn identity(&self) -> SeriesIdentity<'_> {
        SeriesIdentity {
            family: &self.family,
            labels: self.labels.pairs(),
            segment: self.segment(),
        }
    }

    /// The segment of the state that it belongs to.
    #[inline]
    fn segment(&self) -> Segment {
        Segment::of(u64::from(self.index_hash))
    }

    /// Whether it has a value: one has come, and it has not expired since.
    #[inline]
    fn is_live(&self) -> bool {
        self.position != ListingPosition::NONE
    }
}

impl SeriesFlags {
    const OWN_TTL: u8 = 1;
    const NEW: u8 = 2;
    const DISPLAY: u8 = 4;
    const EXEMPLARS: u8 = 8;

    /// Those of a series that is not live yet.
    fn of(has_display: bool) -> Self {
        Self(if has_display { Self::DISPLAY } else { 0 })
    }

    /// It is printed with its labels in another order.
    fn has_display(self) -> bool {
        self.0 & Self::DISPLAY != 0
    }

    /// A time to live came with a sample.
    #[inline]
    fn has_own_ttl(self) -> bool {
        self.0 & Self::OWN_TTL != 0
    }

    fn set_own_ttl(&mut self) {
        self.0 |= Self::OWN_TTL;
    }

    /// It is recorded as new, see [`first_seen`].
    #[inline]
    fn is_new(self) -> bool {
        self.0 & Self::NEW != 0
    }

    /// It has exemplars, or had some that made room for others.
    #[inline]
    fn has_exemplars(self) -> bool {
        self.0 & Self::EXEMPLARS != 0
    }

    fn set_exemplars(&mut self, has_some: bool) {
        self.0 = self.0 & !Self::EXEMPLARS | if has_some { Self::EXEMPLARS } else { 0 };
    }

    fn set_new(&mut self, is_new: bool) {
        self.0 = self.0 & !Self::NEW | if is_new { Self::NEW } else { 0 };
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        let bytes = self.family.bytes_of_series(self.labels.pairs(), self.flags.has_display());
        self.family.give_back(self.admission, bytes);
    }
}

/// The series in a slot on which the caller, or the reader that it serves,
/// holds a reference.
#[inline]
fn held(slots: &mut [Option<Series>], slot: Slot) -> &mut Series {
    slots[slot.0 as usize].as_mut().expect("a slot that is held is in use")
}
