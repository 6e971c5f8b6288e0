//! The embedded queue: the gateway without a Redis.

mod lifecycle;
mod rig;
