//! Updates: what the samples of a batch do to the series of one shard.
//!
//! This is the one way from a sample to a value. Nearly all samples say nothing
//! but a number, so the numbers lie in one plain list, which is applied run by
//! run; what a sample says besides lies in a second list, which costs nothing
//! where it is empty.
//!
//! To add what an update can say (an operation, bucket counts, several values, an
//! exemplar): a field of [`Details`], where it is long a range into an arena beside
//! the lists. [`Details::of`] takes it from the sample, and the compiler asks
//! [`crate::store::Store::apply`] what to do with it.

use crate::sample::Sample;
use crate::series::{ReaderIndex, Slot};
use crate::timestamp::{Ttl, UnixTime};

/// What a reader sends a shard: values for slots that it holds, in the order in
/// which they were taken, then the slots that it holds no longer.
#[derive(Debug, Default)]
pub struct Updates {
    /// The reader that sends them, and that holds the slots.
    pub reader: ReaderIndex,
    /// When they were taken from the queue.
    pub taken_at: UnixTime,
    /// References given back, after the values.
    pub forget: Vec<Slot>,
    values: Vec<(Slot, f64)>,
    /// Ascending by index.
    details: Vec<(ValueIndex, Details)>,
}

/// Which one of [`Updates::values`].
type ValueIndex = u32;

/// What a sample says to its series besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// When a gauge was measured.
    pub timestamp: Option<UnixTime>,
    /// How long its series may stay idle from now on.
    pub ttl: Option<Ttl>,
}

/// Updates that are applied in the same way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateRun<'a> {
    /// Values and nothing else, as nearly all samples are.
    Values(&'a [(Slot, f64)]),
    /// One value with details.
    Detailed(Slot, f64, Details),
}

impl Details {
    /// What `sample` says besides its value.
    #[inline]
    pub fn of(sample: &Sample<'_>) -> Self {
        // Each field is named, so that the compiler asks of a new one whether
        // the shard has to know it.
        let Sample {
            kind,
            timestamp,
            ttl,
            // They say which series it is.
            name: _,
            labels: _,
            // They are the family's.
            help: _,
            buckets: _,
            buckets_by_default: _,
            objectives: _,
            // Each update has one.
            value: _,
        } = *sample;
        let timestamp = if kind.is_momentary() { timestamp } else { None };
        Self { timestamp, ttl }
    }

    /// Whether the sample says nothing but its value.
    #[inline]
    pub fn is_none(&self) -> bool {
        let Self { timestamp, ttl } = self;
        timestamp.is_none() && ttl.is_none()
    }
}

impl Updates {
    /// No updates yet, with room for `expected`.
    pub fn new(reader: ReaderIndex, taken_at: UnixTime, expected: usize) -> Self {
        let values = Vec::with_capacity(expected);
        Self { reader, taken_at, values, ..Self::default() }
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, slot: Slot, value: f64) {
        self.values.push((slot, value));
    }

    /// Appends a value with details.
    #[cold]
    pub fn push_detailed(&mut self, slot: Slot, value: f64, details: Details) {
        self.details.push((self.values.len() as ValueIndex, details));
        self.push(slot, value);
    }

    /// How many samples they are.
    pub fn samples(&self) -> usize {
        self.values.len()
    }

    /// Whether there is nothing for the shard to do.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.forget.is_empty()
    }

    /// The slot of each update.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.values.iter().map(|(slot, _)| *slot)
    }

    /// All updates, in order.
    pub fn runs(&self) -> impl Iterator<Item = UpdateRun<'_>> {
        let mut begin = 0;
        let last_run = self.details.last().map_or(0, |(index, _)| *index as usize + 1);
        self.details
            .iter()
            .flat_map(move |(index, details)| {
                let at = *index as usize;
                let (plain, (slot, value)) = (&self.values[begin..at], self.values[at]);
                begin = at + 1;
                [UpdateRun::Values(plain), UpdateRun::Detailed(slot, value, *details)]
            })
            .chain([UpdateRun::Values(&self.values[last_run..])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_all_updates_in_order() {
        let detailed = Details { timestamp: None, ttl: Some(Ttl::NEVER) };
        for details_at in [&[][..], &[0], &[3], &[1, 2], &[0, 1, 2, 3]] {
            let mut updates = Updates::default();
            for number in 0..4 {
                let (slot, value) = (Slot(number), f64::from(number));
                match details_at.contains(&number) {
                    true => updates.push_detailed(slot, value, detailed),
                    false => updates.push(slot, value),
                }
            }
            let seen = updates.runs().flat_map(|run| match run {
                UpdateRun::Values(values) => {
                    values.iter().map(|(slot, _)| (slot.0, false)).collect()
                }
                UpdateRun::Detailed(slot, _, details) => vec![(slot.0, details == detailed)],
            });
            let expected = (0..4).map(|number| (number, details_at.contains(&number)));
            assert!(seen.eq(expected), "{details_at:?}");
        }
    }
}
