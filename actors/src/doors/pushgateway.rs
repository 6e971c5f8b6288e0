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

pub use body::{BodyFormat, BodyRefused, LeftOut, MAX_SERIES, Place, PushOptions, Pushed};
use samples::SampleWriter;
use text::Dialect;

use super::sample::ElementLimits;

/// Makes samples of a whole body.
///
/// # Errors
/// What is wrong with it, and where; or that it makes more samples than there may be.
pub fn parse<'a>(
    body: &'a [u8],
    format: BodyFormat,
    options: &'a PushOptions<'a>,
    limits: ElementLimits,
) -> Result<Pushed, BodyRefused> {
    let mut writer = SampleWriter::new(options, limits);
    match format {
        BodyFormat::Text => text::read(body, Dialect::Text, &mut writer)?,
        BodyFormat::OpenMetrics => text::read(body, Dialect::OpenMetrics, &mut writer)?,
        BodyFormat::Protobuf => protobuf::read(body, &mut writer)?,
    }
    Ok(writer.into_pushed())
}

#[cfg(test)]
mod tests;
