//! The monitor: asks each second how long the queue is, and by that whether
//! Redis is there. It also says that this gateway is on the queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{RedisResult, cmd};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::super::SourceError;
use super::command_connection::CommandConnection;
use super::error::crate_failed;
use super::health::HealthReporter;
use super::info::ServerInfo;
use super::once::warning_of_pops;
use super::presence::{Presence, Shown};
use super::shared_queue::SharedQueue;
use crate::backoff::Backoff;
use crate::error_kind::ErrorKind;
use crate::self_metrics::UNKNOWN;
use crate::stop::StopSignal;

const INTERVAL: Duration = Duration::from_secs(1);

/// How long the sign of presence may take to be taken back.
const LEAVING: Duration = Duration::from_millis(500);

/// Asks until the stop signal comes.
pub async fn run(shared: Arc<SharedQueue>, mut stop: StopSignal) {
    let mut monitor = QueueMonitor::new(shared);
    tokio::select! {
        () = stop.stopped() => {}
        () = monitor.run() => {}
    }
    monitor.leave().await;
}

struct QueueMonitor {
    shared: Arc<SharedQueue>,
    link: Option<MonitorConnection>,
    connected_before: bool,
    length_denied: bool,
    server_seen: bool,
    presence: Presence,
}

/// A link, and how many detours there had been when it was opened.
struct MonitorConnection {
    link: CommandConnection,
    detours: u64,
}

impl QueueMonitor {
    fn new(shared: Arc<SharedQueue>) -> Self {
        let presence = Presence::new(&shared.key, shared.delivery);
        Self {
            shared,
            link: None,
            connected_before: false,
            length_denied: false,
            server_seen: false,
            presence,
        }
    }

    async fn run(&mut self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::default();
        loop {
            match self.ask().await {
                Ok(()) => {
                    self.look_at_server().await;
                    self.be_present().await;
                    backoff.reset();
                    ticks.tick().await;
                }
                Err(_) => sleep(backoff.delay()).await,
            }
        }
    }

    /// Looks once whether the server may throw the queue away. With exactly-once
    /// delivery its reader does.
    async fn look_at_server(&mut self) {
        let Some(link) = &mut self.link else { return };
        if std::mem::replace(&mut self.server_seen, true) || self.shared.is_once {
            return;
        }
        // Who may not ask needs not know.
        let info: RedisResult<String> =
            cmd("INFO").arg("memory").query_async(&mut link.link.connection).await;
        if let Ok(info) = info
            && let Some(warning) = warning_of_pops(&ServerInfo::new(info))
        {
            tracing::warn!("{warning}");
        }
    }

    async fn be_present(&mut self) {
        // A proxy that hangs up at what it does not know keeps none.
        if !self.shared.connector.may_send("ZADD") {
            return;
        }
        let Some(link) = &mut self.link else { return };
        let consumers = match self.presence.show(&mut link.link.connection).await {
            Shown::NotDue => return,
            Shown::Among(count) => count,
            Shown::Unknown => UNKNOWN,
        };
        self.shared.metrics.consumers.store(consumers, Ordering::Relaxed);
    }

    async fn leave(&mut self) {
        let Some(link) = &mut self.link else { return };
        let left = self.presence.leave(&mut link.link.connection);
        // Where that fails, the sign grows old.
        let _ = tokio::time::timeout(LEAVING, left).await;
    }

    async fn ask(&mut self) -> Result<(), SourceError> {
        let was_linked = self.link.is_some();
        let mut outcome = self.length().await;
        if was_linked && outcome.as_ref().is_err_and(|cause| cause.kind == ErrorKind::Connection) {
            // Servers and what is between close connections for their own
            // reasons: that alone does not mean that Redis is away.
            self.link = None;
            outcome = self.length().await;
        }
        self.publish(&outcome);
        match outcome {
            Ok(_) => Ok(()),
            Err(cause) => {
                if !cause.kind.leaves_connection() {
                    self.link = None;
                }
                Err(cause)
            }
        }
    }

    /// The length of the list; `None` where the user may not ask for it.
    async fn length(&mut self) -> Result<Option<u64>, SourceError> {
        let llen = cmd("LLEN").arg(&self.shared.key).take();
        let link = self.link().await?;
        match link.link.ask::<u64>(&llen).await {
            Ok(length) => Ok(Some(length)),
            Err(cause) => {
                let failure = crate_failed("LLEN", &cause);
                if failure.kind != ErrorKind::Permission {
                    return Err(failure);
                }
                self.say_denied(&failure);
                Ok(None)
            }
        }
    }

    fn say_denied(&mut self, failure: &SourceError) {
        if !self.length_denied {
            tracing::warn!("the length of the queue stays unknown: {failure}");
            self.length_denied = true;
        }
    }

    fn publish(&self, outcome: &Result<Option<u64>, SourceError>) {
        let metrics = &self.shared.metrics;
        match outcome {
            Ok(length) => {
                self.shared.pulse.answered();
                self.shared.works(HealthReporter::Monitor);
                let length = length.and_then(|length| i64::try_from(length).ok());
                metrics.pending.store(length.unwrap_or(UNKNOWN), Ordering::Relaxed);
            }
            Err(cause) => {
                self.shared.pulse.failed(cause.kind);
                metrics.consumers.store(UNKNOWN, Ordering::Relaxed);
                self.shared.failed(HealthReporter::Monitor, cause);
            }
        }
    }

    async fn link(&mut self) -> Result<&mut MonitorConnection, SourceError> {
        let detours = self.shared.connector.detours();
        if self.link.as_ref().is_some_and(|link| link.detours != detours) {
            self.link = None;
        }
        let link = match self.link.take() {
            Some(link) => link,
            None => self.connect(detours).await?,
        };
        Ok(self.link.insert(link))
    }

    async fn connect(&mut self, detours: u64) -> Result<MonitorConnection, SourceError> {
        let link = CommandConnection::open(&self.shared.connector).await?;
        if self.connected_before {
            self.shared.metrics.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.connected_before = true;
        Ok(MonitorConnection { link, detours })
    }
}
