//! The pusher: one connection that pushes what the feed hands out, and goes on
//! after a lost connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use psg_actors::backoff::Backoff;
use redis::{Client, Connection, RedisError, RetryMethod};

use super::feed::{Batches, Feed, FeedStep};
use super::progress::RunProgress;
use crate::stop_flag::StopFlag;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What all connections of a run share.
#[derive(Debug)]
pub struct PushRun {
    pub client: Client,
    pub key: String,
    pub feed: Feed,
    /// When the run began.
    pub started: Instant,
    pub stop: StopFlag,
    pub progress: RunProgress,
    pub tally: PushTally,
}

/// Counts over all connections.
#[derive(Debug, Default)]
pub struct PushTally {
    pushed: AtomicU64,
    pushed_again: AtomicU64,
}

impl PushTally {
    /// Samples that Redis confirmed.
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }

    /// Samples that were pushed once more after the answer was lost, and so may
    /// be in the queue twice.
    pub fn pushed_again(&self) -> u64 {
        self.pushed_again.load(Ordering::Relaxed)
    }
}

/// Opens a connection that neither connecting nor an answer can hold up for
/// long.
pub fn connect(client: &Client) -> Result<Connection, RedisError> {
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    connection.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
    Ok(connection)
}

impl PushRun {
    /// Pushes until the feed is over or the run is stopped. Ends with an error
    /// only where Redis refuses the push itself, so that trying again is in
    /// vain.
    pub fn push_all(&self, mut connection: Connection) -> Result<(), RedisError> {
        let mut batches = Batches::default();
        while !self.stop.is_set() {
            match self.feed.next(self.started.elapsed(), &mut batches) {
                FeedStep::Push => self.push_until_confirmed(&mut connection, &batches)?,
                FeedStep::WaitUntil(then) => {
                    self.stop.wait(then.saturating_sub(self.started.elapsed()));
                }
                FeedStep::Over => break,
            }
        }
        Ok(())
    }

    fn push_until_confirmed(
        &self,
        connection: &mut Connection,
        batches: &Batches,
    ) -> Result<(), RedisError> {
        let samples = batches.samples() as u64;
        let mut backoff = Backoff::default();
        while let Err(error) = self.push(connection, batches) {
            if !is_transient(&error) {
                return Err(error);
            }
            self.progress.say(&format!("could not push to redis, trying again: {error}"));
            if self.stop.wait(backoff.delay()) || !self.reconnect(connection, &mut backoff) {
                return Ok(());
            }
            self.tally.pushed_again.fetch_add(samples, Ordering::Relaxed);
        }
        self.tally.pushed.fetch_add(samples, Ordering::Relaxed);
        Ok(())
    }

    fn push(&self, connection: &mut Connection, batches: &Batches) -> Result<(), RedisError> {
        let mut pipeline = redis::pipe();
        for batch in batches.iter() {
            pipeline.cmd("LPUSH").arg(&self.key).arg(batch).ignore();
        }
        pipeline.query(connection)
    }

    /// Tries until a new connection is there; false if the run was stopped
    /// before.
    fn reconnect(&self, connection: &mut Connection, backoff: &mut Backoff) -> bool {
        loop {
            if let Ok(fresh) = connect(&self.client) {
                *connection = fresh;
                self.progress.say("connected to redis again");
                return true;
            }
            if self.stop.wait(backoff.delay()) {
                return false;
            }
        }
    }
}

/// Whether the same push can succeed later: the connection was lost, or the
/// server is loading, failing over or read-only for now.
fn is_transient(error: &RedisError) -> bool {
    !matches!(error.retry_method(), RetryMethod::NoRetry)
}
