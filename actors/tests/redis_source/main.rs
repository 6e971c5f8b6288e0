//! The Redis list as a queue source, against real servers.

mod delivery;
mod harness;
mod server;
