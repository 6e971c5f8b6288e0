//! Pushes of one client on their way into the queue: elements are copied here
//! from the socket's bytes once, and leave as a chunk.
//!
//! What a command has brought so far can be taken back as a whole, and so can a
//! transaction: a push is all or nothing.

use super::super::{HEAD_BYTES, Slice};
use super::queue::{self, Chunk, Room};
use super::request::Piece;

/// Elements, the front part of which is committed; see the module's words.
#[derive(Debug, Default)]
pub struct Staged {
    bytes: Vec<u8>,
    elements: Vec<Slice>,
    committed: Mark,
    room: Room,
    /// Where the element in hand begins.
    begins: usize,
}

/// A place to go back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    elements: usize,
}

impl Staged {
    /// Adds a piece of an element; one of more than `max_bytes` is cut to its
    /// head.
    pub fn add(&mut self, piece: Piece<'_>, max_bytes: usize) {
        if piece.first {
            self.begins = self.bytes.len();
        }
        let is_too_large = piece.length > max_bytes as u64;
        let held = self.bytes.len() - self.begins;
        let taken = if is_too_large {
            HEAD_BYTES.min(piece.bytes.len() + held) - held
        } else {
            piece.bytes.len()
        };
        self.bytes.extend_from_slice(&piece.bytes[..taken]);
        if piece.last {
            let range = self.begins..self.bytes.len();
            self.elements.push(match is_too_large {
                true => Slice::TooLarge { head: range, length: piece.length },
                false => Slice::Whole(range),
            });
        }
    }

    /// The place behind all that is there.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), elements: self.elements.len() }
    }

    /// The place behind what is committed.
    pub fn committed(&self) -> Mark {
        self.committed
    }

    /// Takes back what was added behind that place.
    pub fn back_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.elements.truncate(mark.elements);
        if self.bytes.is_empty() {
            // What was refused may have been large.
            self.bytes = Vec::new();
            self.elements = Vec::new();
        }
    }

    /// Drops the first so many elements behind what is committed.
    pub fn drop_first(&mut self, count: usize) {
        let first = self.committed.elements;
        self.elements.drain(first..first + count);
    }

    /// Elements behind that place.
    pub fn elements_since(&self, mark: Mark) -> usize {
        self.elements.len() - mark.elements
    }

    /// What the elements behind that place cost.
    pub fn cost_since(&self, mark: Mark) -> usize {
        queue::cost(self.elements_since(mark), self.bytes.len() - mark.bytes)
    }

    /// Commits everything, for which room was reserved.
    pub fn commit(&mut self, room: Room) {
        self.room.merge(room);
        self.committed = self.mark();
    }

    /// What is committed, if anything, leaves.
    pub fn leave(&mut self) -> Option<Chunk> {
        let Mark { bytes, elements } = std::mem::take(&mut self.committed);
        if elements == 0 {
            return None;
        }
        let bytes_left = split_off(&mut self.bytes, bytes);
        let elements_left = split_off(&mut self.elements, elements);
        let chunk = Chunk {
            bytes: std::mem::replace(&mut self.bytes, bytes_left),
            elements: std::mem::replace(&mut self.elements, elements_left),
            room: std::mem::take(&mut self.room),
        };
        self.elements.iter_mut().for_each(|element| element.move_back(bytes));
        self.begins = self.begins.saturating_sub(bytes);
        Some(chunk)
    }
}

/// What is behind the first `count`, without an allocation where that is
/// nothing.
fn split_off<T>(from: &mut Vec<T>, count: usize) -> Vec<T> {
    if count == from.len() { Vec::new() } else { from.split_off(count) }
}

impl Slice {
    /// Adapts the ranges to a buffer whose first `offset` bytes are gone.
    fn move_back(&mut self, offset: usize) {
        match self {
            Slice::Whole(range) | Slice::TooLarge { head: range, .. } => {
                *range = range.start - offset..range.end - offset;
            }
        }
    }
}
