//! What a body takes in memory, besides its own bytes, before it is read.

use super::body::{BodyFormat, MAX_SERIES, PushOptions};
use super::protobuf;

/// What a sample has in JSON besides its texts and numbers, about.
const BYTES_PER_SAMPLE: usize = 100;

/// What is noted of a series, or a metric, while a body is read, about.
const NOTED_BYTES: usize = 256;

/// What is noted of labels, for each byte of text, about.
const NOTED_TIMES: usize = 4;

/// Bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// What its samples may come to: what makes more was not pushed by a client.
    pub elements: usize,
    /// What is held while it is read.
    pub reading: usize,
}

impl Weight {
    /// That of a body.
    pub fn of(body: &[u8], format: BodyFormat, options: &PushOptions<'_>) -> Self {
        let per_sample = |(name, value): &(String, String)| {
            // In quotes, with a colon and a comma.
            name.len() + value.len() + 6
        };
        let grouping: usize = options.grouping.iter().map(per_sample).sum();
        let (samples, more, noted) = match format {
            BodyFormat::Text | BodyFormat::OpenMetrics => {
                let lines = body.iter().filter(|byte| **byte == b'\n').count();
                (lines, 0, NOTED_TIMES * body.len())
            }
            BodyFormat::Protobuf => protobuf::weigh(body),
        };
        // Text may be twice as long in JSON, by its escapes.
        let elements = 2 * body.len() + samples * (BYTES_PER_SAMPLE + grouping) + more;
        let reading = samples.min(MAX_SERIES) * NOTED_BYTES + noted;
        Self { elements, reading }
    }
}
