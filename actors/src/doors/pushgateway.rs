//! The Pushgateway's door: what client libraries push to a Pushgateway, read as an
//! aggregation gateway does. Counters, histograms and summaries are what was counted
//! since the last push, and are added; gauges are set, or what the push says.
//!
//! A body is taken as a whole or not at all.
//!
//! ```text
//! path and query ─► target ─► PushTarget ─┐
//! body ─► text (line, composite) ─────────┴─► SampleWriter ─► Elements
//!      └► protobuf (native) ──────────────┘
//! ```

mod body;
mod composite;
mod histogram;
mod line;
mod native;
mod protobuf;
mod samples;
pub mod target;
mod text;
mod weight;

pub use body::{BodyFormat, BodyRefused, MAX_SERIES, Place, PushOptions};
use samples::SampleWriter;
use text::Dialect;
pub use weight::Weight;

use super::sample::Elements;

/// Makes samples of a whole body, behind those that are there. What is left out is
/// counted there too: quantiles, which can't be merged, and gauges that are NaN or
/// infinite.
///
/// # Errors
/// What is wrong with it, and where; or that it makes more samples than there may be.
/// Some of them are among the elements then.
pub fn parse<'a>(
    body: &'a [u8],
    format: BodyFormat,
    options: &'a PushOptions<'a>,
    elements: &'a mut Elements,
) -> Result<(), BodyRefused> {
    let mut writer = SampleWriter::new(options, elements);
    match format {
        BodyFormat::Text => text::read(body, Dialect::Text, &mut writer),
        BodyFormat::OpenMetrics => text::read(body, Dialect::OpenMetrics, &mut writer),
        BodyFormat::Protobuf => protobuf::read(body, &mut writer),
    }
}

#[cfg(test)]
mod tests;
