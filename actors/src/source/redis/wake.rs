//! Waking up: how an idle reader learns of new elements without taking any.
//!
//! One reader of the process holds the *turn to wait* and blocks in `BLMOVE
//! queue queue RIGHT RIGHT`, which leaves the list as it is; the others wait for
//! the turn. Who finds a backlog that is too much for it gives the turn up, so
//! that the next one looks too: readers wake one after the other as long as there
//! is enough for them. Who is enough alone keeps the turn, or where another has
//! it, waits for it.
//!
//! Where BLMOVE is refused (an ACL, an old server, a full memory, a proxy), the
//! holder of the turn polls instead, and tries BLMOVE again each minute.

use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};

use super::super::SourceError;
use super::connect::Connector;
use super::decoder::Reply;
use super::error::{error, io_failed, kind_of_reply, protocol_broken};
use super::replies::ReplyStream;
use crate::error_kind::ErrorKind;
use crate::settings::Endpoint;

/// How long one BLMOVE waits; the next one follows at once.
const BLOCK: Duration = Duration::from_secs(5);

/// How much later than that its answer may come before the connection counts as
/// dead.
const LATE: Duration = Duration::from_secs(5);

/// A null that comes sooner than this was not waited for.
const SHORTEST_BLOCK: Duration = Duration::from_millis(500);

const RETRY_BLMOVE: Duration = Duration::from_secs(60);
const FAST_POLL: Duration = Duration::from_millis(20);
const SLOW_POLL: Duration = Duration::from_millis(100);

/// Polls at the fast pace after something was found: five seconds' worth.
const FAST_POLLS: u32 = 250;

/// So often in a row the server may hang up at BLMOVE, while it lets us pop, until
/// that counts as a refusal.
const HANG_UPS: u32 = 3;

/// So often in a row BLMOVE may report elements that a pop does not find, before it
/// is asked more slowly: others were faster, or the server is wrong.
const WAKES_IN_VAIN: u32 = 3;

/// Read buffer of the waiting connection, which keeps nothing of elements.
const BUFFER_BYTES: usize = 4096;

/// The turn to wait; one for each queue.
#[derive(Debug)]
pub struct Waker {
    turn: Arc<Mutex<WaitTurn>>,
    blmove: Vec<u8>,
}

/// Who has it may block, unless that was refused.
type WaitTurn = Option<BlmoveRefusal>;

#[derive(Debug)]
struct BlmoveRefusal {
    kind: ErrorKind,
    retry_at: Instant,
}

/// One reader's side.
#[derive(Debug, Default)]
pub struct Waiter {
    turn: Option<OwnedMutexGuard<WaitTurn>>,
    connection: Option<ReplyStream>,
    polls: u32,
    hang_ups: u32,
    wakes_in_vain: u32,
}

/// How a BLMOVE ended.
enum Blocked {
    /// The list has elements, or the next pop will show what is wrong.
    Pop,
    /// The server does not let us wait this way.
    Refused(ErrorKind, String),
}

impl Waker {
    /// Waits for elements of that list.
    pub fn new(key: &str) -> Self {
        let mut blmove = cmd("BLMOVE");
        blmove.arg(key).arg(key).arg("RIGHT").arg("RIGHT").arg(BLOCK.as_secs());
        Self { turn: Arc::default(), blmove: blmove.get_packed_command() }
    }
}

impl Waiter {
    /// Returns when a pop is worth trying. Uses the server at `endpoint`. When
    /// the future is dropped, what was under way ends with it.
    ///
    /// # Errors
    /// The server did not answer in time: every idle connection to it is
    /// suspect.
    pub async fn wait(
        &mut self,
        waker: &Waker,
        connector: &Connector,
        endpoint: &Endpoint,
    ) -> Result<(), SourceError> {
        if self.turn.is_none() {
            self.turn = Some(Arc::clone(&waker.turn).lock_owned().await);
            self.polls = 0;
        }
        if self.must_poll() || !connector.may_send("BLMOVE") {
            self.poll().await;
            return Ok(());
        }
        match self.block(waker, connector, endpoint).await {
            Ok(Blocked::Pop) => {
                self.accepted();
                self.hang_ups = 0;
                self.wakes_in_vain = self.wakes_in_vain.saturating_add(1);
                if self.wakes_in_vain > WAKES_IN_VAIN {
                    sleep(FAST_POLL).await;
                }
                Ok(())
            }
            Ok(Blocked::Refused(kind, words)) => {
                self.refused(kind, &words);
                self.poll().await;
                Ok(())
            }
            Err(cause) if cause.kind == ErrorKind::Timeout => Err(cause),
            Err(cause) => {
                // The pop that follows finds out whether Redis is there at all.
                tracing::debug!(%cause, "waiting for elements failed");
                self.hang_ups += 1;
                if self.hang_ups >= HANG_UPS {
                    self.hang_ups = 0;
                    self.refused(cause.kind, "it closes the connection");
                }
                sleep(SLOW_POLL).await;
                Ok(())
            }
        }
    }

