//! What is stored, as postcard writes it: the order of fields and variants is
//! the format. A change here is a new version of it.

use std::borrow::Cow;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

mod error;
mod instants;

pub use error::StateError;
pub(crate) use instants::Since;
pub use instants::{Instants, RunTime};

/// See [`super::Head`].
#[derive(Debug, Serialize, Deserialize)]
pub struct HeadRecord {
    /// In milliseconds.
    pub run_time: u64,
    pub tombstone_key: [u8; 16],
}

/// See [`super::archive`].
#[derive(Debug, Serialize, Deserialize)]
pub struct IndexRecord<'a> {
    /// The blob of the head.
    pub head: &'a [u8],
    /// Of each segment, in order of their numbers.
    pub lengths: Vec<u64>,
}

/// What stands before the series of a segment.
#[derive(Debug, Serialize, Deserialize)]
pub struct SegmentRecord<'a> {
    pub segment: u16,
    /// The run time in milliseconds to which ages in this segment relate.
    pub taken: u64,
    #[serde(borrow)]
    pub families: Vec<FamilyRecord<'a>>,
    /// How many series follow,
    pub series: u64,
    /// and how many tombstones behind them.
    pub tombstones: u64,
}

/// A family; series refer to it by its position in the segment.
#[derive(Debug, Serialize, Deserialize)]
pub struct FamilyRecord<'a> {
    pub uid: u64,
    pub name: &'a str,
    pub help: &'a str,
    pub shape: ShapeRecord<'a>,
}

/// See [`crate::metric::Shape`].
#[derive(Debug, Serialize, Deserialize)]
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
}

/// How the windows of a family were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSettings {
    pub slot_ms: u64,
    pub slots: u64,
    pub targeted: bool,
}

/// One series.
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

/// See [`crate::store::Tombstone`].
#[derive(Debug, Serialize, Deserialize)]
pub struct TombstoneRecord<'a> {
    /// The position of its family in the segment.
    pub family: u32,
    pub id: [u8; 16],
    /// How long before its segment was taken the series expired, in
    /// milliseconds.
    pub age: u64,
    pub total: TotalRecord<'a>,
}

/// What a series had come to.
#[derive(Debug, Serialize, Deserialize)]
pub enum TotalRecord<'a> {
    Counter(f64),
    Histogram {
        /// Not cumulative; the last is the `+Inf` bucket.
        counts: Cow<'a, [u64]>,
        sum: f64,
    },
}

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

/// The observations since the begin of one slot.
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
    Biased {
        extremes: Option<(f64, f64)>,
        /// What the `quantiles` crate writes of its CKMS, if there is one.
        ckms: Option<Cow<'a, [u8]>>,
    },
    Targeted {
        count: u64,
        /// Value, g and Δ, ascending.
        tuples: Vec<(f64, u32, u32)>,
    },
}

/// Appends a record.
pub fn append(blob: &mut Vec<u8>, record: &impl Serialize) {
    postcard::serialize_with_flavor(record, Out(blob)).expect("memory takes what is written");
}

/// Takes a record off the begin of `rest`.
pub fn take<'a, R: Deserialize<'a>>(
    rest: &mut &'a [u8],
    what: &'static str,
) -> Result<R, StateError> {
    let (record, behind) =
        postcard::take_from_bytes(rest).map_err(|_| StateError::malformed(what))?;
    *rest = behind;
    Ok(record)
}

/// Refuses bytes behind the last record.
pub fn expect_end(rest: &[u8]) -> Result<(), StateError> {
    match rest {
        [] => Ok(()),
        _ => Err(StateError::malformed("something follows its end")),
    }
}

/// Where postcard writes to: the end of a buffer.
struct Out<'a>(&'a mut Vec<u8>);

impl Flavor for Out<'_> {
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
