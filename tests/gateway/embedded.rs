//! The embedded queue: the gateway without a Redis.

mod access;
mod clients;
mod crowd;
mod lifecycle;
pub mod rig;
mod stack_exchange;
mod strangers;
