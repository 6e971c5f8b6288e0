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
pub use points::{TooMany, push_samples};
pub use refusal::{Refusal, Refused};

#[cfg(test)]
mod tests;
