//! Who runs it: the actors, everything with I/O. In flow order:
//!
//! ```text
//! source ─► reader ─► shard_set ─► shard ─► scrape ─► http
//! ```

pub mod backoff;
pub mod self_metrics;
pub mod settings;
pub mod source;
pub mod stop;
