//! The list's pusher: puts elements onto the list for the gateway's own doors, on a
//! connection of its own. The answer comes when they are there.
//!
//! Nothing is sent twice but what the server has refused because another one has the
//! list: a push whose answer was lost may have been taken, and would count twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Cmd, cmd};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::{PushError, SourceError};
use super::command_connection::CommandConnection;
use super::connect::Connector;
use super::error::{crate_failed, error, reply_words};
use crate::error_kind::ErrorKind;
use crate::self_metrics::QueueMetrics;
use crate::settings::QueueSettings;

/// How long a push may take to be on its way; its answer may take five seconds more.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a push follows the list to another server.
const REDIRECTS: usize = 3;

/// Bytes of pushes that are under way at once: the client has each twice more meanwhile.
const IN_FLIGHT_BYTES: usize = 16 * 1024 * 1024;
/// These are counted in units.
const UNIT_BYTES: usize = 1024;

/// Pushes onto the list; may be used from any thread.
pub struct ListPusher {
    key: String,
    connector: Arc<Connector>,
    /// Where the connection lives.
    runtime: Handle,
    link: Mutex<Option<CommandConnection>>,
    /// Held by who connects, so that others wait for that.
    connecting: tokio::sync::Mutex<()>,
    room: Semaphore,
    metrics: Arc<QueueMetrics>,
}

impl std::fmt::Debug for ListPusher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListPusher").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ListPusher {
    /// Opens nothing yet. Connections will live on the present runtime.
    pub fn new(settings: &QueueSettings, metrics: Arc<QueueMetrics>) -> Self {
        let connector = Connector::new(settings.redis.clone(), &settings.key);
        Self {
            key: settings.key.clone(),
            connector: Arc::new(connector.following_ask(true)),
            runtime: Handle::current(),
            link: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            room: Semaphore::new(IN_FLIGHT_BYTES / UNIT_BYTES),
            metrics,
        }
    }

    /// Whether the connection that there was has been closed by the other side.
    pub fn is_lost(&self) -> bool {
        self.link.lock().as_ref().is_some_and(CommandConnection::is_lost)
    }

    /// Pushes these elements by one command, the first to be taken first.
    pub async fn push(&self, elements: &[&[u8]]) -> Result<(), PushError> {
        let bytes: usize = elements.iter().map(|element| element.len()).sum();
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, IN_FLIGHT_BYTES / UNIT_BYTES);
        let waited = timeout(PATIENCE, self.room.acquire_many(units as u32)).await;
        let Ok(_room) = waited else { return Err(PushError::Full) };
        let push = cmd("LPUSH").arg(&self.key).arg(elements).take();
        let mut outcome = Ok(());
        for _ in 0..REDIRECTS {
            outcome = match self.link().await {
                Ok(link) => match self.push_on(link, &push).await {
                    Ok(()) => return Ok(()),
                    Err(PushFailure::Elsewhere(cause)) => Err(cause),
                    Err(PushFailure::Full) => return Err(PushError::Full),
                    Err(PushFailure::Refused(cause)) => return Err(self.failed(&cause)),
                    Err(PushFailure::Silent(cause)) => {
                        self.failed(&cause);
                        return Err(PushError::Silent(cause.message));
                    }
                },
                Err(cause) => return Err(self.failed(&cause)),
            };
        }
        outcome.map_err(|cause| self.failed(&cause))
    }

    async fn push_on(&self, mut link: CommandConnection, push: &Cmd) -> Result<(), PushFailure> {
        let Err(cause) = link.ask::<u64>(push).await else { return Ok(()) };
        let failure = crate_failed("LPUSH", &cause);
        if !failure.kind.leaves_connection() {
            self.leave(&link);
        }
        match reply_words(&cause) {
            Some(words) if words.starts_with("OOM") => Err(PushFailure::Full),
            Some(words) if self.connector.note_refusal(&link.endpoint, &words) => {
                self.leave(&link);
                Err(PushFailure::Elsewhere(failure))
            }
            Some(_) => Err(PushFailure::Refused(failure)),
            None => Err(PushFailure::Silent(failure)),
        }
    }

    /// The connection, opened where there is none.
    async fn link(&self) -> Result<CommandConnection, SourceError> {
        let connected = timeout(PATIENCE, async {
            let _connecting = self.connecting.lock().await;
            if let Some(link) = self.link.lock().clone().filter(|link| !link.is_lost()) {
                return Ok(link);
            }
            let connector = Arc::clone(&self.connector);
            let opening = async move { CommandConnection::open(&connector).await };
            // Its driver has to outlive the thread that asks.
            let opened = self.runtime.spawn(opening).await;
            let ending = || error(ErrorKind::Connection, "the gateway is shutting down");
            let link = opened.map_err(|_| ending())??;
            *self.link.lock() = Some(link.clone());
            Ok(link)
        });
        let too_slow = || error(ErrorKind::Timeout, "redis: no connection within 5 s");
        connected.await.unwrap_or_else(|_| Err(too_slow()))
    }

    fn leave(&self, link: &CommandConnection) {
        let mut kept = self.link.lock();
        if kept.as_ref().is_some_and(|kept| kept.is(link)) {
            *kept = None;
        }
    }

    fn failed(&self, cause: &SourceError) -> PushError {
        self.metrics.errors[cause.kind as usize].fetch_add(1, Ordering::Relaxed);
        PushError::Away(cause.message.clone())
    }
}

/// What became of a push on one connection.
enum PushFailure {
    /// The server has no memory left.
    Full,
    /// It was refused, and is known to be for another server.
    Elsewhere(SourceError),
    Refused(SourceError),
    /// Nothing says what became of it.
    Silent(SourceError),
}
