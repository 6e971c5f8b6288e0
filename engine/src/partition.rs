//! Partitions: one queue over many gateways.
//!
//! Producers push anywhere; the *router* of each partition adds up what it reads, as
//! [deltas](delta), and sends these, in [frames](frame), to the *homes* of their
//! metrics ([`home`]). A home owns all series of its metrics, and takes a delta in as
//! it takes a sample. What a router has added up and not sent yet is its state; what
//! it is sending is a [chunk](chunk).

pub mod chunk;
pub mod delta;
pub mod frame;
pub mod home;
pub(crate) mod writer;

pub use chunk::Chunk;
pub use home::{LANES_PER_HOME, Lane, LaneSet, MAX_PARTITIONS, Partitions};
