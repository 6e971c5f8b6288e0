//! The head: what belongs to all segments, written with each checkpoint.

use super::frame::{self, Content};
use super::{RunTime, StateError};
use crate::record::{self, HeadRecord, SectionRecord};
use crate::sharding::HASH_VERSION;
use crate::timestamp::UnixTime;

const HEAD: Content = Content { magic: *b"PSGH", name: "the head of a state", newest: VERSION };
const VERSION: u16 = 3;
/// The first that tells the time, and the first that does so in a section.
const WITH_TIME: u16 = 2;
const WITH_SECTIONS: u16 = 3;

const TIME: u8 = 0;
const HASH: u8 = 1;

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
        let mut blob = frame::begin(HEAD, VERSION, 64);
        record::append(&mut blob, &HeadRecord { run_time, tombstone_key });
        let hash = SectionRecord::new(HASH, true, &HASH_VERSION);
        let time = time.map(|time| SectionRecord::new(TIME, false, &time.micros()));
        let sections: Vec<SectionRecord<'_>> = time.into_iter().chain([hash]).collect();
        record::append(&mut blob, &sections);
        frame::finish(blob)
    }

    /// Reads what [`Head::encode`] wrote, here or in an older version.
    pub fn decode(blob: &[u8]) -> Result<Self, StateError> {
        let (version, mut rest) = frame::open(HEAD, blob)?;
        let HeadRecord { run_time, tombstone_key } = record::take(&mut rest, WHAT)?;
        let mut head = Self { run_time: RunTime(run_time), tombstone_key, time: None };
        if version >= WITH_SECTIONS {
            let sections: Vec<SectionRecord<'_>> = record::take(&mut rest, WHAT)?;
            sections.iter().try_for_each(|section| head.read(section))?;
        } else if version >= WITH_TIME {
            head.time = Some(UnixTime::from_micros(record::take(&mut rest, WHAT)?));
        }
        record::expect_end(rest)?;
        Ok(head)
    }

    fn read(&mut self, section: &SectionRecord<'_>) -> Result<(), StateError> {
        let mut content = &*section.content;
        match section.number {
            TIME => self.time = Some(UnixTime::from_micros(record::take(&mut content, WHAT)?)),
            HASH => match record::take(&mut content, WHAT)? {
                HASH_VERSION => {}
                got => return Err(StateError::OtherHash { expected: HASH_VERSION, got }),
            },
            _ if section.is_needed => return Err(StateError::NewerRecord { what: WHAT }),
            // Of a newer gateway, which says that the others need not know it.
            _ => return Ok(()),
        }
        record::expect_end(content)
    }
}

/// What messages call a part of it.
const WHAT: &str = "its head";
