//! The head: what belongs to all segments, written with each checkpoint.

use super::frame::{self, Content};
use super::{RunTime, StateError};
use crate::record::{self, HeadRecord};
use crate::timestamp::UnixTime;

const HEAD: Content = Content { magic: *b"PSGH", name: "the head of a state", newest: VERSION };
const VERSION: u16 = 2;
/// The first that tells the time.
const WITH_TIME: u16 = 2;

/// What belongs to all segments of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// For how long gateways had run with the state when this was written.
    pub run_time: RunTime,
    /// The random key of the hashes of tombstones, the same for ever.
    pub tombstone_key: [u8; 16],
    /// When it was written by the clock that gauges go by; what an older version
    /// wrote does not tell.
    pub time: Option<UnixTime>,
}

impl Head {
    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let Self { run_time: RunTime(run_time), tombstone_key, time } = *self;
        let version = if time.is_some() { VERSION } else { WITH_TIME - 1 };
        let mut blob = frame::begin(HEAD, version, 40);
        record::append(&mut blob, &HeadRecord { run_time, tombstone_key });
        time.into_iter().for_each(|time| record::append(&mut blob, &time.micros()));
        frame::finish(blob)
    }

    /// Reads what [`Head::encode`] wrote.
    pub fn decode(blob: &[u8]) -> Result<Self, StateError> {
        let (version, mut rest) = frame::open(HEAD, blob)?;
        let HeadRecord { run_time, tombstone_key } = record::take(&mut rest, "its head")?;
        let micros = (version >= WITH_TIME).then(|| record::take(&mut rest, "its time"));
        let time = micros.transpose()?.map(UnixTime::from_micros);
        record::expect_end(rest)?;
        Ok(Self { run_time: RunTime(run_time), tombstone_key, time })
    }
}
