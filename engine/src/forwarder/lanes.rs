//! The lanes of a forwarder: what each has, besides the deltas that go on growing.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::catalog::Family;
use crate::exemplar::KeptExemplar;
use crate::labels::LabelPairs;
use crate::partition::Chunk;
use crate::partition::delta::DeltaValue;
use crate::partition::writer::{Delta, FrameWriter};
use crate::series::Slot;

/// Bytes of a delta besides its labels and its value.
const BYTES_OF_DELTA: usize = 8;
/// Bytes of an exemplar besides its labels.
const BYTES_OF_EXEMPLAR: usize = 18;

/// What goes to one lane of a home.
#[derive(Debug, Default)]
pub struct LaneDeltas {
    /// Deltas that nothing is added to any more.
    frames: FrameWriter,
    /// The series with deltas that grow, in the order of their first samples.
    slots: Vec<Slot>,
    /// The families of these, by their uids.
    families: HashSet<u64, RandomState>,
    /// About how many bytes of frames these deltas are.
    growing_bytes: usize,
    /// How many samples they are.
    growing_samples: u64,
}

impl LaneDeltas {
    /// About how many bytes of frames it has.
    pub fn bytes(&self) -> usize {
        self.frames.bytes() + self.growing_bytes
    }

    /// How many samples it has.
    pub fn samples(&self) -> u64 {
        self.frames.samples() + self.growing_samples
    }

    /// A series has a delta from now on.
    pub fn begin(&mut self, slot: Slot, family: &Family, labels: LabelPairs<'_>) {
        self.slots.push(slot);
        self.growing_bytes += BYTES_OF_DELTA + labels.as_bytes().len();
        if self.families.insert(family.uid()) {
            self.growing_bytes += family.bytes();
        }
    }

    /// A sample was added to a delta, which was of so many bytes before.
    #[inline]
    pub fn note_added(&mut self, value: &DeltaValue, bytes_before: usize) {
        self.growing_bytes = self.growing_bytes + value.bytes() - bytes_before;
        self.growing_samples += 1;
    }

    /// A delta has an exemplar from now on.
    pub fn note_exemplar(&mut self, exemplar: &KeptExemplar) {
        self.growing_bytes += BYTES_OF_EXEMPLAR + exemplar.labels().as_bytes().len();
    }

    /// Nothing is added any more to what a delta of this lane has come to; its series
    /// begins another one.
    pub fn finish_delta(&mut self, delta: &Delta<'_>) {
        self.frames.push(delta);
        self.growing_bytes -= delta.value.bytes();
        self.growing_samples -= delta.samples;
    }

    /// Puts these frames before all that comes.
    pub fn restore(&mut self, chunk: Chunk) {
        self.frames = FrameWriter::after(chunk);
    }

    /// A copy of the deltas that are finished.
    pub fn frames(&self) -> FrameWriter {
        self.frames.clone()
    }

    /// The series with deltas that grow.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Empties it.
    pub fn take(&mut self) -> (FrameWriter, Vec<Slot>) {
        let Self { frames, slots, .. } = std::mem::take(self);
        (frames, slots)
    }
}
