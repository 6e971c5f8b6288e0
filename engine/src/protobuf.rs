//! The schema of Prometheus' protobuf exposition: messages of the package
//! `io.prometheus.client`, as published in `engine/proto/metrics.proto` (a copy of
//! `io/prometheus/client/metrics.proto` of prometheus/client_model 0.6.3).
//!
//! `cargo run --manifest-path engine/proto/generate/Cargo.toml` makes
//! `io_prometheus_client.rs` of it.

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated, and not ours to word")]
#[rustfmt::skip]
mod io_prometheus_client;

pub use io_prometheus_client::*;
