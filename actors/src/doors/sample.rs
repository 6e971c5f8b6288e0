//! What every door makes of what it reads: samples in the payload format, as
//! docs/produce.md describes it, in elements that are arrays of samples.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use psg_engine::metric::{GaugeOp, Kind};
use serde::{Serialize, Serializer};

use crate::self_metrics::doors::{Door, LeftOut, SampleReason};

/// Elements are filled up to this many bytes: a reader takes some of them at once, and
/// what one of them costs is spread over a hundred samples.
const ELEMENT_BYTES: usize = 32 * 1024;

/// Labels, in the order in which they are written.
pub type PushedLabels<'a> = [(Cow<'a, str>, Cow<'a, str>)];

/// A sample as a door found it; what is absent is not written. Whether it is valid
/// (names, limits, the type of its metric) is judged where it is taken from the queue,
/// as that of any other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PushedSample<'a> {
    /// Its metric type.
    #[serde(rename = "type", serialize_with = "kind_word")]
    pub kind: Kind,
    /// The metric's name.
    pub name: &'a str,
    /// For the first sample of a metric: it would be repeated in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'a str>,
    /// What the numbers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'a str>,
    /// Names should be unique: of two the last counts.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_object")]
    pub labels: &'a PushedLabels<'a>,
    /// What was measured.
    #[serde(flatten)]
    pub value: PushedValue<'a>,
    /// What the value does to a gauge; `None` sets it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "op_word")]
    pub op: Option<GaugeOp>,
    /// When it was measured, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<f64>,
    /// One of the events behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exemplar: Option<PushedExemplar<'a>>,
}

/// A sample as it is written: what it came by stands first, so that it is still there
/// where only the beginning of a refused one is kept.
#[derive(Serialize)]
struct FromDoor<'a> {
    #[serde(serialize_with = "door_word")]
    door: Door,
    #[serde(flatten)]
    sample: &'a PushedSample<'a>,
}

/// What was measured, by the fields that say it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PushedValue<'a> {
    /// A number.
    One {
        /// Not negative for a counter.
        value: f64,
    },
    /// One observation of a histogram.
    Observed {
        /// Its buckets; `None` are the operator's.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<&'a [f64]>,
        /// What was observed.
        value: f64,
    },
    /// Observations of a histogram or a summary.
    Several {
        /// One by one; at least one, at most `Metrics.MaxValues`.
        values: &'a [f64],
        /// Of a histogram; `None` are the operator's.
        #[serde(skip_serializing_if = "Option::is_none")]
        buckets: Option<&'a [f64]>,
        /// Of a native histogram.
        #[serde(skip_serializing_if = "Option::is_none")]
        factor: Option<f64>,
    },
    /// Observations that the client has counted since it last told of them.
    Counted {
        /// Upper bounds of a histogram, without the infinite one.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        buckets: &'a [f64],
        /// How many fell into each bucket alone, one more than there are bounds; of a
        /// summary how many there were.
        counts: &'a [u64],
        /// What they come to.
        sum: f64,
    },
    /// The same in the buckets of a native histogram.
    Native {
        /// How many fell into each.
        native: PushedNative<'a>,
        /// What they come to.
        sum: f64,
    },
}

/// How many observations fell into each bucket of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PushedNative<'a> {
    /// How fine it is: the bounds are powers of 2^(2^-schema).
    pub schema: i32,
    /// Up to which magnitude observations count as zero.
    pub zero_threshold: f64,
    /// How many there were of these.
    pub zero_count: u64,
    /// Those above zero.
    pub positive: PushedBuckets<'a>,
    /// Those below zero, by their magnitude.
    pub negative: PushedBuckets<'a>,
}

/// One side of a native histogram: buckets that have counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PushedBuckets<'a> {
    /// Rising; that of the bucket up to 1 is 0.
    pub indexes: &'a [i32],
    /// As many.
    pub counts: &'a [u64],
}

/// An exemplar as it came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PushedExemplar<'a> {
    /// Such as `trace_id`.
    #[serde(serialize_with = "as_object")]
    pub labels: &'a PushedLabels<'a>,
    /// What that event measured; `None` is the sample's value, where that is a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// When it happened, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<f64>,
}

