//! The families of a shard's tombstones, each held as long as there is one.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::catalog::{Family, FamilyRef};

/// Families under small numbers, with counted users.
#[derive(Debug, Default)]
pub struct Families {
    held: Vec<Option<Held>>,
    numbers: HashMap<u64, FamilyNumber, RandomState>,
    free: Vec<FamilyNumber>,
}

/// The number of a family with tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyNumber(u32);

impl FamilyNumber {
    /// That of no family.
    pub const NONE: Self = Self(u32::MAX);
}

#[derive(Debug)]
struct Held {
    family: FamilyRef,
    tombstones: u32,
}

impl Families {
    /// The number of a family; it has one tombstone more from now on.
    pub fn hold(&mut self, family: &FamilyRef) -> FamilyNumber {
        if let Some(number) = self.number_of(family.family()) {
            if let Some(held) = &mut self.held[number.0 as usize] {
                held.tombstones += 1;
            }
            return number;
        }
        let held = Held { family: family.another(), tombstones: 1 };
        let number = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            FamilyNumber((self.held.len() - 1) as u32)
        });
        self.numbers.insert(family.uid(), number);
        self.held[number.0 as usize] = Some(held);
        number
    }

    /// Takes a tombstone off; the family is let go with its last one.
    pub fn release(&mut self, number: FamilyNumber) {
        let cell = &mut self.held[number.0 as usize];
        let Some(held) = cell else { return };
        held.tombstones -= 1;
        if held.tombstones == 0 {
            self.numbers.remove(&held.family.uid());
            *cell = None;
            self.free.push(number);
        }
    }

    /// The number of a family that has tombstones.
    pub fn number_of(&self, family: &Arc<Family>) -> Option<FamilyNumber> {
        self.numbers.get(&family.uid()).copied()
    }

    /// The family of a number.
    pub fn get(&self, number: FamilyNumber) -> &FamilyRef {
        let held = self.held[number.0 as usize].as_ref();
        &held.expect("a tombstone holds its family").family
    }
}
