//! The `quantiles` crate's CKMS as it is stored, and back: in what the crate
//! itself gives to serde, looked over before it is handed back, since the crate
//! takes for granted what it finds there.

use quantiles::ckms::CKMS;
use serde::Deserialize;

use crate::record::StateError;

/// The fields of the crate's `CKMS`, in their order.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "those that are not looked at keep the others in their places")]
struct Mirror {
    n: u64,
    insert_threshold: u64,
    inserts: u64,
    error: f64,
    blocks: Vec<MirrorBlock>,
    block_capacity: u64,
    stored: u64,
    seen: u64,
    average: Option<f64>,
    last: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct MirrorBlock {
    /// g, Δ and value.
    entries: Vec<(u32, u32, f64)>,
    g_sum: u32,
}

/// What is stored of it.
pub fn bytes_of(ckms: &CKMS<f64>) -> Vec<u8> {
    postcard::to_allocvec(ckms).expect("memory takes what is written")
}

/// What was stored.
pub fn from_bytes(bytes: &[u8]) -> Result<CKMS<f64>, StateError> {
    let malformed = StateError::malformed("a summary's biased sketch");
    let mirror: Mirror = postcard::from_bytes(bytes).map_err(|_| malformed.clone())?;
    if !mirror.is_sound() {
        return Err(malformed);
    }
    postcard::from_bytes(bytes).map_err(|_| malformed)
}

impl Mirror {
    fn is_sound(&self) -> bool {
        let entries = || self.blocks.iter().flat_map(|block| &block.entries);
        let ascend = entries().is_sorted_by(|(.., lower), (.., upper)| lower <= upper);
        let values = entries().all(|(g, _, value)| *g > 0 && !value.is_nan());
        let weight: u64 = entries().map(|(g, ..)| u64::from(*g)).sum();
        let is_empty = self.blocks.len() == 1 && self.stored == 0;
        let filled = is_empty || self.blocks.iter().all(|block| !block.entries.is_empty());
        let greatest = entries().map(|(g, delta, _)| u64::from(*g) + u64::from(*delta)).max();
        ascend
            && values
            && filled
            && !self.blocks.is_empty()
            && self.blocks.iter().all(MirrorBlock::is_sound)
            && self.insert_threshold > 0
            && self.inserts < self.insert_threshold
            && self.block_capacity > 0
            && (f64::MIN_POSITIVE..1.0).contains(&self.error)
            && self.stored == entries().count() as u64
            && self.n == self.seen
            && weight <= self.n
            // It adds such numbers in 32 bits.
            && self.n < u64::from(u32::MAX)
            && greatest.unwrap_or(0) < u64::from(u32::MAX) / 4
    }
}

impl MirrorBlock {
    fn is_sound(&self) -> bool {
        let sum: u64 = self.entries.iter().map(|(g, ..)| u64::from(*g)).sum();
        sum == u64::from(self.g_sum)
    }
}