impl From<SampleRefused> for SampleReason {
    /// Why it is left out, where the others go on.
    fn from(refused: SampleRefused) -> Self {
        match refused {
            SampleRefused::NotFinite => SampleReason::NotFinite,
            SampleRefused::TooLong | SampleRefused::TooMany => SampleReason::TooLong,
        }
    }
}

impl<'a> PushedSample<'a> {
    /// A sample that says no more than this; the start of one that says more.
    pub fn of(kind: Kind, name: &'a str, value: PushedValue<'a>) -> Self {
        Self {
            kind,
            name,
            help: None,
            unit: None,
            labels: &[],
            value,
            op: None,
            timestamp: None,
            exemplar: None,
        }
    }
}

/// How large elements may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementLimits {
    /// Bytes of one element, as `Metrics.MaxPayloadBytes` says.
    pub max_payload_bytes: usize,
    /// Bytes of all elements of one request.
    pub max_bytes: usize,
}

/// Why a sample is not among the elements, which are as they were before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SampleRefused {
    /// JSON has no word for it.
    #[error("expected a finite number, got NaN or an infinite one")]
    NotFinite,
    /// It is larger than an element may be.
    #[error("expected a sample of at most Metrics.MaxPayloadBytes")]
    TooLong,
    /// All samples together are too large for one request.
    #[error("expected fewer samples in one request: their elements are too large together")]
    TooMany,
}

/// Elements for the queue, each a JSON array of samples, one after the other in one
/// buffer.
#[derive(Debug)]
pub struct Elements {
    door: Door,
    bytes: Vec<u8>,
    elements: Vec<Range<usize>>,
    samples: u64,
    left_out: LeftOut,
    /// The one that is being added.
    sample: Vec<u8>,
    /// Bytes of samples that were too long. A name or a label that many samples have
    /// comes once in some formats: they cost time though nothing comes of them.
    in_vain: usize,
    limits: ElementLimits,
}

impl Elements {
    /// No elements yet, for what comes by that door.
    pub fn new(door: Door, limits: ElementLimits) -> Self {
        Self {
            door,
            bytes: Vec::new(),
            elements: Vec::new(),
            samples: 0,
            left_out: LeftOut::default(),
            sample: Vec::new(),
            in_vain: 0,
            limits,
        }
    }

    /// Adds a sample, behind those that are there.
    ///
    /// # Errors
    /// It can't be written, or there is no room for it.
    pub fn push(&mut self, sample: &PushedSample<'_>) -> Result<(), SampleRefused> {
        if !sample.is_finite() {
            return Err(SampleRefused::NotFinite);
        }
        self.sample.clear();
        let ElementLimits { max_payload_bytes, max_bytes } = self.limits;
        let room = max_payload_bytes.saturating_sub("[]".len());
        let sample = FromDoor { door: self.door, sample };
        let written = serde_json::to_writer(Bounded { bytes: &mut self.sample, room }, &sample);
        if let Err(cause) = written {
            assert!(cause.is_io(), "it is an object with texts as keys: {cause}");
            self.in_vain += max_payload_bytes;
            let is_too_much = self.in_vain > max_bytes;
            return Err(if is_too_much { SampleRefused::TooMany } else { SampleRefused::TooLong });
        }
        let alone = "[]".len() + self.sample.len();
        if self.bytes.len() + alone > max_bytes {
            return Err(SampleRefused::TooMany);
        }
        let element_bytes = ELEMENT_BYTES.min(max_payload_bytes);
        let joins = |last: &&mut Range<usize>| last.len() + alone <= element_bytes;
        match self.elements.last_mut().filter(joins) {
            Some(last) => {
                // In place of the end of the array.
                self.bytes.pop();
                self.bytes.push(b',');
                last.end += self.sample.len() + ",".len();
            }
            None => {
                let begin = self.bytes.len();
                self.elements.push(begin..begin + alone);
                self.bytes.push(b'[');
            }
        }
        self.bytes.append(&mut self.sample);
        self.bytes.push(b']');
        self.samples += 1;
        Ok(())
    }

