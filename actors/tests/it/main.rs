//! Tests of sources and shards at work: with threads, sockets, and a
//! redis-server that each test starts for itself. One program, so that the
//! crate is linked once.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code, also what clippy takes for helpers"
)]

mod server;

mod source_contract;
mod redis_source;
mod checkpoints;
mod owners;
mod pipelines;
mod routers;
