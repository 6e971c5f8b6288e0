//! The Redis list as a queue source, against real servers.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is test code, also what clippy takes for helpers"
)]

mod broken_server;
mod certificates;
mod connecting;
mod delivery;
mod examining;
mod finding;
mod harness;
mod hostile;
mod log;
mod lost_path;
mod monitoring;
mod peer;
mod security;
mod old_server;
mod server;
mod waking;
