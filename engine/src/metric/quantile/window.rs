//! Window: the observations of the last minutes, cut into age buckets.
//!
//! Time is cut into slots of window / age buckets. An age bucket begins with
//! the first observation of a slot, takes every later one too, and expires as
//! many slots later as there are age buckets; the oldest one that lives is
//! read. So a value is seen for between (buckets - 1) / buckets and the whole
//! of the window, as with the Prometheus client libraries, and sketches never
//! need to be merged. One whose error is small only near certain quantiles can't
//! be: what is the 99th percentile of the window may be the median of one of its
//! parts.
//!
//! Observations wait as they came, up to [`EXACT`] of them, and are sorted
//! once for the sketches of all age buckets. A window that never held more is
//! exact and has no sketch at all.

mod stored;

use std::cmp::Ordering;

use super::{QuantilePlan, Sketch, push_exact};
use crate::timestamp::Moment;

/// Observations that wait, and up to which a window that never held more
/// answers exactly.
pub const EXACT: usize = 512;

#[derive(Debug, Clone)]
pub struct Window {
    slot: u64,
    /// When the current slot ends, in milliseconds.
    slot_ends: u64,
    /// Oldest first.
    ages: Vec<AgeBucket>,
    /// Values not yet in a sketch; each age bucket's begin at its `waiting_from`.
    waiting: Vec<f64>,
}

/// What was observed since the beginning of one slot.
#[derive(Debug, Clone)]
struct AgeBucket {
    slot: u64,
    waiting_from: usize,
    sketch: Sketch,
}

impl Window {
    /// An empty window, whose first slot begins `now`.
    pub fn new(plan: &QuantilePlan, now: Moment) -> Self {
        let slot_ends = now.0.saturating_add(plan.slot_ms());
        Self { slot: 0, slot_ends, ages: Vec::new(), waiting: Vec::new() }
    }

    /// Takes one value in. A `now` before an earlier one counts as that.
    pub fn observe(&mut self, value: f64, plan: &QuantilePlan, now: Moment) {
        // It has no rank, and sorting needs an order.
        if value.is_nan() {
            return;
        }
        self.advance(plan, now);
        if self.ages.last().is_none_or(|newest| newest.slot < self.slot) {
            self.begin_age_bucket(plan);
        }
        if self.waiting.len() == EXACT {
            self.condense(plan);
        }
        self.waiting.push(value);
    }

    /// Pushes one value for each objective: `NaN` where the window is empty.
    pub fn push_quantiles(&mut self, plan: &QuantilePlan, now: Moment, out: &mut Vec<f64>) {
        self.advance(plan, now);
        let Some(oldest) = self.ages.first() else {
            return push_exact(&[], plan, out);
        };
        if oldest.sketch.is_empty() {
            return push_exact(&self.sorted_waiting(), plan, out);
        }
        if let Sketch::Biased(_) = oldest.sketch {
            self.condense(plan);
        }
        let sorted = self.sorted_waiting();
        self.ages[0].sketch.push_quantiles(&sorted, plan, out);
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub fn allocated_bytes(&self) -> usize {
        let sketches: usize = self.ages.iter().map(|age| age.sketch.allocated_bytes()).sum();
        self.ages.capacity() * size_of::<AgeBucket>() + self.waiting.capacity() * 8 + sketches
    }

    fn advance(&mut self, plan: &QuantilePlan, now: Moment) {
        if now.0 < self.slot_ends {
            return;
        }
        let slots = (now.0 - self.slot_ends) / plan.slot_ms() + 1;
        self.slot += slots;
        self.slot_ends = self.slot_ends.saturating_add(slots.saturating_mul(plan.slot_ms()));
        self.expire(plan);
    }

    fn expire(&mut self, plan: &QuantilePlan) {
        let oldest_slot = (self.slot + 1).saturating_sub(plan.slots());
        let expired = self.ages.partition_point(|age| age.slot < oldest_slot);
        self.ages.drain(..expired);
        let waiting_from = self.ages.first().map_or(self.waiting.len(), |age| age.waiting_from);
        self.waiting.drain(..waiting_from);
        self.ages.iter_mut().for_each(|age| age.waiting_from -= waiting_from);
        // An idle series holds no memory for what it once had.
        self.waiting.shrink_to(self.waiting.len() * 2);
        self.ages.shrink_to(self.ages.len() + 1);
    }

    fn begin_age_bucket(&mut self, plan: &QuantilePlan) {
        let (slot, waiting_from) = (self.slot, self.waiting.len());
        self.ages.reserve_exact(1);
        self.ages.push(AgeBucket { slot, waiting_from, sketch: Sketch::new(plan) });
    }

    /// Moves what waits into the sketches.
    fn condense(&mut self, plan: &QuantilePlan) {
        self.sort_each_slot();
        let mut until = self.waiting.len();
        for newest in (0..self.ages.len()).rev() {
            let from = std::mem::take(&mut self.ages[newest].waiting_from);
            let slot_values = &self.waiting[from..until];
            let ages = self.ages[..=newest].iter_mut();
            ages.for_each(|age| age.sketch.insert_sorted(slot_values, plan));
            until = from;
        }
        self.waiting.clear();
    }

    /// What waits, ascending. It stays in its slots, which expire one by one.
    fn sorted_waiting(&mut self) -> Vec<f64> {
        self.sort_each_slot();
        let mut sorted = self.waiting.clone();
        sort(&mut sorted);
        sorted
    }

    fn sort_each_slot(&mut self) {
        let mut until = self.waiting.len();
        for age in self.ages.iter().rev() {
            sort(&mut self.waiting[age.waiting_from..until]);
            until = age.waiting_from;
        }
    }
}

/// Sorts with the sort that is fast where much is in order already, since what
/// one scrape sorted is the beginning of what the next one finds, and with the
/// comparison that took 14 ns for each of 512 values where the total one took 24.
fn sort(values: &mut [f64]) {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
}
