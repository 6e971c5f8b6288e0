//! The archive: a whole state in one piece, as a file has it.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | `PSGSTATE` |
//! | 8–15 | length of the index, little-endian |
//! | … | the index, framed like the other blobs (`PSGI`): the head, and the length of each segment |
//! | … | the 1,024 segments, one after the other |

use bytes::Bytes;

use super::frame::{self, Content};
use super::{Head, StateError, StoredSegment};
use crate::record::{self, IndexRecord};
use crate::sharding::{SEGMENTS, Segment};

const MAGIC: &[u8] = b"PSGSTATE";
const INDEX: Content = Content { magic: *b"PSGI", name: "the index of a state", newest: VERSION };
const VERSION: u16 = 1;
/// Bytes before the index.
const BEGIN: usize = 16;

/// The pieces of an archive, in order. `segments` are all of them, in order of
/// their numbers.
pub fn write(head: &Head, segments: &[StoredSegment]) -> Vec<Bytes> {
    let head = head.encode();
    let lengths = segments.iter().map(|stored| stored.bytes.len() as u64).collect();
    let mut index = frame::begin(INDEX, VERSION, head.len() + 4 * segments.len());
    record::append(&mut index, &IndexRecord { head: &head, lengths });
    let index = frame::finish(index);
    let mut begin = MAGIC.to_vec();
    begin.extend_from_slice(&(index.len() as u64).to_le_bytes());
    let pieces = [Bytes::from(begin), Bytes::from(index)];
    pieces.into_iter().chain(segments.iter().map(|stored| stored.bytes.clone())).collect()
}

/// Reads what [`write()`] made of a state. What is in the segments is not
/// looked at.
pub fn read(archive: &Bytes) -> Result<(Head, Vec<StoredSegment>), StateError> {
    if !archive.starts_with(MAGIC) && !MAGIC.starts_with(archive) {
        return Err(StateError::NoState { expected: "a state file" });
    }
    expect_length(archive, BEGIN)?;
    let length = archive[MAGIC.len()..BEGIN].try_into().map(u64::from_le_bytes);
    let length = length.map_err(|_| StateError::malformed("the length of its index"))?;
    let index_end = usize::try_from(length).ok().and_then(|length| length.checked_add(BEGIN));
    let index_end = index_end.ok_or(StateError::malformed("the length of its index"))?;
    expect_length(archive, index_end)?;
    let (_, mut rest) = frame::open(INDEX, &archive[BEGIN..index_end])?;
    let index: IndexRecord<'_> = record::take(&mut rest, "its index")?;
    record::expect_end(rest)?;
    // First, since it knows of another hash, which may have other segments.
    let head = Head::decode(index.head)?;
    if index.lengths.len() as u64 != SEGMENTS {
        return Err(StateError::malformed("an index of more or fewer segments"));
    }
    Ok((head, cut(archive, index_end, &index.lengths)?))
}

fn cut(archive: &Bytes, from: usize, lengths: &[u64]) -> Result<Vec<StoredSegment>, StateError> {
    let (mut segments, mut begin) = (Vec::with_capacity(lengths.len()), from);
    for (segment, length) in Segment::all().zip(lengths) {
        let end = usize::try_from(*length).ok().and_then(|length| begin.checked_add(length));
        let end = end.ok_or(StateError::malformed("the length of a segment"))?;
        expect_length(archive, end)?;
        segments.push(StoredSegment { segment, bytes: archive.slice(begin..end) });
        begin = end;
    }
    record::expect_end(&archive[begin..]).map(|()| segments)
}

fn expect_length(archive: &Bytes, expected: usize) -> Result<(), StateError> {
    if archive.len() < expected {
        return Err(StateError::Short { expected, got: archive.len() });
    }
    Ok(())
}