    /// Lets all of them come to so many bytes, where that is more than they may.
    pub fn allow(&mut self, max_bytes: usize) {
        self.limits.max_bytes = self.limits.max_bytes.max(max_bytes);
    }

    /// How large they may be.
    pub fn limits(&self) -> ElementLimits {
        self.limits
    }

    /// Notes samples of the request that are not among them.
    pub fn leave_out(&mut self, reason: SampleReason, samples: u64) {
        self.left_out[reason as usize] += samples;
    }

    /// How many samples were left out, and why.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The elements, in the order in which they are to be taken.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.elements.iter().map(|element| &self.bytes[element.clone()])
    }

    /// Takes out the bytes of all elements, and where each lies.
    pub fn take_parts(&mut self) -> (Vec<u8>, Vec<Range<usize>>) {
        self.samples = 0;
        (std::mem::take(&mut self.bytes), std::mem::take(&mut self.elements))
    }
}

impl PushedSample<'_> {
    fn is_finite(&self) -> bool {
        let all = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let value = match self.value {
            PushedValue::One { value } => value.is_finite(),
            PushedValue::Observed { buckets, value } => {
                value.is_finite() && all(buckets.unwrap_or_default())
            }
            PushedValue::Several { values, buckets, factor } => {
                all(values) && all(buckets.unwrap_or_default()) && all(factor.as_slice())
            }
            PushedValue::Counted { buckets, counts: _, sum } => all(buckets) && sum.is_finite(),
            PushedValue::Native { native, sum } => {
                native.zero_threshold.is_finite() && sum.is_finite()
            }
        };
        let exemplar = self.exemplar.is_none_or(|exemplar| {
            all(exemplar.value.as_slice()) && all(exemplar.timestamp.as_slice())
        });
        value && exemplar && all(self.timestamp.as_slice())
    }
}

/// Takes no more bytes than there is room for.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    room: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn door_word<S: Serializer>(door: &Door, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(door.as_str())
}

fn kind_word<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

fn op_word<S: Serializer>(op: &Option<GaugeOp>, serializer: S) -> Result<S::Ok, S::Error> {
    op.map(GaugeOp::as_str).serialize(serializer)
}

fn as_object<S: Serializer>(labels: &PushedLabels<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter().map(|(name, value)| (name, value)))
}

