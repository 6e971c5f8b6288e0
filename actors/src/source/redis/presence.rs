//! Presence: which gateways are on a queue. Each leaves a sign of life in a
//! sorted set beside it, by Redis' own clock, so that two which share a queue
//! by mistake can be seen. Who has no right to it goes without.

use std::process;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd, pipe};
use tokio::time::Instant;

use super::super::SourceError;
use super::error::crate_failed;
use crate::cluster_key::key_beside;

/// Between two signs of life.
const INTERVAL: Duration = Duration::from_secs(5);
/// Who has given none for this long is gone.
const GONE_AFTER_MS: i64 = 15_000;
/// After this many seconds without any sign Redis forgets the set.
const EXPIRY_SECONDS: i64 = 60;
/// When it is tried again where that failed: a proxy may cut the connection for
/// a command that it does not know.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The set's key, beside the queue's.
pub fn key_of(queue: &str) -> String {
    key_beside(queue, "consumers")
}

/// The gateways on `queue` now, each as `delivery host process nonce`.
pub async fn on_queue(
    connection: &mut MultiplexedConnection,
    queue: &str,
) -> Result<Vec<String>, RedisError> {
    let alive = now(connection).await? - GONE_AFTER_MS;
    let range = cmd("ZRANGEBYSCORE").arg(key_of(queue)).arg(alive).arg("+inf").take();
    range.query_async(connection).await
}

#[derive(Debug)]
pub struct Presence {
    key: String,
    sign: String,
    due: Instant,
    has_failed: bool,
}

impl Presence {
    /// Of this process, which takes from `queue` with that delivery.
    pub fn new(queue: &str, delivery: &str) -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().replace(' ', "_");
        let nonce: u64 = rand::random();
        Self {
            key: key_of(queue),
            sign: format!("{delivery} {host} {} {nonce:016x}", process::id()),
            due: Instant::now(),
            has_failed: false,
        }
    }

    /// Gives a sign where one is due, and returns how many gateways are there.
    pub async fn show(&mut self, connection: &mut MultiplexedConnection) -> Shown {
        if Instant::now() < self.due {
            return Shown::NotDue;
        }
        match self.sign(connection).await {
            Ok(count) => {
                self.due = Instant::now() + INTERVAL;
                self.has_failed = false;
                Shown::Among(count)
            }
            Err(cause) => {
                self.say(&crate_failed("a sign of presence", &cause));
                self.due = Instant::now() + AFTER_FAILURE;
                Shown::Unknown
            }
        }
    }

    /// Takes the sign back, so that nobody counts this gateway any more.
    pub async fn leave(&self, connection: &mut MultiplexedConnection) {
        let outcome = cmd("ZREM").arg(&self.key).arg(&self.sign).exec_async(connection).await;
        if let Err(cause) = outcome {
            tracing::debug!(%cause, "the sign of presence stays until it is too old");
        }
    }

    async fn sign(&self, connection: &mut MultiplexedConnection) -> Result<i64, RedisError> {
        let now = now(connection).await?;
        let gone = now - GONE_AFTER_MS;
        let mut commands = pipe();
        commands.cmd("ZADD").arg(&self.key).arg(now).arg(&self.sign).ignore();
        commands.cmd("EXPIRE").arg(&self.key).arg(EXPIRY_SECONDS).ignore();
        commands.cmd("ZREMRANGEBYSCORE").arg(&self.key).arg("-inf").arg(gone).ignore();
        commands.cmd("ZCARD").arg(&self.key);
        let (count,): (i64,) = commands.query_async(connection).await?;
        Ok(count)
    }

    fn say(&mut self, cause: &SourceError) {
        if !self.has_failed {
            tracing::debug!("how many gateways are on the queue is not known: {cause}");
        }
        self.has_failed = true;
    }
}

/// What became of a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The last one is young enough.
    NotDue,
    /// It was given; how many gateways are there.
    Among(i64),
    Unknown,
}

/// Redis' clock, in milliseconds.
async fn now(connection: &mut MultiplexedConnection) -> Result<i64, RedisError> {
    let (seconds, micros): (i64, i64) = cmd("TIME").query_async(connection).await?;
    Ok(seconds * 1000 + micros / 1000)
}
