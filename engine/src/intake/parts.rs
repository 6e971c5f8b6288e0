//! Parts: byte strings that templates or label sets share, each kept once.
//!
//! Thousands of series are combinations of a few hundred parts (of a template,
//! what stands before the value says the metric's name and type, what stands
//! after it the labels), which stay in the processor's cache while the whole
//! payloads would not.

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

/// The bytes of a part, which need not lie in one piece while it is looked for.
pub trait PartBytes: Copy {
    /// Hashes them.
    fn hash(self, hasher: &mut impl Hasher);
    /// Whether they are these.
    fn are(self, kept: &[u8]) -> bool;
    /// They, in one piece.
    fn kept(self) -> Box<[u8]>;
}

impl PartBytes for &[u8] {
    #[inline]
    fn hash(self, hasher: &mut impl Hasher) {
        hasher.write(self);
    }

    #[inline]
    fn are(self, kept: &[u8]) -> bool {
        *self == *kept
    }

    fn kept(self) -> Box<[u8]> {
        self.into()
    }
}

/// A part's number; it stays while the part has users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    pub fn find(&self, bytes: impl PartBytes) -> Option<PartId> {
        self.find_hashed(self.hash(bytes), bytes)
    }

    /// The same, kept from now on if it was not, with one user more.
    pub fn hold(&mut self, bytes: impl PartBytes) -> PartId {
        let hash = self.hash(bytes);
        let id = self.find_hashed(hash, bytes).unwrap_or_else(|| self.insert(hash, bytes.kept()));
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
    pub fn hash(&self, bytes: impl PartBytes) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        bytes.hash(&mut hasher);
        hasher.finish()
    }

    #[inline]
    fn find_hashed(&self, hash: u64, bytes: impl PartBytes) -> Option<PartId> {
        let same = |number: &u32| {
            self.parts[*number as usize].as_ref().is_some_and(|part| bytes.are(&part.bytes))
        };
        self.table.find(hash, same).copied().map(PartId)
    }

    fn insert(&mut self, hash: u64, bytes: Box<[u8]>) -> PartId {
        self.bytes += bytes.len();
        let part = Some(Part { hash, bytes, users: 0 });
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
        assert_eq!(parts.find(&b"ab"[..]), None);
        let first = parts.hold(&b"ab"[..]);
        let second = parts.hold(&b"c"[..]);
        assert_eq!(parts.hold(&b"ab"[..]), first);
        assert_eq!((parts.find(&b"ab"[..]), parts.find(&b"c"[..])), (Some(first), Some(second)));
        assert_eq!(parts.bytes(), 3);
        parts.release(first);
        assert_eq!(parts.find(&b"ab"[..]), Some(first));
        parts.release(first);
        assert_eq!((parts.find(&b"ab"[..]), parts.bytes()), (None, 1));
        assert_eq!(parts.hold(&b"de"[..]), first, "numbers are used again");
    }
}
