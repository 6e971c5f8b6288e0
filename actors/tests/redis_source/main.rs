//! The Redis list as a queue source, against real servers.

mod broken_server;
mod certificates;
mod connecting;
mod delivery;
mod harness;
mod log;
mod monitoring;
mod old_server;
mod server;
mod waking;
