//! Tests of the wire: which payloads are samples, and which ones exactly.

mod arrays;
mod documents;
mod exemplars;
mod fields;
mod golden;
mod labels;
mod native;
mod numbers;
mod observations;
mod oracle;
mod payload_tree;
mod payloads;
mod properties;
mod show;
mod times;
