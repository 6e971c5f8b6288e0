//! What is stored, as postcard writes it: the order of fields and variants is
//! the format. A new variant comes last, and says in `since` with which version of
//! segments it came: a segment is of the greatest version that its records ask for,
//! so that a gateway which does not know one of them refuses it as newer. Any other
//! change is a new version of the blob that holds the record.

use std::borrow::Cow;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

mod error;
mod instants;

pub use error::StateError;
pub(crate) use instants::Since;
pub use instants::{Instants, RunTime};

/// What a head has in every version, see [`super::Head`].
#[derive(Debug, Serialize, Deserialize)]
pub struct HeadRecord {
    /// In milliseconds.
    pub run_time: u64,
    pub tombstone_key: [u8; 16],
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SectionRecord<'a> {
    pub number: u8,
    /// Whether a gateway that does not know the number can't read the state.
    pub is_needed: bool,
    pub content: Cow<'a, [u8]>,
}

/// See [`super::archive`].
#[derive(Debug, Serialize, Deserialize)]
pub struct IndexRecord<'a> {
    pub head: &'a [u8],
    /// Of each segment, in order of their numbers.
    pub lengths: Vec<u64>,
}

impl SectionRecord<'_> {
    /// A section that holds one value.
    pub fn new(number: u8, is_needed: bool, value: &impl Serialize) -> Self {
        let mut content = Vec::new();
        append(&mut content, value);
        Self { number, is_needed, content: content.into() }
    }
}

/// What stands before the series of a segment.
#[derive(Debug, Serialize, Deserialize)]
pub struct SegmentRecord<'a> {
    pub segment: u16,
    /// The run time in milliseconds to which ages in this segment relate.
    pub taken: u64,
    pub families: Vec<FamilyRecord<'a>>,
    /// How many series follow,
    pub series: u64,
    /// and how many tombstones after them.
    pub tombstones: u64,
}

/// A family; series refer to it by its position in the segment.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyRecord<'a> {
    /// Its uid in the process that stored it; it keeps it, so that of two that
    /// had one name in turn the newer stays known.
    pub uid: u64,
    pub name: Cow<'a, str>,
    pub help: Cow<'a, str>,
    pub shape: ShapeRecord<'a>,
    /// Stands in a section of its segment; empty where there is none.
    #[serde(skip)]
    pub unit: Cow<'a, str>,
}

/// See [`crate::metric::Shape`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum ShapeRecord<'a> {
    Counter,
    Gauge,
    /// The upper bounds.
    Histogram(Cow<'a, [f64]>),
    Summary {
        objectives: Cow<'a, [(f64, f64)]>,
        /// Windows are of use only under these settings.
        window: WindowSettings,
    },
    /// Of a histogram whose series are native, maybe beside upper bounds.
    NativeHistogram {
        bounds: Cow<'a, [f64]>,
        schema: i8,
    },
}

/// How the windows of a family were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSettings {
    pub slot_ms: u64,
    pub slots: u64,
    pub targeted: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SeriesRecord<'a> {
    /// The position of its family in the segment.
    pub family: u32,
    /// The canonical label text.
    pub labels: &'a str,
    /// The label text to print, where that is another one.
    pub display: Option<&'a str>,
    /// How long before its segment was taken the last value came, in
    /// milliseconds.
    pub idle: u64,
    /// The time to live that came with a sample, in milliseconds; 0 is never.
    pub ttl: Option<u64>,
    /// Whether it is its family's overflow series, which has no place.
    pub overflow: bool,
    pub value: ValueRecord<'a>,
}

/// An exemplar of a series; which bucket it is of follows from its value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct ExemplarRecord<'a> {
    /// The label text.
    pub labels: &'a str,
    pub value: f64,
    /// In microseconds of Unix time.
    pub at: i64,
}

/// See [`crate::store::Tombstone`].
#[derive(Debug, Serialize, Deserialize)]
pub struct TombstoneRecord {
    /// The position of its family in the segment.
    pub family: u32,
    pub id: [u8; 16],
    /// How long before its segment was taken the series expired, in
    /// milliseconds.
    pub age: u64,
}

