//! The Redis list as a queue source, against real servers and pretended ones.

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
mod pushing;
mod security;
mod old_server;
mod waking;
