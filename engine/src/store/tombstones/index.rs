//! The index: from the id of a tombstone to its head.
//!
//! A table with linear hashing: it grows by one bucket at a time, in pages that
//! are never copied. So it holds no room in reserve, leaves no old table behind
//! and never takes long, as one that doubles would.

use super::heads::{Heads, NONE};
use super::{PAGE_BYTES, TombstoneId};

/// Buckets of a page.
const PAGE: usize = PAGE_BYTES / size_of::<u32>();

/// The first head of each bucket; the others are linked from it.
#[derive(Debug, Default)]
pub struct Index {
    pages: Vec<Box<[u32]>>,
    /// Buckets so far: 2^`bits`, and as many as were split since.
    buckets: usize,
    bits: u32,
    count: usize,
}

impl Index {
    /// How many heads there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The head of this id for which `is_it` holds.
    pub fn find(&self, id: TombstoneId, heads: &Heads, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let mut number = *self.first(self.bucket_of(id));
        while number != NONE && !is_it(number) {
            number = heads.next(number);
        }
        (number != NONE).then_some(number)
    }

    /// Takes a head in.
    pub fn insert(&mut self, id: TombstoneId, number: u32, heads: &mut Heads) {
        if self.count >= self.buckets {
            self.split(heads);
        }
        self.count += 1;
        self.link(self.bucket_of(id), number, heads);
    }

    /// Takes a head out.
    pub fn remove(&mut self, id: TombstoneId, number: u32, heads: &mut Heads) {
        self.count -= 1;
        let bucket = self.bucket_of(id);
        let next = heads.next(number);
        let mut before = *self.first(bucket);
        if before == number {
            *self.first_mut(bucket) = next;
            return;
        }
        while heads.next(before) != number {
            before = heads.next(before);
        }
        heads.set_next(before, next);
    }

    /// Adds a bucket, and moves to it what belongs there of the one whose turn
    /// it is.
    fn split(&mut self, heads: &mut Heads) {
        let new = self.buckets;
        if new / PAGE == self.pages.len() {
            self.pages.push(vec![NONE; PAGE].into());
        }
        self.buckets += 1;
        if new == 0 {
            return;
        }
        if self.buckets > 2 << self.bits {
            self.bits += 1;
        }
        let old = new - (1 << self.bits);
        let mut number = std::mem::replace(self.first_mut(old), NONE);
        while number != NONE {
            let next = heads.next(number);
            let bucket = self.bucket_of(heads.get(number).id);
            self.link(bucket, number, heads);
            number = next;
        }
    }

    fn link(&mut self, bucket: usize, number: u32, heads: &mut Heads) {
        let first = self.first_mut(bucket);
        heads.set_next(number, *first);
        *first = number;
    }

    fn bucket_of(&self, id: TombstoneId) -> usize {
        let hash = id.0[0] as usize;
        let bucket = hash & ((2 << self.bits) - 1);
        if bucket < self.buckets { bucket } else { hash & ((1 << self.bits) - 1) }
    }

    fn first(&self, bucket: usize) -> &u32 {
        &self.pages[bucket / PAGE][bucket % PAGE]
    }

    fn first_mut(&mut self, bucket: usize) -> &mut u32 {
        &mut self.pages[bucket / PAGE][bucket % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tombstones::families::FamilyNumber;
    use crate::store::tombstones::heads::Head;
    use crate::store::wheel::Tick;

    fn id(number: u64) -> TombstoneId {
        TombstoneId([number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number])
    }

    #[test]
    fn whatever_is_in_is_found_and_nothing_else() {
        let (mut heads, mut index) = (Heads::default(), Index::default());
        let find = |index: &Index, heads: &Heads, number| {
            index.find(id(number), heads, |found| {
                let Head { id: found, .. } = *heads.get(found);
                found == id(number)
            })
        };
        let mut numbers = Vec::new();
        for number in 0..40_000 {
            assert_eq!(find(&index, &heads, number), None);
            let head = Head::new(id(number), number, FamilyNumber::default(), Tick(0));
            numbers.push(heads.push(head));
            index.insert(id(number), numbers[number as usize], &mut heads);
        }
        for (number, head) in (0..).zip(&numbers).filter(|(number, _)| number % 3 == 0) {
            index.remove(id(number), *head, &mut heads);
            heads.remove(*head);
        }
        assert_eq!((index.len(), index.buckets), (26_666, 40_000));
        for (number, head) in (0..).zip(numbers) {
            let expected = (number % 3 != 0).then_some(head);
            assert_eq!(find(&index, &heads, number), expected, "{number}");
        }
    }
}
