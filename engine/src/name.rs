//! Names: what a metric or label may be called.

/// Names that begin so are the gateway's own; producers can't write them.
pub const RESERVED_PREFIX: &str = "prom_stream_gateway_";
