//! The embedded queue: the gateway without a Redis.

mod access;
mod clients;
mod crowd;
mod lifecycle;
mod other_keys;
pub mod rig;
mod stack_exchange;
mod strangers;
