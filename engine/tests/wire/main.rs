//! Tests of the wire: which payloads are samples, and which ones exactly.

mod golden;
mod numbers;
mod oracle;
mod payloads;
mod properties;
mod rules;
mod show;
