//! A chunk: the frames that a router takes off one lane at once. From then on they
//! stay as they are, whoever sends them, so that a home which has a part of a stream
//! has it up to the end of a chunk.

use super::frame::Frame;
use crate::record;
use crate::state::StateError;
use crate::state::frame::{self as blob, Content};

const CHUNK: Content = Content { magic: *b"PSGC", name: "a chunk of frames", newest: VERSION };
const VERSION: u16 = 1;
/// What messages call its content.
const WHAT: &str = "its list of frames";

/// Frames of one lane, in the order in which its home has to read them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// The elements to push.
    pub frames: Vec<Vec<u8>>,
    /// How many samples they are.
    pub samples: u64,
}

impl Chunk {
    /// How many bytes its frames are.
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(Vec::len).sum()
    }

    /// The bytes to store: the lengths of its frames, then these.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = blob::begin(CHUNK, VERSION, self.bytes() + 4 * self.frames.len() + 4);
        let lengths: Vec<u64> = self.frames.iter().map(|frame| frame.len() as u64).collect();
        record::append(&mut bytes, &lengths);
        self.frames.iter().for_each(|frame| bytes.extend_from_slice(frame));
        blob::finish(bytes)
    }

    /// Reads what [`Chunk::encode`] wrote; each frame is read too.
    pub fn decode(stored: &[u8]) -> Result<Self, StateError> {
        let (_, mut rest) = blob::open(CHUNK, stored)?;
        let lengths: Vec<u64> = record::take(&mut rest, WHAT)?;
        let mut chunk = Self::default();
        for length in lengths {
            let end = usize::try_from(length).ok();
            let Some((frame, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
                return Err(StateError::malformed(WHAT));
            };
            rest = after;
            chunk.samples = chunk.samples.saturating_add(Frame::open(frame)?.samples());
            chunk.frames.push(frame.to_vec());
        }
        record::expect_end(rest).map(|()| chunk)
    }
}
