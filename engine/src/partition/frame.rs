//! Frames: elements of a home's queue, each with deltas of many series.
//!
//! A frame is a blob as those of [`state`](crate::state) are: `PSGF`, its version, a
//! checksum, then postcard: the families that it has deltas of, how many deltas there
//! are, and these. No payload begins as a frame does. A version that is not known is
//! said to be newer, never damaged: what it holds must not be lost.
//!
//! Only routers write to the queue of a home, yet what a frame says is held to what
//! payloads are held to; a frame that breaks a rule is refused as a whole.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::delta::{DeltaValue, GaugeStep};
use crate::labels::LabelPairs;
use crate::metric::Kind;
use crate::record::{self, ExemplarRecord, FamilyRecord, ShapeRecord, ValueRecord};
use crate::state::frame::{self as blob, Content};
use crate::state::{StateError, check};
use crate::timestamp::Ttl;

pub(super) const FRAME: Content =
    Content { magic: *b"PSGF", name: "a frame of deltas", newest: VERSION };
pub(super) const VERSION: u16 = 1;
/// What messages call a part of it.
const WHAT: &str = "a frame";
/// More samples than any delta is, so that sums of them are numbers.
const MOST_SAMPLES: u64 = 1 << 40;

/// Frames are no longer, but for those of one delta that is.
pub const MOST_BYTES: usize = 64 * 1024;

/// Whether an element begins as a frame does.
#[inline]
pub fn is_frame(element: &[u8]) -> bool {
    element.starts_with(&FRAME.magic)
}

/// A family that a frame has deltas of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FrameFamily<'a> {
    /// Its uid is 0: each process has its own.
    pub record: FamilyRecord<'a>,
    pub(super) unit: Cow<'a, str>,
    /// As in [`Sample`](crate::sample::Sample).
    pub buckets_by_default: bool,
    /// Whether producers have counted what its deltas count.
    pub is_counted: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeltaRecord<'a> {
    /// Which one of the families of the frame it is of.
    pub family: u32,
    pub labels: &'a str,
    /// The labels in the order in which they were sent, where that is to be shown.
    pub display: Option<&'a str>,
    pub samples: u64,
    /// In seconds; 0 is for ever.
    pub ttl: Option<u32>,
    #[serde(borrow)]
    pub exemplar: Option<ExemplarRecord<'a>>,
    pub value: Cow<'a, DeltaValue>,
}

/// A frame that is undamaged and keeps to all rules.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    families: Vec<FrameFamily<'static>>,
    deltas: u32,
    samples: u64,
    /// Where its deltas begin.
    begin: usize,
    rest: &'a [u8],
}

/// A delta as it was read.
#[derive(Debug)]
pub(crate) struct FrameDelta<'a> {
    /// The position of its family.
    pub family: usize,
    /// The labels of its series.
    pub labels: LabelPairs<'a>,
    /// In the order in which they are to be shown.
    pub display: LabelPairs<'a>,
    /// How many samples it is.
    pub samples: u64,
    /// What the last sample with one has said.
    pub ttl: Option<Ttl>,
    /// The newest.
    pub exemplar: Option<ExemplarRecord<'a>>,
    /// What they add up to.
    pub value: DeltaValue,
    /// Where it lies in its frame.
    pub place: Range<usize>,
}

impl FrameFamily<'_> {
    /// Whether producers have counted by native buckets: those of a histogram that has
    /// no others.
    fn is_natively_counted(&self) -> bool {
        self.is_counted && self.buckets_by_default
    }
}

impl<'a> Frame<'a> {
    /// Reads a frame and checks all of it.
    pub fn open(element: &'a [u8]) -> Result<Self, StateError> {
        let (_, mut rest) = blob::open(FRAME, element)?;
        let mut families: Vec<FrameFamily<'static>> = record::take(&mut rest, WHAT)?;
        for family in &mut families {
            family.record.unit = std::mem::take(&mut family.unit);
            check_family(family)?;
        }
        let deltas = record::take(&mut rest, WHAT)?;
        let begin = element.len() - rest.len();
        let mut frame = Self { families, deltas, samples: 0, begin, rest };
        let mut samples = 0_u64;
        let mut reader = frame.reader();
        while let Some(delta) = reader.next_delta()? {
            frame.check_delta(&delta)?;
            samples = samples.saturating_add(delta.samples);
        }
        record::expect_end(reader.rest)?;
        frame.samples = samples;
        Ok(frame)
    }

    /// How many samples its deltas are.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The families, by position.
    pub fn families(&self) -> &[FrameFamily<'static>] {
        &self.families
    }

    /// Its deltas, in order.
    pub fn deltas(&self) -> impl Iterator<Item = FrameDelta<'a>> + use<'a> {
        let mut reader = self.reader();
        // Each was read before.
        std::iter::from_fn(move || reader.next_delta().ok().flatten())
    }