/// How a tombstone numbers the totals that there may be; what was appended by
/// [`append_total`] follows it.
const COUNTER_TOTAL: u32 = 0;
const HISTOGRAM_TOTAL: u32 = 1;
const EXACT_COUNTER_TOTAL: u32 = 2;
const GAUGE_TOTAL: u32 = 3;
const NATIVE_HISTOGRAM_TOTAL: u32 = 4;

/// See [`crate::metric::Value`].
#[derive(Debug, Serialize, Deserialize)]
pub enum ValueRecord<'a> {
    Counter(f64),
    Gauge {
        value: f64,
        /// When it was measured, in microseconds of Unix time.
        at: i64,
    },
    Histogram {
        /// Not cumulative; the last is the `+Inf` bucket.
        counts: Cow<'a, [u64]>,
        sum: f64,
    },
    Summary {
        sum: f64,
        count: u64,
        /// `None` where the family has no objectives.
        window: Option<WindowRecord<'a>>,
    },
    /// A counter's total as a double, and what that leaves out of it; not 0.
    ExactCounter {
        sum: f64,
        rest: f32,
    },
    /// A gauge that has been added to.
    GaugeTotal {
        value: f64,
        /// When it was set last, in microseconds of Unix time.
        at: i64,
    },
    /// A histogram with a native side.
    NativeHistogram {
        /// As in a histogram without one.
        counts: Cow<'a, [u64]>,
        sum: f64,
        native: NativeRecord,
    },
}

/// See [`crate::metric::native::NativeHistogram`].
#[derive(Debug, Serialize, Deserialize)]
pub struct NativeRecord {
    pub schema: i8,
    pub zero_threshold: f64,
    pub zero_count: u64,
    /// How long before its segment was taken it was empty last, in milliseconds.
    pub age: u64,
    /// The numbers of buckets and their counts, ascending.
    pub positive: Vec<(i32, u64)>,
    pub negative: Vec<(i32, u64)>,
}

/// See [`crate::metric::quantile::Window`].
#[derive(Debug, Serialize, Deserialize)]
pub struct WindowRecord<'a> {
    /// The number of the current slot.
    pub slot: u64,
    /// When it ends, in milliseconds after its segment was taken.
    pub ends_in: i64,
    /// Oldest first.
    pub ages: Vec<AgeRecord<'a>>,
    pub waiting: Cow<'a, [f64]>,
}

/// The observations since the beginning of one slot.
#[derive(Debug, Serialize, Deserialize)]
pub struct AgeRecord<'a> {
    pub slot: u64,
    /// Which one of those that wait is its first.
    pub waiting_from: u64,
    pub sketch: SketchRecord<'a>,
}

/// The condensed observations of an age bucket.
#[derive(Debug, Serialize, Deserialize)]
pub enum SketchRecord<'a> {
    /// Is not written any more, and passed over where it was.
    Biased {
        extremes: Option<(f64, f64)>,
        /// What the `quantiles` crate wrote of its CKMS, if there was one.
        ckms: Option<Cow<'a, [u8]>>,
    },
    Targeted {
        count: u64,
        /// Value, g and Δ, ascending.
        tuples: Vec<(f64, u32, u32)>,
    },
}

/// The first version of segments. Each version with new records is odd; the even one
/// after it has the same, and tells after each series and each tombstone when its
/// total began.
pub const FIRST: u16 = 1;
/// That of segments whose list of families is followed by sections, and in which names
/// need not be legacy ones.
pub const WITH_SECTIONS: u16 = 3;
/// That of counters beyond what a double holds, and of gauges that are totals.
const WITH_EXACT_TOTALS: u16 = 5;
/// That of native histograms.
const WITH_NATIVE_HISTOGRAMS: u16 = 7;
/// The newest one.
pub const NEWEST: u16 = with_created(WITH_NATIVE_HISTOGRAMS);

/// The version after `version`, which tells when totals began.
pub const fn with_created(version: u16) -> u16 {
    version + 1
}

/// Whether a segment of that version tells when totals began.
pub fn has_created(version: u16) -> bool {
    version.is_multiple_of(2)
}

impl ShapeRecord<'_> {
    /// The version that it came with.
    pub fn since(&self) -> u16 {
        match self {
            ShapeRecord::Counter
            | ShapeRecord::Gauge
            | ShapeRecord::Histogram(_)
            | ShapeRecord::Summary { .. } => FIRST,
            ShapeRecord::NativeHistogram { .. } => WITH_NATIVE_HISTOGRAMS,
        }
    }
}

