//! Merge: the fragments of all shards become one exposition, family by family.

use std::sync::Arc;

use bytes::Bytes;

use crate::catalog::Family;
use crate::exposition::Format;

/// The lines of one family from one shard.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Whose lines they are.
    pub family: Arc<Family>,
    /// The lines, in order; whole lines in each chunk. Never empty.
    pub chunks: Vec<Bytes>,
}

/// One scrape's body.
#[derive(Debug, Clone)]
pub struct Exposition {
    /// The pieces of the body in order.
    pub pieces: Vec<Bytes>,
    /// Bytes of all pieces.
    pub length: usize,
}

/// Groups fragments by family. Each of `sources` is sorted by family name (of
/// two fragments of one name in one source the newer family comes last).
pub fn merge(_format: Format, _sources: Vec<Vec<Fragment>>) -> Exposition {
    todo!()
}
