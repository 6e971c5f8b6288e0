//! What the gateway computes: bytes in, exposition text out.
//!
//! This crate is pure: no I/O, no clock (`now` is an argument), no async, no
//! environment. The modules stand in the order in which a payload meets them:
//!
//! ```text
//! wire ─► name, labels ─► catalog ─► intake ─► store ─► metric ─► exposition ─► merge
//! ```

pub mod catalog;
pub mod exposition;
pub mod intake;
pub mod labels;
pub mod limits;
pub mod merge;
pub mod metric;
pub mod name;
pub mod reject;
pub mod sample;
pub mod series;
pub mod sharding;
pub mod store;
pub mod wire;
