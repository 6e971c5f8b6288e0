//! Pushes of one client on their way into the queue: elements are copied here
//! from the socket's bytes once, and leave as a chunk.
//!
//! A push is all or nothing, and so is a transaction: what is there is first
//! committed elements, then those that a transaction keeps, then those of the
//! current command, and each part can be taken back without the ones before it.

use super::super::push_queue::{Chunk, Reservation, cost};
use super::super::{HEAD_BYTES, Slice};
use super::request::Piece;

/// Elements, the front part of which is committed; see the module's words.
#[derive(Debug, Default)]
pub struct Staged {
    bytes: Vec<u8>,
    elements: Vec<Slice>,
    committed: StagedEnd,
    /// Not before what is committed.
    kept: StagedEnd,
    room: Reservation,
    /// Where the current element begins.
    begins: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct StagedEnd {
    bytes: usize,
    elements: usize,
}

impl Staged {
    /// By how much it would grow at once if a piece of that size were added:
    /// what is there is copied into twice the room.
    pub fn growth(&self, bytes: usize) -> usize {
        let (used, room) = (self.bytes.len(), self.bytes.capacity());
        let more = if used + bytes > room { room.max(bytes) } else { 0 };
        let is_full = self.elements.len() == self.elements.capacity();
        more + if is_full { self.elements.capacity() * size_of::<Slice>() } else { 0 }
    }

    /// Memory that it takes up.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.elements.capacity() * size_of::<Slice>()
    }

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

    /// Keeps the elements of the current command for a transaction.
    pub fn keep(&mut self) {
        self.kept = self.end();
    }

    /// Takes back the elements of the current command.
    pub fn undo_command(&mut self) {
        self.back_to(self.kept);
    }

    pub fn undo_all(&mut self) {
        self.kept = self.committed;
        self.back_to(self.committed);
    }

    /// Drops the first `count` elements of those that a transaction keeps.
    pub fn drop_first_kept(&mut self, count: usize) {
        let first = self.committed.elements;
        self.elements.drain(first..first + count);
        self.kept.elements -= count;
    }

    pub fn elements_of_command(&self) -> usize {
        self.elements.len() - self.kept.elements
    }

    pub fn uncommitted(&self) -> usize {
        self.elements.len() - self.committed.elements
    }

    /// What the elements that are not committed cost.
    pub fn cost(&self) -> usize {
        cost(self.uncommitted(), self.bytes.len() - self.committed.bytes)
    }

    pub fn commit(&mut self, room: Reservation) {
        self.room.merge(room);
        self.committed = self.end();
        self.kept = self.committed;
    }

    /// What is committed, if anything, leaves.
    pub fn leave(&mut self) -> Option<Chunk> {
        let StagedEnd { bytes, elements } = std::mem::take(&mut self.committed);
        if elements == 0 {
            return None;
        }
        let bytes_left = split_off(&mut self.bytes, bytes);
        let elements_left = split_off(&mut self.elements, elements);
        let mut chunk = Chunk {
            bytes: std::mem::replace(&mut self.bytes, bytes_left),
            elements: std::mem::replace(&mut self.elements, elements_left),
            room: std::mem::take(&mut self.room),
        };
        chunk.trim();
        self.elements.iter_mut().for_each(|element| element.shift(bytes, 0));
        self.begins = self.begins.saturating_sub(bytes);
        self.kept.bytes -= bytes;
        self.kept.elements -= elements;
        Some(chunk)
    }

    fn end(&self) -> StagedEnd {
        StagedEnd { bytes: self.bytes.len(), elements: self.elements.len() }
    }

    fn back_to(&mut self, mark: StagedEnd) {
        self.bytes.truncate(mark.bytes);
        self.elements.truncate(mark.elements);
        // What was refused may have been large. An element may be empty: that
        // there are no bytes does not mean that nothing is committed.
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        if self.elements.is_empty() {
            self.elements = Vec::new();
        }
    }
}

/// What comes after the first `count`, without an allocation where that is
/// nothing.
fn split_off<T>(from: &mut Vec<T>, count: usize) -> Vec<T> {
    if count == from.len() { Vec::new() } else { from.split_off(count) }
}
