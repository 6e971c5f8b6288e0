//! State: what the gateway knows, as bytes that outlive the process.
//!
//! All series are divided into the 1,024 [`Segment`]s of their fixed hash, and
//! each segment is one *stored segment*: a blob that stands for itself, so that
//! those that have not changed need not be written again. The segment modulo
//! the number of shards says the shard; that may be another when they are read.
//! One *head* belongs to all of them and is written with each checkpoint.
//!
//! # Format
//!
//! A blob begins with a frame, numbers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–3 | `PSGS` for a segment, `PSGH` for the head |
//! | 4–5 | version of the format: of a head 3; of a segment 1, or 3 where it has sections or names of any script, 5 where it has exact totals of counters or totals that gauges add to, 7 where it has native histograms, and one more than these where it has created times |
//! | 6–7 | 0 |
//! | 8–15 | XXH3 (64 bits) of what follows, seeded with the XXH3 of the eight bytes before |
//!
//! What follows is [postcard](https://postcard.jamesmunns.com) of the types in
//! [`crate::record`], in their order: of the head a `HeadRecord` and its sections,
//! of a segment a `SegmentRecord` (its number, when it was taken, its families,
//! how many series and tombstones), then a `SeriesRecord` for each series and a
//! `TombstoneRecord` with a total for each tombstone, whose family is a position
//! in the segment's list.
//!
//! The sections of a head tell when it was written, in microseconds of Unix time,
//! by the clock that gauges go by (a clock that was set back since stands still
//! until then, as it does where that happens while the gateway runs), and which
//! hash placed the series. New ones may come without a new version: each says
//! whether a gateway that does not know it can go on. A head of version 1 has no
//! sections, and one of version 2 the time in their place.
//!
//! In a segment of an even version each series and each tombstone is followed by an
//! `Option<i64>`: when its total began, in microseconds of Unix time, where that
//! is known. Such segments are written where `Metrics.CreatedTimestamps` asks for
//! these times, and read everywhere.
//!
//! From version 3 on sections follow the list of families, as in a head: the units of
//! families, the exemplars of series. [`crate::record`] says with which version each
//! variant of a record came; a segment is of the greatest that it needs. Bytes of a later version, or with a variant that is not known, are called
//! newer, never malformed.
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
//! What they say is held to what payloads are held to ([`check`]), so that
//! nothing after that has to ask whether a text came from here.
//!
//! # The way back
//!
//! The shards are cleared and given the segments through their inboxes, while
//! nothing else is sent. All families are claimed before the first series comes
//! back, the newest first. Limits are not asked: what lived goes on living.

pub mod archive;
pub(crate) mod check;
pub(crate) mod frame;
mod head;
mod load;
mod sections;
mod segment;

use crate::sharding::Segment;

pub use crate::record::{Instants, RunTime, StateError};
pub use head::Head;
pub use load::{Claimed, LoadError, Loading};
pub use segment::OpenSegment;
pub(crate) use segment::{SegmentWriter, StoredSeries, StoredTombstone};

/// A segment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSegment {
    /// The number that it was asked for by.
    pub segment: Segment,
    /// The frame and its content.
    pub bytes: bytes::Bytes,
}
