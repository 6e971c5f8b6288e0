//! Fragments: what one shard, or the gateway itself, has to show of a family, as
//! bytes in the format of the scrape.

use std::sync::Arc;

use bytes::Bytes;

use super::encoder::{Encoder, ShownSeries};
use crate::catalog::Family;

/// Size from which the bytes at hand become a chunk.
const CHUNK_BYTES: usize = 64 * 1024;
/// Room beyond it for the series that passes it, so that it seldom reallocates.
const CHUNK_SLACK: usize = 4 * 1024;

/// The series of one family from one source.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Whose series they are.
    pub family: Arc<Family>,
    /// Their bytes, in order; whole series in each chunk. Never empty.
    pub chunks: Vec<Bytes>,
    /// Whether some of them say what only series of their type can: when their totals
    /// began, or an exemplar.
    pub is_typed: bool,
}

/// Writes the fragments of one source. Small families share a buffer.
#[derive(Debug)]
pub struct FragmentWriter {
    encoder: Box<dyn Encoder>,
    buffer: Vec<u8>,
    /// What is in the buffer, in order.
    parts: Vec<Part>,
    fragments: Vec<Fragment>,
}

/// The series of one family, up to the next part of the buffer.
#[derive(Debug)]
struct Part {
    family: Arc<Family>,
    start: usize,
    /// See [`Fragment::is_typed`].
    is_typed: bool,
}

impl FragmentWriter {
    /// A writer in the format of this encoder.
    pub fn new(encoder: Box<dyn Encoder>) -> Self {
        Self { encoder, buffer: Vec::new(), parts: Vec::new(), fragments: Vec::new() }
    }

    /// Whether [`ShownSeries::created`] makes a difference.
    pub fn shows_created(&self) -> bool {
        self.encoder.shows_created()
    }

    /// The series that come next are of this family. Families come sorted by name,
    /// and of those without series there is no fragment.
    pub fn begin_family(&mut self, family: &Arc<Family>) {
        self.encoder.begin_family(family);
        self.begin_part(family.clone());
    }

    /// Appends a series of the family that was begun last.
    #[inline(always)]
    pub fn write(&mut self, series: ShownSeries<'_>) {
        let Some(part) = self.parts.last_mut() else { return };
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(CHUNK_BYTES + CHUNK_SLACK);
        }
        if self.encoder.write_series(&mut self.buffer, &part.family, series) {
            part.is_typed = true;
        }
        if self.buffer.len() >= CHUNK_BYTES {
            self.pass_on();
        }
    }

    /// What was written: a fragment for each family with series, in their order.
    pub fn finish(mut self) -> Vec<Fragment> {
        self.flush();
        self.fragments
    }

    fn begin_part(&mut self, family: Arc<Family>) {
        self.parts.push(Part { family, start: self.buffer.len(), is_typed: false });
    }

    #[cold]
    fn pass_on(&mut self) {
        let current = self.parts.last().map(|part| part.family.clone());
        self.flush();
        if let Some(family) = current {
            // It goes on in the next chunk.
            self.begin_part(family);
        }
    }

    fn flush(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        let mut parts = self.parts.drain(..).peekable();
        while let Some(Part { family, start, is_typed }) = parts.next() {
            let end = parts.peek().map_or(bytes.len(), |next| next.start);
            if start == end {
                continue;
            }
            let chunk = bytes.slice(start..end);
            match self.fragments.last_mut() {
                Some(last) if Arc::ptr_eq(&last.family, &family) => {
                    last.chunks.push(chunk);
                    last.is_typed |= is_typed;
                }
                Some(_) | None => {
                    self.fragments.push(Fragment { family, chunks: vec![chunk], is_typed });
                }
            }
        }
    }
}
