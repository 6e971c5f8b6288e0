//! The exemplars of a shard, by the slots of their series. There is room for so many
//! of them; beyond that the one whose place was taken first makes room, as in the
//! storage of Prometheus.

use std::collections::{BTreeMap, HashMap};

use foldhash::quality::RandomState;

use super::{Store, held};
use crate::exemplar::{KeptExemplar, SeriesExemplars};
use crate::series::Slot;

/// The exemplars of a shard.
#[derive(Debug, Default)]
pub(super) struct Exemplars {
    /// How many there may be.
    most: usize,
    of: HashMap<Slot, SeriesExemplars, RandomState>,
    /// Their places, in the order in which they were taken.
    order: BTreeMap<u64, Place>,
    /// That of the next place.
    number: u64,
}

/// A series, and one of its buckets.
type Place = (Slot, u32);

impl Exemplars {
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Those of a series.
    pub fn get(&self, slot: Slot) -> Option<&SeriesExemplars> {
        self.of.get(&slot)
    }

    /// Whose exemplar makes room, if a series gets one for a bucket.
    fn makes_room_for(&self, (slot, bucket): Place) -> Option<Slot> {
        let is_full = self.order.len() >= self.most;
        let has_place = || self.get(slot).is_some_and(|of| of.of(bucket).is_some());
        let (_, (oldest, _)) = self.order.first_key_value()?;
        (is_full && !has_place()).then_some(*oldest)
    }

    /// Keeps an exemplar, unless its bucket has a newer one.
    fn put(&mut self, slot: Slot, bucket: u32, exemplar: KeptExemplar) {
        let of_series = self.of.entry(slot).or_default();
        let Some(exemplar) = of_series.replace(bucket, exemplar) else { return };
        of_series.insert(bucket, self.number, exemplar);
        self.order.insert(self.number, (slot, bucket));
        self.number += 1;
        if self.order.len() > self.most
            && let Some((_, (slot, bucket))) = self.order.pop_first()
            && let Some(of_series) = self.of.get_mut(&slot)
        {
            of_series.remove(bucket);
            if of_series.is_empty() {
                self.of.remove(&slot);
            }
        }
    }

    /// Forgets those of a series.
    pub fn remove(&mut self, slot: Slot) {
        for number in self.of.remove(&slot).iter().flat_map(SeriesExemplars::numbers) {
            self.order.remove(&number);
        }
    }
}

impl Store {
    /// How many exemplars its series have.
    pub fn exemplars(&self) -> usize {
        self.extras.exemplars.len()
    }

    /// Keeps an exemplar of a live series, where there may be any.
    pub(super) fn put_exemplar(&mut self, slot: Slot, exemplar: KeptExemplar) {
        let shape = held(&mut self.slots, slot).family.shape();
        let Some(bucket) = shape.bucket_of(exemplar.value) else { return };
        if self.extras.exemplars.most == 0 {
            return;
        }
        if let Some(oldest) = self.extras.exemplars.makes_room_for((slot, bucket)) {
            self.before_change(oldest);
        }
        held(&mut self.slots, slot).flags.set_exemplars(true);
        self.extras.exemplars.put(slot, bucket, exemplar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Exemplar, Labels};
    use crate::timestamp::UnixTime;

    fn at(micros: i64) -> KeptExemplar {
        let timestamp = UnixTime::from_micros(micros);
        KeptExemplar::of(&Exemplar { labels: Labels::NONE, value: 1.0, timestamp })
    }

    fn times(exemplars: &Exemplars, slot: Slot) -> Vec<i64> {
        let of_series = exemplars.get(slot).into_iter().flat_map(SeriesExemplars::iter);
        of_series.map(|exemplar| exemplar.timestamp.micros()).collect()
    }

    #[test]
    fn the_newest_of_a_bucket_stays_and_the_first_place_makes_room() {
        let (one, other, third) = (Slot(1), Slot(2), Slot(3));
        let mut exemplars = Exemplars::new(3);
        for (slot, bucket, micros) in [(one, 5, 10), (other, 0, 11), (one, 2, 12), (one, 5, 13)] {
            assert_eq!(exemplars.makes_room_for((slot, bucket)), None);
            exemplars.put(slot, bucket, at(micros));
        }
        exemplars.put(one, 5, at(9));
        assert_eq!((times(&exemplars, one), times(&exemplars, other)), (vec![12, 13], vec![11]));

        assert_eq!(exemplars.makes_room_for((third, 0)), Some(one));
        exemplars.put(third, 0, at(14));
        assert_eq!((times(&exemplars, one), times(&exemplars, third)), (vec![12], vec![14]));

        exemplars.remove(other);
        assert_eq!((exemplars.len(), exemplars.makes_room_for((other, 0))), (2, None));
        [other, one].into_iter().zip(20..).for_each(|(slot, micros)| {
            exemplars.put(slot, 1, at(micros));
        });
        assert_eq!((exemplars.len(), times(&exemplars, one)), (3, vec![21]));
        for slot in [one, other, third] {
            exemplars.remove(slot);
        }
        assert_eq!((exemplars.len(), exemplars.of.len()), (0, 0));
    }

    /// Whatever a stranger sends.
    #[test]
    fn there_are_never_more_than_may_be() {
        let mut exemplars = Exemplars::new(100);
        for number in 0..10_000_u32 {
            exemplars.put(Slot(number % 70), number / 70 % 7, at(i64::from(number)));
            let kept: usize = exemplars.of.values().map(|of| of.iter().count()).sum();
            assert_eq!(kept, exemplars.len());
            assert!(kept <= 100 && exemplars.of.values().all(|of| !of.is_empty()));
        }
        assert_eq!(exemplars.len(), 100);
    }
}
