//! Sharding: which shard owns a series.
//!
//! The hash of a series is the same in every process: xxh3 (64 bits) of its label
//! text, as scrapers of legacy names are shown it, seeded with the xxh3 of its metric
//! name. Series that such a scraper can't tell apart so come to the same shard, which
//! takes one of them. It picks one of [`SEGMENTS`]
//! segments, and the segment modulo the number of shards picks the shard, so that
//! a segment never straddles shards, however many there are.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::labels::LabelPairs;

/// The version of the hash, which is stored with what it placed: a change of
/// `series_hash`, `name_hash` or [`SEGMENTS`] is a new one.
pub const HASH_VERSION: u8 = 1;

/// Into how many segments all series are divided.
pub const SEGMENTS: u64 = 1024;

/// The number of shards; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardCount(u16);

/// One shard: below its [`ShardCount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ShardIndex(pub u16);

/// One of the [`SEGMENTS`] segments of all series: below that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Segment(u16);

impl Segment {
    /// All of them.
    pub fn all() -> impl ExactSizeIterator<Item = Segment> {
        (0..SEGMENTS as u16).map(Segment)
    }

    /// The segment of the series with this hash.
    pub fn of(series_hash: u64) -> Self {
        Self((series_hash % SEGMENTS) as u16)
    }

    /// The segment with this number, where there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        (u64::from(number) < SEGMENTS).then_some(Self(number))
    }

    /// Its number, for indexing a table with one entry for each segment too.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl ShardCount {
    /// That many shards: 0 is taken as 1, and what passes [`SEGMENTS`] as that.
    pub fn new(count: usize) -> Self {
        Self(count.clamp(1, SEGMENTS as usize) as u16)
    }

    /// The number itself.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// All shards.
    pub fn all(self) -> impl ExactSizeIterator<Item = ShardIndex> + Clone {
        (0..self.0).map(ShardIndex)
    }

    /// The shard that owns the series with this hash.
    pub fn owner_of(self, series_hash: u64) -> ShardIndex {
        self.owner_of_segment(Segment::of(series_hash))
    }

    /// The shard that owns the series of this segment.
    pub fn owner_of_segment(self, segment: Segment) -> ShardIndex {
        ShardIndex(segment.0 % self.0)
    }

    /// The segments that this shard owns.
    pub fn segments_of(self, shard: ShardIndex) -> impl Iterator<Item = Segment> {
        Segment::all().filter(move |segment| self.owner_of_segment(*segment) == shard)
    }
}

impl ShardIndex {
    /// For indexing a table with one entry for each shard.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// The fixed hash of a metric's name.
pub fn name_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// The fixed hash of the series with these labels, in canonical form, of a metric
/// whose name has that [`name_hash`].
pub fn series_hash(name_hash: u64, labels: LabelPairs<'_>) -> u64 {
    xxh3_64_with_seed(labels.print().as_bytes(), name_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored state is found again by this hash: another one is another
    /// [`HASH_VERSION`].
    #[test]
    fn the_hash_is_fixed() {
        let name = name_hash("http_requests_total");
        assert_eq!(HASH_VERSION, 1);
        assert_eq!(name, 0x3fe9_cf24_ae5d_b842);
        assert_eq!(
            series_hash(name, LabelPairs::from_text(r#"method="GET""#)),
            0x2609_59d5_0496_7cb1
        );
    }

    #[test]
    fn owners_are_below_the_count_and_spread() {
        for count in [1, 2, 3, 4, 7, 256] {
            let shards = ShardCount::new(count);
            let mut owned = vec![0; count];
            for hash in 0..SEGMENTS * 4 {
                owned[shards.owner_of(hash).get()] += 1;
            }
            let fair = (SEGMENTS * 4) as usize / count;
            assert!(
                owned.iter().all(|n: &usize| n.abs_diff(fair) <= fair / 2 + 4),
                "{count}: {owned:?}"
            );
        }
    }
}
