//! The frame around each blob: what it is, its version, its checksum.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::StateError;

/// Bytes of the frame, before the content.
pub const LENGTH: usize = 16;

/// Where the checksum begins, which the bytes before it are part of.
const CHECKSUM_AT: usize = 8;

#[derive(Debug, Clone, Copy)]
pub struct Content {
    pub magic: [u8; 4],
    /// How messages call it.
    pub name: &'static str,
    /// The newest version of it that is read.
    pub newest: u16,
}

/// Room for the frame of a blob of that version, after which its content is to be
/// written.
pub fn begin(content: Content, version: u16, capacity: usize) -> Vec<u8> {
    let mut blob = Vec::with_capacity(LENGTH + capacity);
    blob.extend_from_slice(&content.magic);
    blob.extend_from_slice(&version.to_le_bytes());
    blob.resize(LENGTH, 0);
    blob
}

/// Puts in the checksum, once the content is whole.
pub fn finish(mut blob: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(&blob);
    blob[CHECKSUM_AT..LENGTH].copy_from_slice(&checksum.to_le_bytes());
    blob
}

/// The version and the content of a blob that is undamaged and of a known
/// version.
pub fn open(content: Content, blob: &[u8]) -> Result<(u16, &[u8]), StateError> {
    if !blob.starts_with(&content.magic) && !content.magic.starts_with(blob) {
        return Err(StateError::NoState { expected: content.name });
    }
    if blob.len() < LENGTH {
        return Err(StateError::Short { expected: LENGTH, got: blob.len() });
    }
    // Before the checksum: a later version may compute another.
    let version = u16::from_le_bytes([blob[4], blob[5]]);
    if version > content.newest {
        return Err(StateError::Newer { version, newest: content.newest });
    }
    if checksum(blob).to_le_bytes() != blob[CHECKSUM_AT..LENGTH] {
        return Err(StateError::Checksum);
    }
    Ok((version, &blob[LENGTH..]))
}

fn checksum(blob: &[u8]) -> u64 {
    xxh3_64_with_seed(&blob[LENGTH..], xxh3_64(&blob[..CHECKSUM_AT]))
}
