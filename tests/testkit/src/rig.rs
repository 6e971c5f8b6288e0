//! A rig: one Redis and one gateway that reads it, and a count of what went in.

use super::exposition::Exposition;
use super::gateway::{Gateway, GatewayBuilder};
use super::redis::RedisServer;

/// A Redis and a gateway on it.
#[derive(Debug)]
pub struct Rig {
    /// Dropped first.
    pub gateway: Gateway,
    /// The server that the gateway reads.
    pub redis: RedisServer,
    pushed: u64,
}

impl Rig {
    /// With one worker, so that samples are applied in the order sent.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With one worker and those settings, by their environment names.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let redis = RedisServer::start();
        let mut builder = GatewayBuilder::reading(&redis).set("Redis__MetricQueueWorkers", "1");
        for (name, value) in settings {
            builder = builder.set(name, value);
        }
        Self { gateway: builder.start(), redis, pushed: 0 }
    }

    /// Pushes payloads and returns the scrape that shows all of them taken.
    pub fn send<P: AsRef<[u8]>>(&mut self, payloads: &[P]) -> Exposition {
        self.push(payloads);
        self.gateway.scrape_after(self.pushed)
    }

    /// Pushes payloads without waiting.
    pub fn push<P: AsRef<[u8]>>(&mut self, payloads: &[P]) {
        self.redis.push(payloads);
        self.pushed += payloads.len() as u64;
    }

    /// How many payloads were pushed in all.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }
}
