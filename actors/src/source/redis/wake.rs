//! Waking up: how an idle reader learns of new elements without taking any.
//!
//! One reader of the process holds the *waiting place* and blocks in `BLMOVE
//! queue queue RIGHT RIGHT`, which leaves the list as it is; the others wait for
//! the place. Who finds a backlog that is too much for it gives the place up, so
//! that the next one looks too: readers wake one after the other as long as there
//! is enough for them. Who is enough alone keeps the place, or where another has
//! it, waits for it.
//!
//! Where BLMOVE is refused (an ACL, an old server, a full memory, a proxy), the
//! holder of the place polls instead, and tries BLMOVE again each minute.

use std::sync::Arc;
use std::time::Duration;

use super::super::SourceError;
use super::connect::Connector;
use super::decoder::Reply;
use super::error::{error, io_failed, kind_of_reply, protocol_broken};
use super::replies::ReplyStream;
use crate::error_kind::ErrorKind;
use crate::settings::Endpoint;
use redis::cmd;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};

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

/// So often in a row BLMOVE may tell of elements that a pop does not find, until it
/// is asked more slowly: others were faster, or the server tells stories.
const WAKES_IN_VAIN: u32 = 3;

/// Read buffer of the waiting connection, which keeps nothing of elements.
const BUFFER_BYTES: usize = 4096;

/// The waiting place; one for the process.
#[derive(Debug)]
pub struct Waker {
    place: Arc<Mutex<Place>>,
    blmove: Vec<u8>,
}

#[derive(Debug, Default)]
struct Place {
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    kind: ErrorKind,
    retry_at: Instant,
}

/// One reader's side.
#[derive(Debug, Default)]
pub struct Waiter {
    place: Option<OwnedMutexGuard<Place>>,
    connection: Option<ReplyStream>,
    polls: u32,
    hang_ups: u32,
    wakes_in_vain: u32,
}

/// How a BLMOVE ended.
enum Blocked {
    /// The list has elements, or the next pop will tell what is wrong.
    Pop,
    /// The server does not let us wait this way.
    Refused(ErrorKind, String),
}

impl Waker {
    /// Waits for elements of that list.
    pub fn new(key: &str) -> Self {
        let mut blmove = cmd("BLMOVE");
        blmove.arg(key).arg(key).arg("RIGHT").arg("RIGHT").arg(BLOCK.as_secs());
        Self { place: Arc::default(), blmove: blmove.get_packed_command() }
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
        if self.place.is_none() {
            self.place = Some(Arc::clone(&waker.place).lock_owned().await);
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
    pub fn give_up_place(&mut self) {
        self.place = None;
    }

    /// Takes the place, or keeps it; false where another reader has it.
    pub fn keep_place(&mut self, waker: &Waker) -> bool {
        if self.place.is_none() {
            self.place = Arc::clone(&waker.place).try_lock_owned().ok();
        }
        self.place.is_some()
    }

    /// Forgets the connection too.
    pub fn reset(&mut self) {
        self.place = None;
        self.connection = None;
        self.hang_ups = 0;
    }

    fn must_poll(&self) -> bool {
        let refusal = self.place.as_ref().and_then(|place| place.refusal.as_ref());
        refusal.is_some_and(|refusal| Instant::now() < refusal.retry_at)
    }

    async fn poll(&mut self) {
        self.polls = self.polls.saturating_add(1);
        sleep(if self.polls > FAST_POLLS { SLOW_POLL } else { FAST_POLL }).await;
    }

    fn accepted(&mut self) {
        let refusal = self.place.as_mut().and_then(|place| place.refusal.take());
        if refusal.is_some() {
            tracing::info!("redis accepts BLMOVE now: no more polling");
        }
    }

    fn refused(&mut self, kind: ErrorKind, words: &str) {
        let Some(place) = self.place.as_mut() else { return };
        if place.refusal.as_ref().is_none_or(|refusal| refusal.kind != kind) {
            tracing::warn!("polling for elements, since redis refuses BLMOVE: {words}");
        }
        place.refusal = Some(Refusal { kind, retry_at: Instant::now() + RETRY_BLMOVE });
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
/// will meet the same error and tell.
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