/// The samples of all elements as a reader finds them, without the door that each names.
#[cfg(test)]
pub(super) fn samples_of(elements: &Elements) -> Vec<serde_json::Value> {
    let array = |element| serde_json::from_slice(element).expect("an array");
    let mut samples: Vec<serde_json::Value> =
        elements.iter().flat_map::<Vec<_>, _>(array).collect();
    for sample in &mut samples {
        let door = sample.as_object_mut().and_then(|members| members.remove("door"));
        assert_eq!(door, Some(elements.door.as_str().into()), "{sample}");
    }
    samples
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 1 << 24 };

    fn counter(name: &str, value: f64) -> PushedSample<'_> {
        PushedSample::of(Kind::Counter, name, PushedValue::One { value })
    }

    /// What a reader would find: the samples of each element.
    fn read(elements: &Elements) -> Vec<Vec<Value>> {
        let array = |element| serde_json::from_slice(element).expect("an array");
        elements.iter().map(array).collect()
    }

    #[test]
    fn every_field_as_the_format_has_it() {
        let labels = [("a".into(), "ö\n".into()), ("b".into(), Cow::Borrowed(""))];
        let traces = [(Cow::Borrowed("trace_id"), Cow::Borrowed("t"))];
        let mut elements = Elements::new(Door::Statsd, LIMITS);
        let gauge = PushedSample {
            help: Some("h"),
            unit: Some("bytes"),
            labels: &labels,
            op: Some(GaugeOp::Add),
            timestamp: Some(1.5),
            exemplar: Some(PushedExemplar { labels: &traces, value: None, timestamp: Some(2.0) }),
            ..PushedSample::of(Kind::Gauge, "g", PushedValue::One { value: -1.0 })
        };
        let several = PushedValue::Several { values: &[1.0], buckets: None, factor: Some(1.1) };
        let counted = PushedValue::Counted { buckets: &[0.5], counts: &[1, 2], sum: 3.0 };
        let of_summary = PushedValue::Counted { buckets: &[], counts: &[2], sum: 3.0 };
        let native = PushedNative {
            schema: 3,
            zero_threshold: 0.0,
            zero_count: 1,
            positive: PushedBuckets { indexes: &[-1, 2], counts: &[3, 4] },
            negative: PushedBuckets::default(),
        };
        for sample in [
            gauge,
            PushedSample::of(Kind::Histogram, "n", several),
            PushedSample::of(Kind::Histogram, "c", counted),
            PushedSample::of(Kind::Summary, "s", of_summary),
            PushedSample::of(Kind::Histogram, "e", PushedValue::Native { native, sum: 4.0 }),
        ] {
            assert_eq!(elements.push(&sample), Ok(()));
        }
        let expected = json!([
            {"type": "gauge", "name": "g", "help": "h", "unit": "bytes",
             "labels": {"a": "ö\n", "b": ""}, "value": -1.0, "op": "add", "timestamp": 1.5,
             "exemplar": {"labels": {"trace_id": "t"}, "timestamp": 2.0}},
            {"type": "histogram", "name": "n", "values": [1.0], "factor": 1.1},
            {"type": "histogram", "name": "c", "buckets": [0.5], "counts": [1, 2], "sum": 3.0},
            {"type": "summary", "name": "s", "counts": [2], "sum": 3.0},
            {"type": "histogram", "name": "e", "sum": 4.0,
             "native": {"schema": 3, "zero_threshold": 0.0, "zero_count": 1,
                        "positive": {"indexes": [-1, 2], "counts": [3, 4]},
                        "negative": {"indexes": [], "counts": []}}},
        ]);
        assert_eq!(json!(samples_of(&elements)), expected);
        let element = elements.iter().next().unwrap_or_default();
        let begin = br#"[{"door":"statsd","type":"gauge","name":"g""#;
        assert!(element.starts_with(begin), "{}", element.escape_ascii());
        assert_eq!((elements.samples(), elements.len(), elements.is_empty()), (5, 1, false));
    }

    #[test]
    fn what_is_refused_leaves_nothing() {
        let mut elements =
            Elements::new(Door::Statsd, ElementLimits { max_payload_bytes: 100, max_bytes: 150 });
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(elements.push(&counter("a", number)), Err(SampleRefused::NotFinite));
        }
        let long = "a".repeat(100);
        assert_eq!(elements.push(&counter(&long, 1.0)), Err(SampleRefused::TooLong));
        assert!(elements.is_empty() && elements.bytes() == 0 && elements.iter().next().is_none());
        assert_eq!(elements.push(&counter(&long, 1.0)), Err(SampleRefused::TooMany), "in vain");
        while elements.push(&counter("abcdefgh", 1.0)).is_ok() {}
        assert_eq!(elements.push(&counter("a", 1.0)), Err(SampleRefused::TooMany));
        assert_eq!(read(&elements).concat().len() as u64, elements.samples());
        assert!(elements.samples() > 1 && elements.bytes() <= 150, "{}", elements.bytes());
    }

    proptest! {
        /// All samples are there, in order, and no element is longer than allowed.
        #[test]
        fn elements_are_arrays_within_their_bounds(
            lengths in vec(1_usize..3000, 1..60),
            max_payload_bytes in 64_usize..100_000,
        ) {
            let mut elements = Elements::new(Door::Statsd, ElementLimits { max_payload_bytes, ..LIMITS });
            let mut expected = Vec::new();
            for length in lengths {
                let name = "n".repeat(length);
                match elements.push(&counter(&name, 1.0)) {
                    Ok(()) => expected.push(name),
                    Err(refused) => prop_assert_eq!(refused, SampleRefused::TooLong),
                }
            }
            let bound = max_payload_bytes.min(ELEMENT_BYTES);
            prop_assert!(elements.iter().all(|element| element.len() <= bound));
            let names: Vec<Value> =
                read(&elements).concat().iter().map(|sample| sample["name"].clone()).collect();
            prop_assert_eq!(json!(names), json!(expected));
            prop_assert_eq!(elements.iter().map(<[u8]>::len).sum::<usize>(), elements.bytes());
        }
    }
}