    /// There was something: polls are fast again.
    pub fn found(&mut self) {
        self.polls = 0;
        self.wakes_in_vain = 0;
    }

    /// Lets the next reader look, since there is enough for two.
    pub fn give_up_turn(&mut self) {
        self.turn = None;
    }

    /// Takes the turn, or keeps it; false where another reader has it.
    pub fn keep_turn(&mut self, waker: &Waker) -> bool {
        if self.turn.is_none() {
            self.turn = Arc::clone(&waker.turn).try_lock_owned().ok();
        }
        self.turn.is_some()
    }

    /// Forgets the connection too.
    pub fn reset(&mut self) {
        self.turn = None;
        self.connection = None;
        self.hang_ups = 0;
    }

    fn must_poll(&self) -> bool {
        let refusal = self.turn.as_ref().and_then(|turn| turn.as_ref());
        refusal.is_some_and(|refusal| Instant::now() < refusal.retry_at)
    }

    async fn poll(&mut self) {
        self.polls = self.polls.saturating_add(1);
        sleep(if self.polls > FAST_POLLS { SLOW_POLL } else { FAST_POLL }).await;
    }

    fn accepted(&mut self) {
        let refusal = self.turn.as_mut().and_then(|turn| turn.take());
        if refusal.is_some() {
            tracing::info!("redis accepts BLMOVE now: no more polling");
        }
    }

    fn refused(&mut self, kind: ErrorKind, words: &str) {
        let Some(turn) = self.turn.as_mut() else { return };
        if turn.as_ref().is_none_or(|refusal| refusal.kind != kind) {
            tracing::warn!("polling for elements, since redis refuses BLMOVE: {words}");
        }
        **turn = Some(BlmoveRefusal { kind, retry_at: Instant::now() + RETRY_BLMOVE });
    }

    /// Blocks until the list has elements. The connection is put back only when
    /// no reply is outstanding.
    async fn block(
        &mut self,
        waker: &Waker,
        connector: &Connector,
        endpoint: &Endpoint,
    ) -> Result<Blocked, SourceError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connected = connector.connect_to(endpoint).await?;
                ReplyStream::new(connected.stream, BUFFER_BYTES, 0).asking(connected.is_asking)
            }
        };
        loop {
            let asked_at = Instant::now();
            connection.request(&waker.blmove);
            let reply =
                timeout(BLOCK + LATE, one_reply(&mut connection)).await.map_err(|_| {
                    error(ErrorKind::Timeout, format!("{endpoint}: no answer to BLMOVE"))
                })??;
            let ended = match reply {
                Reply::Elements(_) => Blocked::Pop,
                Reply::Nil if asked_at.elapsed() >= SHORTEST_BLOCK => continue,
                Reply::Nil => {
                    Blocked::Refused(ErrorKind::Other, "it answers without waiting".to_owned())
                }
                Reply::Error(words) => verdict(&words),
            };
            self.connection = Some(connection);
            return Ok(ended);
        }
    }
}

/// Whether an error reply means that BLMOVE can't be used, or that the next pop
/// will meet and report the same error.
fn verdict(words: &str) -> Blocked {
    let kind = kind_of_reply(words);
    match kind {
        ErrorKind::Busy if words.starts_with("OOM") => Blocked::Refused(kind, words.to_owned()),
        ErrorKind::WrongType | ErrorKind::NotPrimary | ErrorKind::Busy | ErrorKind::Auth => {
            Blocked::Pop
        }
        ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::Tls
        | ErrorKind::Permission
        | ErrorKind::WrongKey
        | ErrorKind::Protocol
        | ErrorKind::Other => Blocked::Refused(kind, words.to_owned()),
    }
}

async fn one_reply(connection: &mut ReplyStream) -> Result<Reply, SourceError> {
    let mut elements = Vec::new();
    loop {
        connection.receive().await.map_err(|cause| io_failed("waiting for elements", &cause))?;
        if let Some(reply) =
            connection.next(&mut elements).map_err(|cause| protocol_broken(&cause))?
        {
            return Ok(reply);
        }
    }
}
