//! Self-metrics: what the gateway counts of itself.

use std::sync::atomic::AtomicU64;

/// What one worker counts.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Pops that found nothing.
    pub empty_pops: AtomicU64,
}

/// What the connections to Redis count.
#[derive(Debug, Default)]
pub struct RedisMetrics {
    /// Connections opened again after one was lost.
    pub reconnects: AtomicU64,
}
