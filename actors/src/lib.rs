//! Who runs it: the actors, everything with I/O. In flow order:
//!
//! ```text
//! source ─► reader ─► shard_set ─► shard ─► scrape ─► http
//! ```

pub mod settings;
pub mod error_kind;
pub mod likeness;
pub mod other_keys;
pub mod source;
pub mod reader;
pub mod shard_set;
pub mod shard;
pub mod checkpoint;
pub mod checkpoint_requests;
pub mod state_file;
pub mod scrape;
pub mod scrapers;
pub mod cardinality;
pub mod search;
pub mod http;
pub mod self_metrics;
pub mod status;
pub mod log_throttle;
pub mod reject_log;
pub mod rejects;
pub mod dead_letters;
pub mod cluster_key;
pub mod pem;
pub mod trust;
pub mod secret_file;
mod byte_stream;
mod listen;
mod private_file;
pub mod serving_gate;
pub mod fatal;
pub mod backoff;
pub mod clock;
pub mod boot_clock;
pub mod stop;
pub mod pipeline;
