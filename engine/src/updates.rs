//! Updates: what the samples of a batch do to the series of one shard.
//!
//! This is the one way from a sample to a value. Nearly all samples say nothing
//! but a number, so the numbers lie in one plain list, which is applied run by
//! run; what a sample says besides lies in a second list, which costs nothing
//! where it is empty.
//!
//! To add what an update can say: a field of [`Details`], where it is long a range
//! into the [`Arena`] beside the lists. [`Details::of`] takes it from the sample, and
//! the compiler asks [`crate::store::Store::apply`] what to do with it.

use std::ops::Range;

use crate::exemplar::KeptExemplar;
use crate::metric::native::NativeCounts;
use crate::metric::{GaugeOp, Observations};
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
    values: Vec<ValueUpdate>,
    /// Ascending by index.
    details: Vec<(ValueIndex, Details)>,
    arena: Arena,
    /// The sum of [`Details::more_samples`].
    more_samples: u64,
}

/// A number for a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueUpdate {
    /// Where the series lies.
    pub slot: Slot,
    /// What the number does, if it is a gauge's.
    pub op: GaugeOp,
    /// As in [`Sample::value`].
    pub value: f64,
}

// There is one for each sample.
const _: () = assert!(size_of::<ValueUpdate>() == 16);

/// Which one of [`Updates::values`].
type ValueIndex = u32;

/// What a sample says to its series besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// When a gauge was measured.
    pub timestamp: Option<UnixTime>,
    /// How long its series may stay idle from now on.
    pub ttl: Option<Ttl>,
    /// How many observations it is.
    pub observations: ObservationsAt,
    /// Which one of the exemplars of the [`Arena`] it has.
    pub exemplar: Option<ExemplarIndex>,
    /// How many samples of producers it stands for besides one.
    pub more_samples: u64,
}

/// Which one of the exemplars of an [`Arena`].
pub type ExemplarIndex = u32;

/// [`Observations`] that lie in an [`Arena`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObservationsAt {
    /// One observation lies nowhere.
    #[default]
    One,
    /// Among the values.
    Values(Place),
    /// Among the counts.
    Counts(Place),
    /// Which one of the whole native histograms.
    Native(u32),
}

/// A range in one of the lists of an [`Arena`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    begin: u32,
    length: u32,
}

/// The observations of samples that have several, and the exemplars of those with one.
#[derive(Debug, Default)]
pub struct Arena {
    values: Vec<f64>,
    counts: Vec<u64>,
    natives: Vec<NativeCounts>,
    exemplars: Vec<KeptExemplar>,
}

/// How much of an [`Arena`] there was.
#[derive(Debug, Clone, Copy)]
pub struct ArenaMark {
    values: usize,
    counts: usize,
}

impl Arena {
    /// Numbers, histograms and exemplars that are kept room for.
    const KEPT: usize = 4096;

    /// Copies observations in.
    #[inline]
    pub fn put(&mut self, observations: Observations<'_>) -> ObservationsAt {
        match observations {
            Observations::One => ObservationsAt::One,
            Observations::Values(values) => {
                ObservationsAt::Values(append(&mut self.values, values))
            }
            Observations::Counts(counts) => {
                ObservationsAt::Counts(append(&mut self.counts, counts))
            }
            Observations::Native(counts) => self.put_native(counts),
        }
    }

    /// The observations that were put at `at`.
    #[inline]
    pub fn get(&self, at: ObservationsAt) -> Observations<'_> {
        match at {
            ObservationsAt::One => Observations::One,
            ObservationsAt::Values(place) => Observations::Values(&self.values[place.range()]),
            ObservationsAt::Counts(place) => Observations::Counts(&self.counts[place.range()]),
            ObservationsAt::Native(index) => Observations::Native(&self.natives[index as usize]),
        }
    }

    #[cold]
    fn put_native(&mut self, counts: &NativeCounts) -> ObservationsAt {
        self.natives.push(counts.clone());
        ObservationsAt::Native((self.natives.len() - 1) as u32)
    }

    #[cold]
    fn put_exemplar(&mut self, exemplar: KeptExemplar) -> ExemplarIndex {
        self.exemplars.push(exemplar);
        (self.exemplars.len() - 1) as ExemplarIndex
    }

    /// How many values and counts there are, to go back to.
    pub fn mark(&self) -> ArenaMark {
        ArenaMark { values: self.values.len(), counts: self.counts.len() }
    }

    /// Takes back the values and counts that were put since then.
    pub fn go_back(&mut self, mark: ArenaMark) {
        self.values.truncate(mark.values);
        self.counts.truncate(mark.counts);
    }

    /// Copies in what `details` say that lies in `other`.
    fn take_over(&mut self, details: Details, other: &Arena) -> Details {
        let exemplar = other.exemplar(details.exemplar).cloned();
        Details {
            observations: self.put(other.get(details.observations)),
            exemplar: exemplar.map(|exemplar| self.put_exemplar(exemplar)),
            ..details
        }
    }

    fn exemplar(&self, index: Option<ExemplarIndex>) -> Option<&KeptExemplar> {
        self.exemplars.get(index? as usize)
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.values.clear();
        self.values.shrink_to(Self::KEPT);
        self.counts.clear();
        self.counts.shrink_to(Self::KEPT);
        self.natives.clear();
        self.natives.shrink_to(Self::KEPT);
        self.exemplars.clear();
        self.exemplars.shrink_to(Self::KEPT);
    }
}

