//! The interner: byte strings that templates or label sets share, each kept once
//! and named by a number.
//!
//! Thousands of series are combinations of a few hundred byte strings (of a
//! template, what stands before the value says the metric's name and type, what
//! stands after it the labels), which stay in the processor's cache while the
//! whole payloads would not.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::RandomState;
use hashbrown::HashTable;

/// Byte strings under small numbers, with counted users.
#[derive(Debug, Default)]
pub struct Interner {
    strings: Vec<Option<Interned>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
    bytes: usize,
}

/// Bytes to intern, which need not lie in one piece while they are looked for.
pub trait InternKey: Copy {
    /// Feeds all of them to `hasher`.
    fn hash(self, hasher: &mut impl Hasher);
    /// Whether they are equal to `kept`.
    fn equals(self, kept: &[u8]) -> bool;
    /// A copy, in one piece.
    fn to_boxed(self) -> Box<[u8]>;
}

impl InternKey for &[u8] {
    #[inline]
    fn hash(self, hasher: &mut impl Hasher) {
        hasher.write(self);
    }

    #[inline]
    fn equals(self, kept: &[u8]) -> bool {
        *self == *kept
    }

    fn to_boxed(self) -> Box<[u8]> {
        self.into()
    }
}

/// A string's number; it stays while the string has users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternedId(pub u32);

#[derive(Debug)]
struct Interned {
    hash: u64,
    bytes: Box<[u8]>,
    users: u32,
}

impl Interner {
    /// The string that is equal to `bytes`, byte for byte.
    #[inline]
    pub fn find(&self, bytes: impl InternKey) -> Option<InternedId> {
        self.find_hashed(self.hash(bytes), bytes)
    }

    /// The same, kept from now on if it was not, with one user more.
    pub fn hold(&mut self, bytes: impl InternKey) -> InternedId {
        let hash = self.hash(bytes);
        let id =
            self.find_hashed(hash, bytes).unwrap_or_else(|| self.insert(hash, bytes.to_boxed()));
        if let Some(string) = &mut self.strings[id.0 as usize] {
            string.users += 1;
        }
        id
    }

    /// Takes a user off; the string goes with its last one.
    pub fn release(&mut self, id: InternedId) {
        let cell = &mut self.strings[id.0 as usize];
        let Some(string) = cell else { return };
        string.users -= 1;
        if string.users > 0 {
            return;
        }
        self.bytes -= string.bytes.len();
        if let Ok(entry) = self.table.find_entry(string.hash, |found| *found == id.0) {
            entry.remove();
        }
        *cell = None;
        self.free.push(id.0);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A hash of `bytes` that no stranger can foresee.
    #[inline]
    pub fn hash(&self, bytes: impl InternKey) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        bytes.hash(&mut hasher);
        hasher.finish()
    }

    #[inline]
    fn find_hashed(&self, hash: u64, bytes: impl InternKey) -> Option<InternedId> {
        let same = |number: &u32| {
            self.strings[*number as usize]
                .as_ref()
                .is_some_and(|string| bytes.equals(&string.bytes))
        };
        self.table.find(hash, same).copied().map(InternedId)
    }

    fn insert(&mut self, hash: u64, bytes: Box<[u8]>) -> InternedId {
        self.bytes += bytes.len();
        let string = Some(Interned { hash, bytes, users: 0 });
        let number = match self.free.pop() {
            Some(number) => {
                self.strings[number as usize] = string;
                number
            }
            None => {
                self.strings.push(string);
                (self.strings.len() - 1) as u32
            }
        };
        let strings = &self.strings;
        let hash_of =
            |number: &u32| strings[*number as usize].as_ref().map_or(0, |string| string.hash);
        self.table.insert_unique(hash, number, hash_of);
        InternedId(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_kept_once_and_while_they_have_users() {
        let mut interner = Interner::default();
        assert_eq!(interner.find(&b"ab"[..]), None);
        let first = interner.hold(&b"ab"[..]);
        let second = interner.hold(&b"c"[..]);
        assert_eq!(interner.hold(&b"ab"[..]), first);
        assert_eq!(
            (interner.find(&b"ab"[..]), interner.find(&b"c"[..])),
            (Some(first), Some(second))
        );
        assert_eq!(interner.bytes(), 3);
        interner.release(first);
        assert_eq!(interner.find(&b"ab"[..]), Some(first));
        interner.release(first);
        assert_eq!((interner.find(&b"ab"[..]), interner.bytes()), (None, 1));
        assert_eq!(interner.hold(&b"de"[..]), first, "numbers are used again");
    }
}
