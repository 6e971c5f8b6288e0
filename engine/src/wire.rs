//! Wire: a JSON payload becomes a [`Sample`].

use crate::limits::PayloadLimits;
use crate::reject::Reject;
use crate::sample::Sample;

/// Decodes payloads; keeps its buffers from one to the next.
#[derive(Debug)]
pub struct Decoder {
    limits: PayloadLimits,
}

impl Decoder {
    /// A decoder that refuses what passes `limits`.
    pub fn new(limits: PayloadLimits) -> Self {
        Self { limits }
    }

    /// The sample in `payload`, or why it is refused.
    pub fn decode<'a>(&'a mut self, payload: &'a [u8]) -> Result<Sample<'a>, Reject> {
        let _ = (payload, &self.limits);
        todo!()
    }
}
