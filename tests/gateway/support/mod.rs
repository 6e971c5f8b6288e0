//! Support: what the tests stand on. A real Redis, a real gateway process, an
//! HTTP client, and an exposition parser that shares no code with the product.

pub mod alertmanager;
pub mod exposition;
pub mod gateway;
pub mod http;
pub mod https;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod redis;
pub mod rig;
pub mod tls;
pub mod terminal;
pub mod wait;

pub use exposition::{Exposition, Format};
pub use gateway::{Finished, Gateway, GatewayBuilder};
pub use redis::{RedisOptions, RedisServer, Sentinel, following};
pub use rig::Rig;
pub use wait::{wait_for, wait_until};
