//! The head: what belongs to all segments, written with each checkpoint.

use super::frame::{self, Content};
use super::{RunTime, StateError};
use crate::record::{self, HeadRecord};

const HEAD: Content = Content { magic: *b"PSGH", name: "the head of a state", newest: VERSION };
const VERSION: u16 = 1;

/// What belongs to all segments of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// For how long gateways had run with the state when this was written.
    pub run_time: RunTime,
    /// The random key of the hashes of tombstones, the same for ever.
    pub tombstone_key: [u8; 16],
}

impl Head {
    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut blob = frame::begin(HEAD, VERSION, 32);
        let Self { run_time: RunTime(run_time), tombstone_key } = *self;
        record::append(&mut blob, &HeadRecord { run_time, tombstone_key });
        frame::finish(blob)
    }

    /// Reads what [`Head::encode`] wrote.
    pub fn decode(blob: &[u8]) -> Result<Self, StateError> {
        let (_, mut rest) = frame::open(HEAD, blob)?;
        let HeadRecord { run_time, tombstone_key } = record::take(&mut rest, "its head")?;
        record::expect_end(rest)?;
        Ok(Self { run_time: RunTime(run_time), tombstone_key })
    }
}