impl ValueRecord<'_> {
    /// The version that it came with, or what is in it.
    pub fn since(&self) -> u16 {
        match self {
            ValueRecord::Counter(_) | ValueRecord::Gauge { .. } | ValueRecord::Histogram { .. } => {
                FIRST
            }
            ValueRecord::Summary { window, .. } => {
                window.as_ref().map_or(FIRST, WindowRecord::since)
            }
            ValueRecord::ExactCounter { .. } | ValueRecord::GaugeTotal { .. } => WITH_EXACT_TOTALS,
            ValueRecord::NativeHistogram { .. } => WITH_NATIVE_HISTOGRAMS,
        }
    }
}

impl WindowRecord<'_> {
    fn since(&self) -> u16 {
        self.ages.iter().map(|age| age.sketch.since()).max().unwrap_or(FIRST)
    }
}

impl SketchRecord<'_> {
    fn since(&self) -> u16 {
        match self {
            SketchRecord::Biased { .. } | SketchRecord::Targeted { .. } => FIRST,
        }
    }
}

pub fn append(blob: &mut Vec<u8>, record: &impl Serialize) {
    postcard::serialize_with_flavor(record, AppendTo(blob)).expect("memory takes what is written");
}

/// Appends what a series had come to that is a total.
pub fn append_total(blob: &mut Vec<u8>, total: &ValueRecord<'_>) {
    match total {
        ValueRecord::Counter(total) => append(blob, &(COUNTER_TOTAL, total)),
        ValueRecord::Histogram { counts, sum } => append(blob, &(HISTOGRAM_TOTAL, counts, sum)),
        ValueRecord::ExactCounter { sum, rest } => append(blob, &(EXACT_COUNTER_TOTAL, sum, rest)),
        ValueRecord::GaugeTotal { value, at } => append(blob, &(GAUGE_TOTAL, value, at)),
        ValueRecord::NativeHistogram { counts, sum, native } => {
            append(blob, &(NATIVE_HISTOGRAM_TOTAL, counts, sum, native));
        }
        ValueRecord::Gauge { .. } | ValueRecord::Summary { .. } => {
            unreachable!("they are no totals")
        }
    }
}

/// Takes a record off the front of `rest`.
pub fn take<'a, R: Deserialize<'a>>(
    rest: &mut &'a [u8],
    what: &'static str,
) -> Result<R, StateError> {
    let (record, after) = postcard::take_from_bytes(rest).map_err(|error| {
        // An error of serde itself, which complains of one thing only in such
        // records: of a variant whose number is none that it knows.
        if error == postcard::Error::SerdeDeCustom {
            return StateError::NewerRecord { what };
        }
        StateError::malformed(what)
    })?;
    *rest = after;
    Ok(record)
}

/// Takes what [`append_total`] appended.
pub fn take_total(rest: &mut &[u8]) -> Result<ValueRecord<'static>, StateError> {
    const WHAT: &str = "a tombstone";
    match take(rest, WHAT)? {
        COUNTER_TOTAL => take(rest, WHAT).map(ValueRecord::Counter),
        HISTOGRAM_TOTAL => {
            take(rest, WHAT).map(|(counts, sum)| ValueRecord::Histogram { counts, sum })
        }
        EXACT_COUNTER_TOTAL => {
            take(rest, WHAT).map(|(sum, rest)| ValueRecord::ExactCounter { sum, rest })
        }
        GAUGE_TOTAL => take(rest, WHAT).map(|(value, at)| ValueRecord::GaugeTotal { value, at }),
        NATIVE_HISTOGRAM_TOTAL => take(rest, WHAT)
            .map(|(counts, sum, native)| ValueRecord::NativeHistogram { counts, sum, native }),
        _ => Err(StateError::NewerRecord { what: WHAT }),
    }
}

/// Refuses bytes after the last record.
pub fn expect_end(rest: &[u8]) -> Result<(), StateError> {
    match rest {
        [] => Ok(()),
        _ => Err(StateError::malformed("something follows its end")),
    }
}

/// Where postcard writes to: the end of a buffer.
struct AppendTo<'a>(&'a mut Vec<u8>);

impl Flavor for AppendTo<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
