//! The record: what the owner hash says of the last checkpoint and of the
//! claims since, as types, and how they are written as text.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;

use psg_engine::partition::Partitions;
use psg_engine::timestamp::UnixTime;
use rand::Rng;
use xxhash_rust::xxh3::xxh3_64;

/// The format of a record whose state is totals.
pub const FORMAT: u64 = 1;
/// The format of one whose state is a router's.
pub const ROUTER_FORMAT: u64 = 2;

/// What stands in a segment of a router's state that has nothing any more.
pub const NOTHING: &[u8] = b"nothing";

pub type SegmentNumber = u16;

/// A number that only rises, with a nonce that says whose step it was. The
/// version of the state and the tip of the claims are such revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The number: of the checkpoint, or of the list that was claimed last.
    pub number: u64,
    /// Random, so that two that took the same number can be told apart.
    pub nonce: u64,
}

/// A place between two elements of the claimed lists, oldest element first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListPosition {
    pub list: u64,
    /// Elements of that list that lie before the place.
    pub offset: u64,
}

/// Which version each segment of the state was last written in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentIndex(BTreeMap<SegmentNumber, Revision>);

/// How the queue is split, as a record notes it. A record of a queue with one
/// partition, as it always was, notes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Rises with each change of the number of partitions.
    pub generation: u64,
    /// How many partitions there are.
    pub partitions: Partitions,
}

/// Where a router is in the stream of its partition. A *place* says how many
/// elements were ever claimed before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// The place of the record's base.
    pub at: u64,
    /// Its line.
    pub line: Line,
}

/// Up to which place the stream is what it was under earlier epochs: Redis may have
/// gone back, and others may know places beyond what it still has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The epoch under which it was noted.
    pub epoch: u64,
    /// The place.
    pub place: u64,
}

/// What the owner hash says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Rises with each owner, connection and reload.
    pub epoch: u64,
    /// Of the last checkpoint.
    pub version: Revision,
    /// The list that was claimed last.
    pub tip: Revision,
    /// What the last checkpoint covers.
    pub base: ListPosition,
    /// Where each segment of the state is.
    pub index: SegmentIndex,
    /// Nothing for a queue with one partition.
    pub layout: Option<Layout>,
    /// Of a router alone.
    pub stream: Option<StreamPosition>,
}

/// A text of the record is not spelt as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl Revision {
    /// Whether a field of the state was written in this version.
    pub fn has_written(self, field: &str) -> bool {
        let written = field.split_once(':').map(|(_, version)| version.parse());
        written == Some(Ok(self))
    }

    /// The revision that follows, with a nonce of its own.
    pub fn next(self) -> Self {
        Self { number: self.number + 1, nonce: new_nonce() }
    }
}

pub fn new_nonce() -> u64 {
    rand::rng().random()
}

/// What the names of the fields begin with that say when a list was claimed.
pub const TIME_FIELDS: &str = "time:";

/// The field that says when a list was claimed.
pub fn time_field(list: u64) -> String {
    format!("{TIME_FIELDS}{list}")
}

/// When a list was claimed, as its field says it: in microseconds of Unix time.
pub fn claim_time(text: &str) -> Result<UnixTime, Unreadable> {
    let micros = text.parse().ok().filter(|micros: &i64| micros.to_string() == text);
    micros.map(UnixTime::from_micros).ok_or(Unreadable)
}

/// The field that holds a segment as it was written in `version`.
pub fn field(segment: SegmentNumber, version: Revision) -> String {
    format!("{segment}:{version}")
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.number, self.nonce)
    }
}

impl FromStr for Revision {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let read = || {
            let (number, nonce) = text.split_once('-')?;
            let nonce = u64::from_str_radix(nonce, 16).ok()?;
            Some(Self { number: number.parse().ok()?, nonce })
        };
        read().ok_or(Unreadable)
    }
}

impl Record {
    /// The place of its base, where places count.
    pub fn at(&self) -> u64 {
        self.stream.map_or(0, |stream| stream.at)
    }

    /// Its line, where places count.
    pub fn line(&self) -> Line {
        self.stream.map_or(Line::default(), |stream| stream.line)
    }
}

/// The fields of a record that depend on which part of a queue it is of. A gateway
/// that knows nothing of partitions must not take a router's for totals.
pub fn fields_of_part(
    layout: Option<Layout>,
    stream: Option<StreamPosition>,
) -> Vec<(&'static str, String)> {
    let format = if stream.is_some() { ROUTER_FORMAT } else { FORMAT };
    let mut fields = vec![("format", format.to_string())];
    fields.extend(layout.map(|layout| ("layout", layout.to_string())));
    if let Some(StreamPosition { at, line }) = stream {
        fields.extend([("at", at.to_string()), ("line", line.to_string())]);
    }
    fields
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.generation, self.partitions.get())
    }
}

