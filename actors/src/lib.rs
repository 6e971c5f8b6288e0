//! Who runs it: the actors, everything with I/O. In flow order:
//!
//! ```text
//! source ─► reader ─► shard_set ─► shard ─► scrape ─► http
//! ```

pub mod settings;
pub mod error_kind;
mod likeness;
mod other_keys;
pub mod source;
mod reader;
pub mod partition;
pub mod shard_set;
pub mod shard;
pub mod checkpoint;
pub mod checkpoint_requests;
pub mod state_file;
pub mod scrape;
mod scrapers;
mod cardinality;
mod search;
pub mod doors;
pub mod http;
pub mod self_metrics;
pub mod status;
mod log_throttle;
pub mod accounts;
mod reject_log;
mod rejects;
pub mod dead_letters;
pub mod cluster_key;
pub mod pem;
pub mod trust;
pub mod secret_file;
mod byte_stream;
mod listen;
mod private_file;
mod unix_socket;
pub mod serving_gate;
pub mod fatal;
pub mod backoff;
pub mod clock;
mod boot_clock;
pub mod stop;
pub mod pipeline;
