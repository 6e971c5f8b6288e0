//! Listings: the live series of each family, in the order in which they are
//! printed. That order is stable: a series that goes leaves a hole, and the
//! next one that comes fills it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::ops::Range;
use std::sync::Arc;

use crate::catalog::Family;
use crate::series::Slot;

/// What stands in a hole: more slots than that there can't be.
const HOLE: Slot = Slot(u32::MAX);

/// The live series of a shard, by family.
#[derive(Debug, Default)]
pub struct Listings(BTreeMap<FamilyKey, Listing>);

/// Orders families by name, the older of two of one name first.
#[derive(Debug, Clone)]
pub struct FamilyKey(pub Arc<Family>);

/// The live series of one family.
#[derive(Debug, Default)]
pub struct Listing {
    slots: Vec<Slot>,
    holes: Vec<u32>,
}

/// Where a series stands in its family's listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingPosition(u32);

impl ListingPosition {
    /// Nowhere: the series is not live.
    pub const NONE: ListingPosition = ListingPosition(u32::MAX);
}

impl Listings {
    pub fn insert(&mut self, family: &Arc<Family>, slot: Slot) -> ListingPosition {
        let Listing { slots, holes } = self.0.entry(FamilyKey(family.clone())).or_default();
        let position = holes.pop().unwrap_or_else(|| {
            slots.push(HOLE);
            (slots.len() - 1) as u32
        });
        slots[position as usize] = slot;
        ListingPosition(position)
    }

    /// Takes a series out, and its family with the last one.
    pub fn remove(&mut self, family: &Arc<Family>, position: ListingPosition) {
        let key = FamilyKey(family.clone());
        let Some(listing) = self.0.get_mut(&key) else { return };
        listing.slots[position.0 as usize] = HOLE;
        listing.holes.push(position.0);
        if listing.holes.len() == listing.slots.len() {
            self.0.remove(&key);
        }
    }

    /// Takes a whole family out.
    pub fn take(&mut self, family: &Arc<Family>) -> Vec<Slot> {
        self.0.remove(&FamilyKey(family.clone())).unwrap_or_default().slots
    }

    pub fn next(&self, key: Option<&FamilyKey>) -> Option<&FamilyKey> {
        let next = match key {
            None => self.0.first_key_value(),
            Some(key) => self.0.range((Excluded(key), Unbounded)).next(),
        };
        next.map(|(key, _)| key)
    }

    /// The listing of a family with live series.
    pub fn get(&self, key: &FamilyKey) -> Option<&Listing> {
        self.0.get(key)
    }
}

impl Listing {
    /// How many positions there are, holes included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The series at these positions; a slot that there is not is a hole.
    pub fn slots(&self, positions: Range<usize>) -> &[Slot] {
        &self.slots[positions]
    }
}

impl FamilyKey {
    fn order(&self) -> (&str, u64) {
        (self.0.name(), self.0.uid())
    }
}

impl PartialEq for FamilyKey {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for FamilyKey {}

impl PartialOrd for FamilyKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FamilyKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
