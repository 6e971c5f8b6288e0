//! A sample: one measured value as a producer sent it, checked and borrowed
//! from the bytes that carried it.

use std::fmt;

use crate::metric::native::Schema;
use crate::metric::{GaugeOp, Kind, Observations};
use crate::name::{Script, is_legacy_label};
use crate::reject::DroppedExemplar;
use crate::text::{LabelText, Texts};
use crate::timestamp::{Ttl, UnixTime};

/// One label as sent; neither text is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// A valid label name.
    pub name: &'a str,
    /// Never empty: an empty value is no label.
    pub value: &'a str,
}

/// The labels of a sample, in order. Cheap to copy: a view of the decoder's
/// notes, or of a slice of labels.
#[derive(Clone, Copy)]
pub struct Labels<'a>(LabelSource<'a>);

#[derive(Clone, Copy)]
enum LabelSource<'a> {
    Decoded { labels: &'a [LabelText], texts: Texts<'a>, script: Script },
    Listed(&'a [Label<'a>]),
}

/// One of the events that a sample is made of, such as the trace of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'a> {
    /// No longer than [`crate::exemplar::has_room_for`] says.
    pub labels: Labels<'a>,
    /// Finite.
    pub value: f64,
    /// When it happened; as its sample's, or when that was taken, if it doesn't say so.
    pub timestamp: UnixTime,
}

/// A valid sample. All of it borrows from the payload or from the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// Its metric type.
    pub kind: Kind,
    /// A valid metric name.
    pub name: &'a str,
    /// Empty where absent.
    pub help: &'a str,
    /// As in OpenMetrics, such as `seconds`; empty where absent.
    pub unit: &'a str,
    /// Finite; not negative for a counter. The sum where there are counts, 0 where
    /// there are several values.
    pub value: f64,
    /// Whether it is one observation, or several.
    pub observations: Observations<'a>,
    /// What a gauge's value does; [`GaugeOp::Set`] for other types.
    pub op: GaugeOp,
    /// In the order in which they were sent; names are unique.
    pub labels: Labels<'a>,
    /// Upper bounds, strictly increasing and finite, without the `+Inf` that
    /// ends every layout; empty for other types than histogram.
    pub buckets: &'a [f64],
    /// Whether it came without buckets that count, so that these are the operator's, or
    /// none where the histogram is native alone: then the layout of its family is as good.
    pub buckets_by_default: bool,
    /// How fine it asks a histogram to be, which is then native.
    pub schema: Option<Schema>,
    /// When it was measured, if it says so.
    pub timestamp: Option<UnixTime>,
    /// How long its series may stay idle, if it says so.
    pub ttl: Option<Ttl>,
    /// (φ, ε) pairs, φ ascending and unique, 0 ≤ φ ≤ 1, 0.0001 ≤ ε ≤ 1; empty
    /// for other types than summary.
    pub objectives: &'a [(f64, f64)],
    /// Its exemplar if it has one, or why that is dropped.
    pub exemplar: Option<Result<Exemplar<'a>, DroppedExemplar>>,
    /// How many samples of producers it stands for: 1, but for what a router has added
    /// up.
    pub samples: u64,
    /// Whether its counts are of values that a router has counted, by the buckets that
    /// these came with: they go into whichever buckets their family has.
    pub is_counted_values: bool,
}

impl<'a> Sample<'a> {
    /// A sample of value 0 that says nothing but its type and its name; the start of
    /// one that is made by hand, with the fields that it does say.
    pub const fn of(kind: Kind, name: &'a str) -> Self {
        Self {
            kind,
            name,
            help: "",
            unit: "",
            value: 0.0,
            observations: Observations::One,
            op: GaugeOp::Set,
            labels: Labels::NONE,
            buckets: &[],
            buckets_by_default: false,
            schema: None,
            timestamp: None,
            ttl: None,
            objectives: &[],
            exemplar: None,
            samples: 1,
            is_counted_values: false,
        }
    }
}

impl<'a> Labels<'a> {
    /// No labels.
    pub const NONE: Labels<'static> = Labels(LabelSource::Listed(&[]));

    pub(crate) fn decoded(labels: &'a [LabelText], texts: Texts<'a>, script: Script) -> Self {
        Self(LabelSource::Decoded { labels, texts, script })
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            LabelSource::Decoded { labels, .. } => labels.len(),
            LabelSource::Listed(labels) => labels.len(),
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label at `index`; panics, as a slice does, where there is none.
    #[inline]
    pub fn at(&self, index: usize) -> Label<'a> {
        match self.0 {
            LabelSource::Decoded { labels, texts, .. } => {
                let LabelText { name, value, .. } = labels[index];
                Label { name: texts.get(name), value: texts.get(value) }
            }
            LabelSource::Listed(labels) => labels[index],
        }
    }

    /// What their names are made of.
    #[inline]
    pub(crate) fn script(&self) -> Script {
        match self.0 {
            LabelSource::Decoded { script, .. } => script,
            LabelSource::Listed(labels) => {
                let are_legacy = labels.iter().all(|label| is_legacy_label(label.name));
                if are_legacy { Script::Legacy } else { Script::Any }
            }
        }
    }

    /// Whether the value of the label at `index` is known to have nothing that
    /// the exposition formats escape: in JSON that is escaped as well.
    #[inline]
    pub(crate) fn is_plain(&self, index: usize) -> bool {
        match self.0 {
            LabelSource::Decoded { labels, texts, .. } => texts.is_verbatim(labels[index].value),
            LabelSource::Listed(_) => false,
        }
    }

    /// The labels one by one.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Label<'a>> + Clone + use<'a> {
        let labels = *self;
        (0..labels.len()).map(move |index| labels.at(index))
    }
}

impl<'a> From<&'a [Label<'a>]> for Labels<'a> {
    fn from(labels: &'a [Label<'a>]) -> Self {
        Self(LabelSource::Listed(labels))
    }
}

impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
