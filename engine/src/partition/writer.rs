//! Writes deltas into frames.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::chunk::Chunk;
use super::delta::DeltaValue;
use super::frame::{DeltaRecord, FRAME, FrameFamily, MOST_BYTES, VERSION};
use crate::catalog::Family;
use crate::exemplar::KeptExemplar;
use crate::labels::LabelPairs;
use crate::record::{self, FamilyRecord};
use crate::state::frame as blob;
use crate::timestamp::Ttl;

/// What a frame has besides its families and deltas, at most: what blobs begin with, and
/// how many there are of either.
const OVERHEAD: usize = blob::LENGTH + 10 + 5;

/// A delta to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delta<'a> {
    pub family: &'a Family,
    pub labels: LabelPairs<'a>,
    /// In the order in which they are to be shown, where that is another one.
    pub display: Option<LabelPairs<'a>>,
    pub samples: u64,
    pub ttl: Option<Ttl>,
    pub exemplar: Option<&'a KeptExemplar>,
    pub value: &'a DeltaValue,
}

/// Frames, the last of which is not full yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameWriter {
    /// Those that are finished.
    chunk: Chunk,
    /// The families of the last one, as they are stored.
    families: Vec<u8>,
    /// Their positions, by their uids.
    positions: HashMap<u64, u32, RandomState>,
    deltas: Vec<u8>,
    count: u32,
    samples: u64,
}

impl<'a> Extend<Delta<'a>> for FrameWriter {
    fn extend<I: IntoIterator<Item = Delta<'a>>>(&mut self, deltas: I) {
        deltas.into_iter().for_each(|delta| self.push(&delta));
    }
}

impl FrameWriter {
    /// Goes on after these frames.
    pub fn after(chunk: Chunk) -> Self {
        Self { samples: chunk.samples, chunk, ..Self::default() }
    }

    /// How many samples it has.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.chunk.bytes() + self.families.len() + self.deltas.len()
    }

    /// Appends a delta.
    pub fn push(&mut self, delta: &Delta<'_>) {
        let before = (self.families.len(), self.deltas.len());
        self.append(delta);
        let length = OVERHEAD + self.families.len() + self.deltas.len();
        if length > MOST_BYTES && self.count > 0 {
            // It begins the next one.
            if self.families.len() > before.0 {
                self.positions.remove(&delta.family.uid());
            }
            self.families.truncate(before.0);
            self.deltas.truncate(before.1);
            self.finish_frame();
            self.append(delta);
        }
        self.count += 1;
        self.samples += delta.samples;
    }

    fn append(&mut self, delta: &Delta<'_>) {
        let Delta { family, labels, display, samples, ttl, exemplar, value } = *delta;
        let record = DeltaRecord {
            family: self.position(family),
            labels: labels.as_text(),
            display: display.map(LabelPairs::as_text),
            samples,
            ttl: ttl.map(|ttl| ttl.seconds().unwrap_or(0)),
            exemplar: exemplar.map(KeptExemplar::record),
            value: Cow::Borrowed(value),
        };
        record::append(&mut self.deltas, &record);
    }

    /// The position of a family, which is one of the frame's then.
    fn position(&mut self, family: &Family) -> u32 {
        let next = self.positions.len() as u32;
        let position = *self.positions.entry(family.uid()).or_insert(next);
        if position == next {
            let variant = family.variant();
            let entry = FrameFamily {
                record: FamilyRecord { uid: 0, ..family.record() },
                unit: family.unit().into(),
                buckets_by_default: variant.buckets_by_default,
                is_counted: variant.is_counted,
            };
            record::append(&mut self.families, &entry);
        }
        position
    }

    fn finish_frame(&mut self) {
        let content = self.families.len() + self.deltas.len();
        let mut frame = blob::begin(FRAME, VERSION, content + OVERHEAD);
        // As postcard writes a list: how many there are, then each.
        record::append(&mut frame, &(self.positions.len() as u64));
        frame.append(&mut self.families);
        record::append(&mut frame, &self.count);
        frame.append(&mut self.deltas);
        self.chunk.frames.push(blob::finish(frame));
        self.positions.clear();
        self.count = 0;
    }

    /// All frames; `None` where there is no delta.
    pub fn finish(mut self) -> Option<Chunk> {
        if self.count > 0 {
            self.finish_frame();
        }
        self.chunk.samples = self.samples;
        (!self.chunk.frames.is_empty()).then_some(self.chunk)
    }
}
