//! What the gateway computes: bytes in, exposition text out.
//!
//! This crate is pure: no I/O, no clock (`now` is an argument), no async, no
//! environment. The modules stand in the order in which a payload meets them:
//!
//! ```text
//! wire ─► name, labels ─► catalog ─► intake ─► store ─► metric ─► exposition ─► merge
//! ```

pub mod limits;
pub mod regroup;
pub mod reject;
pub mod timestamp;
pub mod printable;
mod text;
pub mod sample;
pub mod wire;
pub mod name;
pub mod labels;
pub mod exemplar;
pub mod cardinality;
pub mod catalog;
pub mod series;
pub mod sharding;
pub mod updates;
pub mod partition;
pub mod intake;
pub mod forwarder;
mod record;
pub mod metric;
pub mod state;
pub mod store;
pub mod protobuf;
pub mod exposition;
pub mod merge;
