//! The embedded queue: the gateway without a Redis.

mod access;

mod crowd;
mod lifecycle;
mod other_keys;

mod stack_exchange;
mod strangers;
