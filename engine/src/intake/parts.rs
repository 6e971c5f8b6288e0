//! Parts: byte strings that templates share, each kept once.
//!
//! What stands before the value says the metric's name and type, what stands
//! after it the labels: thousands of series are combinations of a few hundred
//! such parts, which stay in the processor's cache while the whole payloads
//! would not.

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Byte strings under small numbers, with counted users.
#[derive(Debug, Default)]
pub struct Parts {
    parts: Vec<Option<Part>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
    bytes: usize,
}

/// A part's number; it stays while the part has users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartId(pub u32);

#[derive(Debug)]
struct Part {
    hash: u64,
    bytes: Box<[u8]>,
    users: u32,
}

impl Parts {
    /// The part that is equal to `bytes`, byte for byte.
    #[inline]
    pub fn find(&self, bytes: &[u8]) -> Option<PartId> {
        self.find_hashed(self.hash(bytes), bytes)
    }

    /// The same, kept from now on if it was not, with one user more.
    pub fn hold(&mut self, bytes: &[u8]) -> PartId {
        let hash = self.hash(bytes);
        let id = self.find_hashed(hash, bytes).unwrap_or_else(|| self.insert(hash, bytes));
        if let Some(part) = &mut self.parts[id.0 as usize] {
            part.users += 1;
        }
        id
    }

    /// Takes a user off; the part goes with its last one.
    pub fn release(&mut self, id: PartId) {
        let cell = &mut self.parts[id.0 as usize];
        let Some(part) = cell else { return };
        part.users -= 1;
        if part.users > 0 {
            return;
        }
        self.bytes -= part.bytes.len();
        if let Ok(entry) = self.table.find_entry(part.hash, |found| *found == id.0) {
            entry.remove();
        }
        *cell = None;
        self.free.push(id.0);
    }

    /// Bytes of all parts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A hash of `bytes` that no stranger can foresee.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    #[inline]
    fn find_hashed(&self, hash: u64, bytes: &[u8]) -> Option<PartId> {
        let same = |number: &u32| {
            self.parts[*number as usize].as_ref().is_some_and(|part| *part.bytes == *bytes)
        };
        self.table.find(hash, same).copied().map(PartId)
    }

    fn insert(&mut self, hash: u64, bytes: &[u8]) -> PartId {
        let part = Some(Part { hash, bytes: bytes.into(), users: 0 });
        self.bytes += bytes.len();
        let number = match self.free.pop() {
            Some(number) => {
                self.parts[number as usize] = part;
                number
            }
            None => {
                self.parts.push(part);
                (self.parts.len() - 1) as u32
            }
        };
        let parts = &self.parts;
        let hash_of = |number: &u32| parts[*number as usize].as_ref().map_or(0, |part| part.hash);
        self.table.insert_unique(hash, number, hash_of);
        PartId(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_once_and_while_they_have_users() {
        let mut parts = Parts::default();
        assert_eq!(parts.find(b"ab"), None);
        let first = parts.hold(b"ab");
        let second = parts.hold(b"c");
        assert_eq!(parts.hold(b"ab"), first);
        assert_eq!((parts.find(b"ab"), parts.find(b"c")), (Some(first), Some(second)));
        assert_eq!(parts.bytes(), 3);
        parts.release(first);
        assert_eq!(parts.find(b"ab"), Some(first));
        parts.release(first);
        assert_eq!((parts.find(b"ab"), parts.bytes()), (None, 1));
        assert_eq!(parts.hold(b"de"), first, "numbers are used again");
    }
}
