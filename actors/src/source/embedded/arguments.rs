//! The words of one request: a command's name and its arguments, as far as they
//! are kept.

use super::request::Piece;

/// Bytes kept of the arguments of commands that are no pushes.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// What an argument counts besides its bytes there.
const ARGUMENT_BYTES: usize = 32;

/// A command's name and arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// There was more than is kept.
    is_cut: bool,
}

impl Arguments {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ends.is_empty()
    }

    /// How many there are, the name among them.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn name(&self) -> &[u8] {
        self.argument(0)
    }

    /// The argument of that number, the name being 0; empty where it is not
    /// there.
    pub fn argument(&self, number: usize) -> &[u8] {
        let begins = number.checked_sub(1).and_then(|before| self.ends.get(before));
        let begins = begins.copied().unwrap_or(0);
        self.ends.get(number).map_or(&[], |end| &self.bytes[begins..*end])
    }

    pub fn from(&self, number: usize) -> impl Iterator<Item = &[u8]> {
        (number..self.len()).map(|number| self.argument(number))
    }

    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Memory that they take up.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    pub fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn add(&mut self, piece: Piece<'_>) {
        let counted = self.bytes.len() + self.ends.len() * ARGUMENT_BYTES;
        if self.is_cut || counted + piece.bytes.len() + ARGUMENT_BYTES > MAX_ARGUMENT_BYTES {
            return self.cut();
        }
        self.bytes.extend_from_slice(piece.bytes);
        if piece.last {
            self.ends.push(self.bytes.len());
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.is_cut = false;
    }

    /// Keeps the name alone.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
        self.ends.truncate(1);
        self.bytes.truncate(self.ends.first().copied().unwrap_or(0));
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}
