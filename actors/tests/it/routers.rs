//! The router of a partition, with homes in a real Redis. The test is its owner: it says
//! under which epoch it owns, hands elements out, and keeps its checkpoints.

mod harness;
mod proxy;
mod scripts;
mod routing;
mod owning;
