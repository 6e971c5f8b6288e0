//! Expiry: series that no value has come for leave.
//!
//! A sample only notes the moment in its series. Each series with a time to
//! live stands in one bucket of the [`ExpiryQueue`], some time before its
//! deadline. When the bucket's turn comes the series goes, or is put back if it
//! has time left. So expiry costs what expires, and a sample costs nothing more.
//! A scrape works out for itself what is past its time, so it never shows such a
//! series, and nothing expires while a scrape is under way.
//!
//! A series that expires leaves its total to the tombstones and is no longer
//! live. Its shard notifies each reader that holds it, once, in the channel of
//! answers; the reader gives it back after the values that it has not sent yet.
//! Then place, slot and reference to the family are free. A value that arrives
//! before that makes the series live again, without admission.

use super::expiry_queue::{BucketTag, ExpiryQueue};
use super::extras::{OwnTtl, SeriesExtras};
use super::listing::ListingPosition;
use super::tick::{Tick, ticks_of};
use super::{Series, Store, Tombstones, held};
use crate::metric::{Kind, Value};
use crate::series::Slot;
use crate::timestamp::Moment;

/// Ticks between two looks at whether tombstones have to make room, or at whether
/// a last value was fetched.
const RECHECK_TICKS: u32 = 10;

/// After how much idle time series leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExpirySettings {
    /// Ticks for each type, indexed by `kind as usize`; 0 is never.
    ticks: [u32; Kind::ALL.len()],
}

/// Entries that the queue may have for each live series, on average, and
/// besides: producers that change a time to live leave stale ones behind.
const ENTRIES_PER_SERIES: usize = 4;
const ENTRIES_BESIDES: usize = 1024;

impl ExpirySettings {
    /// Times to live in milliseconds; 0 is never, for gauges as the other.
    pub fn new(series_ttl_ms: u64, gauge_ttl_ms: u64) -> Self {
        let series = ticks_of(series_ttl_ms);
        let gauge = if gauge_ttl_ms == 0 { series } else { ticks_of(gauge_ttl_ms) };
        Self { ticks: Kind::ALL.map(|kind| if kind.is_momentary() { gauge } else { series }) }
    }

    /// Whether a series has been idle for too long.
    #[inline]
    pub(super) fn is_due(
        &self,
        slot: Slot,
        series: &Series,
        extras: &SeriesExtras,
        now: Tick,
    ) -> bool {
        self.deadline(slot, series, extras).is_some_and(|deadline| deadline <= now)
    }

    /// When a series will have been idle for too long.
    #[inline]
    fn deadline(&self, slot: Slot, series: &Series, extras: &SeriesExtras) -> Option<Tick> {
        let own = extras.own_ttl(slot, series);
        let ticks = own.unwrap_or(self.ticks[series.family.kind() as usize]);
        (ticks > 0).then(|| series.touched.after(ticks))
    }
}

impl Store {
    /// Lets at most `budget` series expire, or be looked at; true when nothing
    /// is due any more. Not to be called while a scrape is under way: a series
    /// that comes back could then be printed in two places.
    pub fn expire_some(&mut self, budget: usize, now: Moment) -> bool {
        let tick = Tick::at(now);
        for _ in 0..budget {
            let Some((slot, bucket)) = self.expiry_queue.pop(tick) else {
                self.tombstones_checked = tick;
                return self.tombstones.expire_some(budget, tick);
            };
            self.check_expiry(slot, bucket, now);
        }
        false
    }

    /// When [`Store::expire_some`] has something to do next.
    pub fn next_expiry(&self) -> Option<Moment> {
        // One of this shard's tombstones may have to make room for another shard's.
        let recheck = self.tombstones_checked.after(RECHECK_TICKS);
        let tombstones = self.tombstones.next_expiry().map(|next| next.min(recheck));
        [self.expiry_queue.next(), tombstones].into_iter().flatten().min().map(Tick::moment)
    }

    /// The totals of expired series.
    pub fn tombstones(&self) -> &Tombstones {
        &self.tombstones
    }

    /// Deadlines that are noted: one or a few for each series that has one.
    pub fn deadlines(&self) -> usize {
        self.expiry_queue.len()
    }