impl FromStr for Layout {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let read = || {
            let (generation, partitions) = text.split_once(':')?;
            let partitions = Partitions::new(partitions.parse().ok()?)?;
            Some(Self { generation: generation.parse().ok()?, partitions })
        };
        read().ok_or(Unreadable)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.place)
    }
}

impl FromStr for Line {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let read = || {
            let (epoch, place) = text.split_once(':')?;
            Some(Self { epoch: epoch.parse().ok()?, place: place.parse().ok()? })
        };
        read().ok_or(Unreadable)
    }
}

impl fmt::Display for ListPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list, self.offset)
    }
}

impl FromStr for ListPosition {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let read = || {
            let (list, offset) = text.split_once(':')?;
            Some(Self { list: list.parse().ok()?, offset: offset.parse().ok()? })
        };
        read().ok_or(Unreadable)
    }
}

impl SegmentIndex {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The segments that there are, with the version of each.
    pub fn iter(&self) -> impl Iterator<Item = (SegmentNumber, Revision)> + '_ {
        self.0.iter().map(|(segment, version)| (*segment, *version))
    }

    /// The version in which a segment was written.
    pub fn get(&self, segment: SegmentNumber) -> Option<Revision> {
        self.0.get(&segment).copied()
    }

    /// Takes note that a segment was written in `version`.
    pub fn set(&mut self, segment: SegmentNumber, version: Revision) {
        self.0.insert(segment, version);
    }

    /// The names of the fields that it refers to.
    pub fn fields(&self) -> impl Iterator<Item = String> + '_ {
        self.iter().map(|(segment, version)| field(segment, version))
    }
}

/// A checksum, then each version with its segments: most share a few.
impl fmt::Display for SegmentIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<Revision, Vec<String>> = BTreeMap::new();
        for (segment, version) in self.iter() {
            groups.entry(version).or_default().push(segment.to_string());
        }
        let mut text = String::new();
        for (version, segments) in groups {
            write!(text, ";{version}:{}", segments.join(","))?;
        }
        if text.is_empty() { Ok(()) } else { write!(f, "{:x}{text}", xxh3_64(text.as_bytes())) }
    }
}

impl FromStr for SegmentIndex {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (checksum, _) = text.split_once(';').ok_or(Unreadable)?;
        let groups = &text[checksum.len()..];
        if format!("{:x}", xxh3_64(groups.as_bytes())) != checksum {
            return Err(Unreadable);
        }
        let mut index = Self::default();
        for group in groups[1..].split(';') {
            let (version, segments) = group.split_once(':').ok_or(Unreadable)?;
            let version: Revision = version.parse()?;
            for segment in segments.split(',') {
                let segment = segment.parse().map_err(|_| Unreadable)?;
                index.set(segment, version);
            }
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn revision() -> impl Strategy<Value = Revision> {
        (any::<u64>(), any::<u64>()).prop_map(|(number, nonce)| Revision { number, nonce })
    }

    fn index() -> impl Strategy<Value = SegmentIndex> {
        let few = proptest::collection::vec(revision(), 1..4);
        let entries = proptest::collection::vec((0_u16..1024, any::<prop::sample::Index>()), 0..50);
        (few, entries).prop_map(|(few, entries)| {
            let mut index = SegmentIndex::default();
            entries.iter().for_each(|(segment, at)| index.set(*segment, *at.get(&few)));
            index
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(revision in revision(), list: u64, offset: u64, index in index()) {
            let line = Line { epoch: list, place: offset };
            prop_assert_eq!(line.to_string().parse(), Ok(line));
            let position = ListPosition { list, offset };
            prop_assert_eq!(revision.to_string().parse(), Ok(revision));
            prop_assert_eq!(position.to_string().parse(), Ok(position));
            prop_assert_eq!(index.to_string().parse(), Ok(index));
        }

        #[test]
        fn a_changed_index_is_not_read_as_another(
            index in index(),
            at: prop::sample::Index,
            byte in "[0-9a-f:;,-]",
        ) {
            let text = index.to_string();
            prop_assume!(!text.is_empty());
            let at = at.index(text.len());
            let changed = format!("{}{byte}{}", &text[..at], &text[at + 1..]);
            prop_assume!(changed != text);
            prop_assert!(changed.parse::<SegmentIndex>().is_err(), "{} read as {}", changed, text);
        }
    }

    #[test]
    fn a_layout_is_read_as_it_is_written() {
        let layout = Layout { generation: 7, partitions: Partitions::new(3).unwrap() };
        assert_eq!(layout.to_string().parse(), Ok(layout));
        for text in ["", "3", "7:", ":3", "7:0", "7:65", "7:3:1", "-1:3", "x:3"] {
            assert_eq!(text.parse::<Layout>(), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn an_index_of_all_segments_in_one_version_is_small() {
        let mut index = SegmentIndex::default();
        let version = Revision { number: 123_456, nonce: u64::MAX };
        (0..1024).for_each(|segment| index.set(segment, version));
        assert!(index.to_string().len() < 5000);
    }
}
