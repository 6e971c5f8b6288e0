//! Tests of the whole engine through its public interface: bytes in, exposition
//! text out. One program, so that the engine is linked once.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code, also what clippy takes for helpers"
)]

mod support;

// What comes in.
mod samples;
mod wire;

// Who may exist, and for how long.
mod admission;
mod buckets;
mod catalog;
mod expiry;
mod lifetimes;
mod native;
mod observations;
mod overflow;
mod removal;

// What is shown.
mod first_increments;
mod gauge_totals;
mod exposition;
mod names;
mod pipeline;
mod protobuf_schema;
mod search;

// What outlives the process.
mod state;

// What goes from one gateway to another.
mod partition;
