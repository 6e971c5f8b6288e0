//! The pending batch: its accepted samples, until all their shards have said
//! where the series lie.

use std::ops::Range;

use super::entry_id::EntryId;
use crate::metric::GaugeOp;
use crate::reject::DroppedExemplar;
use crate::sample::Sample;
use crate::timestamp::UnixTime;
use crate::updates::{Arena, Details};
use crate::wire::Place;

/// Elements of arrays that are kept room for.
pub const KEPT_ELEMENTS: usize = 4096;

/// The accepted samples of a batch.
#[derive(Debug, Default)]
pub struct PendingBatch {
    pub taken_at: UnixTime,
    /// The newest timestamp of its samples.
    pub newest: Option<UnixTime>,
    pub(super) samples: Vec<PendingSample>,
    /// What few samples say besides their value, with their index.
    pub(super) details: Vec<(usize, Details)>,
    pub(super) arena: Arena,
    pub(super) dropped_exemplars: [u64; DroppedExemplar::ALL.len()],
    /// Which samples came in arrays.
    array_elements: Vec<ArrayElement>,
    payloads: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct PendingSample {
    pub entry: EntryId,
    pub origin: Origin,
    /// As it was sent, or normalized.
    pub value: f64,
}

// There is one for each sample of a batch.
const _: () = assert!(size_of::<PendingSample>() == 16);

/// Which payload of the batch a sample came in, and what it does to its series.
#[derive(Debug, Clone, Copy)]
pub struct Origin(u32);

impl Origin {
    const OP_BITS: u32 = GaugeOp::ALL.len().ilog2();

    #[inline]
    fn new(payload: u32, op: GaugeOp) -> Self {
        Self(payload << Self::OP_BITS | op as u32)
    }

    #[inline]
    pub fn payload(self) -> u32 {
        self.0 >> Self::OP_BITS
    }

    #[inline]
    pub fn op(self) -> GaugeOp {
        GaugeOp::ALL[self.0 as usize % GaugeOp::ALL.len()]
    }
}

/// Where a sample stood in the array that it came in.
#[derive(Debug)]
struct ArrayElement {
    sample: u32,
    place: Place,
}

/// A range of a payload as it is noted.
#[inline]
pub fn place(range: &Range<usize>) -> Place {
    (range.start as u32, range.end as u32)
}

impl PendingBatch {
    /// Counts the next payload; its number.
    #[inline]
    pub fn next_payload(&mut self) -> u32 {
        self.payloads += 1;
        self.payloads - 1
    }

    /// Takes a sample in whose series is known.
    #[inline]
    pub fn push(&mut self, entry: EntryId, payload: u32, sample: &Sample<'_>) {
        self.newest = self.newest.max(sample.timestamp);
        if let Some(Err(dropped)) = sample.exemplar {
            self.dropped_exemplars[dropped as usize] += 1;
        }
        let details = Details::of(sample, &mut self.arena);
        self.push_value(entry, payload, sample.op, sample.value, details);
    }

    /// The same of what an update is made of.
    #[inline]
    pub fn push_value(
        &mut self,
        entry: EntryId,
        payload: u32,
        op: GaugeOp,
        value: f64,
        details: Details,
    ) {
        if !details.is_none() {
            self.note_details(details);
        }
        self.samples.push(PendingSample { entry, origin: Origin::new(payload, op), value });
    }

    #[cold]
    fn note_details(&mut self, details: Details) {
        self.details.push((self.samples.len(), details));
    }

    /// Notes where in its payload the sample stood that was taken in last.
    #[inline]
    pub fn note_place(&mut self, place: Place) {
        let sample = self.samples.len() as u32 - 1;
        self.array_elements.push(ArrayElement { sample, place });
    }

    /// Where in its payload a sample stood, if that is an array.
    pub fn place_of(&self, sample: usize) -> Option<Range<usize>> {
        let sample = sample as u32;
        let found = self.array_elements.binary_search_by_key(&sample, |element| element.sample);
        let (start, end) = self.array_elements[found.ok()?].place;
        Some(start as usize..end as usize)
    }

    /// Empties it for the next batch.
    pub fn clear(&mut self) {
        self.payloads = 0;
        self.newest = None;
        self.samples.clear();
        self.details.clear();
        self.arena.clear();
        self.dropped_exemplars = Default::default();
        self.array_elements.clear();
        self.array_elements.shrink_to(KEPT_ELEMENTS);
    }
}