    fn reader(&self) -> DeltaReader<'a> {
        DeltaReader { left: self.deltas, at: self.begin, rest: self.rest }
    }

    fn check_delta(&self, delta: &FrameDelta<'_>) -> Result<(), StateError> {
        let Some(family) = self.families.get(delta.family) else {
            return Err(StateError::malformed("a delta of no family"));
        };
        let FrameDelta { labels, display, samples, exemplar, value, .. } = delta;
        check::labels(*labels, Some(*display).filter(|it| it != labels), &family.record)?;
        check::exemplars(exemplar.as_slice(), &family.record)?;
        if !(1..=MOST_SAMPLES).contains(samples) {
            return Err(StateError::malformed("how many samples a delta is"));
        }
        let is_expected = match (value, family.record.shape.kind()) {
            (DeltaValue::Counter { sum, rest }, Kind::Counter) => is_total(*sum, *rest),
            (DeltaValue::Gauge(steps), Kind::Gauge) => {
                is_list(steps, GaugeStep::is_finite) && steps.len() as u64 <= *samples
            }
            (DeltaValue::Values(values), Kind::Histogram | Kind::Summary) => {
                is_list(values, |value| value.is_finite()) && !family.is_counted
            }
            (DeltaValue::Counts { counts, sum }, Kind::Histogram | Kind::Summary) => {
                is_counted(counts, *sum, family)
            }
            (DeltaValue::Native(native), Kind::Histogram) => {
                family.is_natively_counted() && native.counts().is_some()
            }
            (
                DeltaValue::Counter { .. }
                | DeltaValue::Gauge(_)
                | DeltaValue::Values(_)
                | DeltaValue::Counts { .. }
                | DeltaValue::Native(_),
                _,
            ) => false,
        };
        if is_expected { Ok(()) } else { Err(StateError::malformed("the value of a delta")) }
    }
}

/// Reads the deltas of a frame, one after the other.
#[derive(Debug)]
struct DeltaReader<'a> {
    left: u32,
    at: usize,
    rest: &'a [u8],
}

impl<'a> DeltaReader<'a> {
    fn next_delta(&mut self) -> Result<Option<FrameDelta<'a>>, StateError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (begin, before) = (self.at, self.rest.len());
        let record: DeltaRecord<'a> = record::take(&mut self.rest, WHAT)?;
        self.at += before - self.rest.len();
        let DeltaRecord { family, labels, display, samples, ttl, exemplar, value } = record;
        Ok(Some(FrameDelta {
            family: family as usize,
            labels: LabelPairs::from_text(labels),
            display: LabelPairs::from_text(display.unwrap_or(labels)),
            samples,
            ttl: ttl.map(|seconds| Ttl::from_sample(f64::from(seconds))),
            exemplar,
            value: value.into_owned(),
            place: begin..self.at,
        }))
    }
}

fn check_family(family: &FrameFamily<'_>) -> Result<(), StateError> {
    check::metric(&family.record)?;
    let FrameFamily { buckets_by_default, is_counted, .. } = *family;
    let is_possible = match family.record.shape {
        ShapeRecord::Counter | ShapeRecord::Gauge => !buckets_by_default && !is_counted,
        ShapeRecord::Summary { .. } => !buckets_by_default,
        ShapeRecord::NativeHistogram { .. } => !is_counted,
        ShapeRecord::Histogram(ref bounds) => !family.is_natively_counted() || bounds.is_empty(),
    };
    if is_possible { Ok(()) } else { Err(StateError::malformed("a family of two kinds")) }
}

fn is_list<T>(list: &[T], is_valid: impl Fn(&T) -> bool) -> bool {
    !list.is_empty() && list.iter().all(is_valid)
}

fn is_total(sum: f64, rest: f32) -> bool {
    let record = match rest {
        0.0 => ValueRecord::Counter(sum),
        _ => ValueRecord::ExactCounter { sum, rest },
    };
    record.check().is_ok()
}

/// Whether these can be the counts of a family: of the buckets of a histogram, or of a
/// summary that its producer has counted.
fn is_counted(counts: &[u64], sum: f64, family: &FrameFamily<'_>) -> bool {
    let expected = match &family.record.shape {
        ShapeRecord::Histogram(bounds) if !family.is_natively_counted() => bounds.len() + 1,
        ShapeRecord::Summary { .. } if family.is_counted => 1,
        ShapeRecord::Histogram(_)
        | ShapeRecord::Summary { .. }
        | ShapeRecord::Counter
        | ShapeRecord::Gauge
        | ShapeRecord::NativeHistogram { .. } => return false,
    };
    let record = ValueRecord::Histogram { counts: counts.into(), sum };
    counts.len() == expected && record.check().is_ok()
}
