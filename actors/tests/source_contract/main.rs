//! The contract of queue sources, the same tests for each of them; and what the
//! embedded queue does beyond it, on sockets.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code, also what clippy takes for helpers"
)]

mod backpressure;
mod contract;
mod queues;
#[allow(dead_code, reason = "the tests of the Redis source use all of it")]
#[path = "../redis_source/server.rs"]
mod server;