#[cold]
fn append<T: Copy>(list: &mut Vec<T>, more: &[T]) -> Place {
    let begin = list.len() as u32;
    list.extend_from_slice(more);
    Place { begin, length: more.len() as u32 }
}

impl Place {
    fn range(self) -> Range<usize> {
        let begin = self.begin as usize;
        begin..begin + self.length as usize
    }
}

/// Updates that are applied in the same way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UpdateRun<'a> {
    /// Values and nothing else, as nearly all samples are.
    Values(&'a [ValueUpdate]),
    /// One value with details.
    Detailed(DetailedUpdate<'a>),
}

/// A value with details, and those that lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetailedUpdate<'a> {
    /// The value.
    pub update: ValueUpdate,
    /// What its sample says besides.
    pub details: Details,
    /// How many observations it is.
    pub observations: Observations<'a>,
    /// The exemplar that it has.
    pub exemplar: Option<&'a KeptExemplar>,
}

impl Details {
    /// What `sample` says besides its value; what is long is put into `arena`.
    #[inline]
    pub fn of(sample: &Sample<'_>, arena: &mut Arena) -> Self {
        // Each field is named, so that the compiler asks of a new one whether
        // the shard has to know it.
        let Sample {
            kind,
            timestamp,
            ttl,
            observations,
            exemplar,
            samples,
            // They say which series it is.
            name: _,
            labels: _,
            // They are the family's.
            help: _,
            unit: _,
            buckets: _,
            buckets_by_default: _,
            schema: _,
            objectives: _,
            is_counted_values: _,
            // Each update has them.
            value: _,
            op: _,
        } = *sample;
        let timestamp = if kind.is_momentary() { timestamp } else { None };
        let exemplar = exemplar.and_then(Result::ok);
        let exemplar = exemplar.map(|exemplar| arena.put_exemplar(KeptExemplar::of(&exemplar)));
        let observations = arena.put(observations);
        Self { timestamp, ttl, observations, exemplar, more_samples: samples - 1 }
    }

    /// What of it holds in whichever series the sample is counted.
    pub fn of_events(self) -> Self {
        let Self { timestamp: _, ttl: _, observations, exemplar, more_samples } = self;
        Self { timestamp: None, ttl: None, observations, exemplar, more_samples }
    }

    /// Whether the sample says nothing but its value.
    #[inline]
    pub fn is_none(&self) -> bool {
        let Self { timestamp, ttl, observations, exemplar, more_samples } = self;
        let is_one = *observations == ObservationsAt::One && *more_samples == 0;
        timestamp.is_none() && ttl.is_none() && is_one && exemplar.is_none()
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
    pub fn push(&mut self, update: ValueUpdate) {
        self.values.push(update);
    }

    /// Appends a value with details, which lie in `arena`.
    #[cold]
    pub fn push_detailed(&mut self, update: ValueUpdate, details: Details, arena: &Arena) {
        let details = self.arena.take_over(details, arena);
        self.details.push((self.values.len() as ValueIndex, details));
        self.more_samples += details.more_samples;
        self.push(update);
    }

    /// How many samples of producers they stand for.
    pub fn samples(&self) -> u64 {
        self.values.len() as u64 + self.more_samples
    }

    /// Whether there is nothing for the shard to do.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.forget.is_empty()
    }

    /// The slot of each update.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.values.iter().map(|update| update.slot)
    }

    fn detailed(&self, at: usize, details: Details) -> DetailedUpdate<'_> {
        DetailedUpdate {
            update: self.values[at],
            details,
            observations: self.arena.get(details.observations),
            exemplar: self.arena.exemplar(details.exemplar),
        }
    }

    /// All updates, in order.
    pub fn runs(&self) -> impl Iterator<Item = UpdateRun<'_>> {
        let mut begin = 0;
        let last_run = self.details.last().map_or(0, |(index, _)| *index as usize + 1);
        self.details
            .iter()
            .flat_map(move |(index, details)| {
                let at = *index as usize;
                let plain = &self.values[begin..at];
                begin = at + 1;
                [UpdateRun::Values(plain), UpdateRun::Detailed(self.detailed(at, *details))]
            })
            .chain([UpdateRun::Values(&self.values[last_run..])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_all_updates_in_order() {
        let detailed = Details { ttl: Some(Ttl::NEVER), ..Details::default() };
        for details_at in [&[][..], &[0], &[3], &[1, 2], &[0, 1, 2, 3]] {
            let mut updates = Updates::default();
            for number in 0..4 {
                let value = f64::from(number);
                let update = ValueUpdate { slot: Slot(number), op: GaugeOp::Set, value };
                match details_at.contains(&number) {
                    true => updates.push_detailed(update, detailed, &Arena::default()),
                    false => updates.push(update),
                }
            }
            let seen = updates.runs().flat_map(|run| match run {
                UpdateRun::Values(values) => {
                    values.iter().map(|update| (update.slot.0, false)).collect()
                }
                UpdateRun::Detailed(DetailedUpdate { update, details, .. }) => {
                    vec![(update.slot.0, details == detailed)]
                }
            });
            let expected = (0..4).map(|number| (number, details_at.contains(&number)));
            assert!(seen.eq(expected), "{details_at:?}");
        }
    }
}