    /// How many series have expired.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Gives a series a time to live of its own, from its last value on: that
    /// of the last sample that came with one. 0 is never.
    pub(super) fn set_ttl(&mut self, slot: Slot, milliseconds: u64, now: Moment) {
        let ticks = ticks_of(milliseconds);
        let series = held(&mut self.slots, slot);
        series.flags.set_own_ttl();
        let none = OwnTtl { ticks, bucket: Tick::MAX };
        let own = self.extras.own_ttl.entry(slot).or_insert(none);
        own.ticks = ticks;
        // What is looked at before its time is put back then.
        if series.is_live() && series.touched.after(ticks) < own.bucket {
            self.schedule_expiry(slot, Tick::at(now));
        }
        let live: usize = self.live.iter().sum();
        if self.expiry_queue.len() > ENTRIES_PER_SERIES * live + ENTRIES_BESIDES {
            self.rebuild_expiry_queue(Tick::at(now));
        }
    }

    /// Puts a live series into the queue, if it has a time to live.
    pub(super) fn schedule_expiry(&mut self, slot: Slot, now: Tick) {
        let series = held(&mut self.slots, slot);
        let deadline = self.settings.expiry.deadline(slot, series, &self.extras);
        let bucket =
            deadline.map_or(Tick::MAX, |deadline| self.expiry_queue.insert(slot, deadline, now));
        self.set_expiry_bucket(slot, bucket);
    }

    /// Notes which of its entries in the queue counts.
    fn set_expiry_bucket(&mut self, slot: Slot, bucket: Tick) {
        let series = held(&mut self.slots, slot);
        series.bucket = BucketTag::of(bucket);
        if series.flags.has_own_ttl()
            && let Some(own) = self.extras.own_ttl.get_mut(&slot)
        {
            own.bucket = bucket;
        }
    }

    fn rebuild_expiry_queue(&mut self, now: Tick) {
        self.expiry_queue = ExpiryQueue::default();
        for number in 0..self.slots.len() {
            if self.slots[number].as_ref().is_some_and(Series::is_live) {
                self.schedule_expiry(Slot(number as u32), now);
            }
        }
    }

    /// Lets a series expire whose turn has come, or puts it back.
    fn check_expiry(&mut self, slot: Slot, bucket: BucketTag, at: Moment) {
        let now = Tick::at(at);
        let Some(series) = &self.slots[slot.0 as usize] else { return };
        if series.bucket != bucket || !series.is_live() {
            return;
        }
        if !self.settings.expiry.is_due(slot, series, &self.extras, now) {
            self.schedule_expiry(slot, now);
        } else if self.first_seen.is_awaited(slot, series, at) {
            self.postpone_expiry(slot, now);
        } else {
            self.expired += 1;
            // A snapshot under way has to have the value before it moves.
            self.before_change(slot);
            let series = held(&mut self.slots, slot);
            let value = std::mem::replace(&mut series.value, Value::NONE);
            if let Some(total) = value.into_total() {
                let created = self.extras.created.get(slot.0);
                self.tombstones.store_total(series.identity(), total, created, now);
            }
            self.deactivate(slot);
        }
    }

    /// Puts a series whose time is over into the queue once more.
    fn postpone_expiry(&mut self, slot: Slot, now: Tick) {
        let bucket = self.expiry_queue.insert(slot, now.after(RECHECK_TICKS), now);
        self.set_expiry_bucket(slot, bucket);
    }

    /// Ends the life of a series that expired or is removed: notifies its holders,
    /// and frees the slot if there are none.
    pub(super) fn deactivate(&mut self, slot: Slot) {
        self.before_change(slot);
        let series = held(&mut self.slots, slot);
        series.value = Value::NONE;
        if series.flags.is_new() {
            series.flags.set_new(false);
            self.first_seen.remove(slot);
        }
        if series.flags.has_exemplars() {
            series.flags.set_exemplars(false);
            self.extras.exemplars.remove(slot);
        }
        let family = series.family.family();
        self.listings.remove(family, series.position);
        self.live[family.kind() as usize] -= 1;
        series.position = ListingPosition::NONE;
        self.notify_holders(slot);
        self.free_if_unused(slot);
    }
}
