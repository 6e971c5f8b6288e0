//! State: what the gateway knows, as bytes that outlive the process.
//!
//! All series are divided into the 1,024 [`Segment`]s of their fixed hash, and
//! each segment is one *stored segment*: a blob that stands for itself, so that
//! those that have not changed need not be written again. The segment modulo K
//! says the shard; K may be another when they are read. One *head* belongs to
//! all of them and is written with each checkpoint.
//!
//! # Format
//!
//! A blob begins with a frame, numbers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–3 | `PSGS` for a segment, `PSGH` for the head |
//! | 4–5 | version of the format: 1, or 2 for a segment that has created times |
//! | 6–7 | 0 |
//! | 8–15 | XXH3 (64 bits) of what follows, seeded with the XXH3 of the eight bytes before |
//!
//! What follows is [postcard](https://postcard.jamesmunns.com) of the types in
//! `record.rs`, in their order: of the head a `HeadRecord`, of a segment a
//! `SegmentRecord` (its number, when it was taken, its families, how many
//! series and tombstones), then a `SeriesRecord` for each series and a
//! `TombstoneRecord` for each tombstone, whose family is a position in the
//! segment's list.
//!
//! In a segment of version 2 each series and each tombstone is followed by an
//! `Option<i64>`: when its total began, in microseconds of Unix time, where that
//! is known. Such segments are written where `Metrics.CreatedTimestamps` asks for
//! these times, and read everywhere.
//!
//! postcard, because its wire format is specified and kept stable since its
//! 1.0, has no field names in it (a counter costs its labels and some twelve
//! bytes), and needs no description besides the types themselves. The labels
//! are stored as text, which makes up most of a segment; nothing is compressed.
//!
//! # Time
//!
//! Points in time are stored as ages, relative to when their segment was taken
//! on the clock of [`RunTime`]: the time for which gateways ran with this state,
//! in which the time between two of them does not count. The head tells what it
//! was at the last checkpoint, so that segments which were not written again
//! grow older all the same.
//!
//! # Reading
//!
//! Whatever bytes come, reading them ends with the state or with a
//! [`StateError`]; it allocates no more than a small multiple of their length.

pub mod archive;
mod frame;
mod head;
mod load;
mod record;
mod segment;

use crate::metric::Moment;
use crate::sharding::Segment;

pub use head::Head;
pub use load::{Claimed, LoadError, Loading};
pub(crate) use record::{
    AgeRecord, SeriesRecord, SketchRecord, TombstoneRecord, TotalRecord, ValueRecord, WindowRecord,
    WindowSettings,
};
pub use segment::{OpenSegment, SeriesReader};
pub(crate) use segment::{SegmentWriter, Told};

/// For how long gateways have run with this state, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RunTime(pub u64);

/// One instant on two clocks: that of the process and that of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Instants {
    /// On the process' monotonic clock.
    pub now: Moment,
    /// On the clock of the state.
    pub run_time: RunTime,
}

impl Instants {
    /// The same two clocks at another moment of the process.
    pub fn at(self, now: Moment) -> Self {
        let passed = now.0.saturating_sub(self.now.0);
        Self { now, run_time: RunTime(self.run_time.0.saturating_add(passed)) }
    }
}

/// Tells when something was that is stored as a time after its segment was
/// taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since {
    /// The moment of the process at which the state is restored.
    pub now: Moment,
    /// How long before that its segment was taken, on the state's clock.
    taken_ms_ago: u64,
}

impl Since {
    pub(crate) fn new(restored: Instants, taken: RunTime) -> Self {
        let taken_ms_ago = restored.run_time.0.saturating_sub(taken.0);
        Self { now: restored.now, taken_ms_ago }
    }

    /// What was `after_taken` milliseconds after the segment was taken, on the
    /// process' clock; below 0 where that is before it started.
    pub(crate) fn milliseconds(self, after_taken: i64) -> i128 {
        i128::from(self.now.0) - i128::from(self.taken_ms_ago) + i128::from(after_taken)
    }
}

/// A segment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSegment {
    /// Which one.
    pub segment: Segment,
    /// Its bytes.
    pub bytes: bytes::Bytes,
}

/// Bytes that are no state that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They don't begin as a blob of this kind does.
    #[error("expected {expected}, came something else")]
    NoState {
        /// What was expected.
        expected: &'static str,
    },
    /// A later version of the gateway wrote them.
    #[error("expected format version {newest} or less, came {version}: a newer gateway wrote it")]
    Newer {
        /// The newest version that is read.
        newest: u16,
        /// The version that came.
        version: u16,
    },
    /// They end too early.
    #[error("it is cut off: expected at least {expected} bytes, came {came}")]
    Short {
        /// Bytes that there should be at least.
        expected: usize,
        /// Bytes that there are.
        came: usize,
    },
    /// They are not what was written.
    #[error("it is damaged: its checksum does not match")]
    Checksum,
    /// The checksum matches, but the content makes no sense.
    #[error("it is malformed: {what}")]
    Malformed {
        /// What makes no sense.
        what: &'static str,
    },
    /// Another segment than the one that was asked for.
    #[error("expected segment {expected}, came segment {came}")]
    OtherSegment {
        /// The number asked for.
        expected: usize,
        /// The number found.
        came: usize,
    },
}

impl StateError {
    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }
}
