//! OTLP: what OpenTelemetry's SDKs and Collectors send, as samples.
//!
//! ```text
//! body ─► encoding ─► request ─► points ─► Elements
//!                                   └────► Refused, which the sender is told
//! ```

mod attributes;
mod encoding;
mod exemplars;
mod exponential;
mod names;
mod points;
mod refusal;
mod sums;
mod weight;

pub use encoding::Encoding;
pub use names::OtlpNames;
pub use points::{Mapped, TooMany, elements};
pub use refusal::{Refusal, Refused};
pub use weight::MOST_WEIGHT;

/// How requests become samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtlpOptions {
    /// How metrics and labels are named.
    pub names: OtlpNames,
    /// Attributes of resources that become labels.
    pub resource_attributes: Vec<String>,
    /// Whether exemplars are passed on.
    pub exemplars: bool,
}

#[cfg(test)]
mod tests;
