//! Status: the figures that show an operator how the gateway does, in one
//! [`model`] for all views of them. `/api/v1/status` serves it as JSON.
//!
//! The *board* reads the self-metrics' atomics once a second into a bounded
//! [`history`], which the rates come from. Nobody on the way of a sample does
//! anything for it.

mod compose;
pub mod history;
pub mod model;
mod snapshot;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use psg_engine::catalog::Catalog;
use psg_engine::timestamp::Moment;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::{Clock, system_time};
use crate::self_metrics::SelfMetrics;
use crate::settings::PipelineSettings;
use crate::stop::StopSignal;

use history::History;
use model::{EndpointInfo, SettingInfo, Status, TopMetric};
use snapshot::CounterSnapshot;

const INTERVAL: Duration = Duration::from_secs(1);

/// How many metrics are named among those with the most series.
const TOP_METRICS: usize = 20;

/// How old the list of these may be: making it looks at every family.
const TOP_METRICS_MS: u64 = 1000;

/// What does not change while the process runs.
#[derive(Debug, Clone, Default)]
pub struct StaticInfo {
    /// Where samples are taken from: `redis` or `embedded`.
    pub source: &'static str,
    /// Where that is, without secrets.
    pub address: String,
    /// The queue's key.
    pub key: String,
    /// Whether checkpoints are written.
    pub keeps_totals: bool,
    /// Every setting in force, secrets masked.
    pub settings: Vec<SettingInfo>,
    /// Every path that is answered.
    pub endpoints: Vec<EndpointInfo>,
}

impl StaticInfo {
    /// With what is to be said of a queue that may listen at that address.
    pub fn of_queue(self, settings: &PipelineSettings, listens_on: Option<SocketAddr>) -> Self {
        let (source, address) = match (&settings.embedded, listens_on) {
            (Some(_), Some(address)) => ("embedded", address.to_string()),
            (Some(embedded), None) => ("embedded", embedded.listen.to_string()),
            (None, _) => {
                let servers = settings.queue.redis.endpoints.iter().map(ToString::to_string);
                ("redis", servers.collect::<Vec<_>>().join(", "))
            }
        };
        let keeps_totals = settings.queue.once.is_some() || settings.state_file.is_some();
        Self { source, address, key: settings.queue.key.clone(), keeps_totals, ..self }
    }
}

/// What is asked of others at the moment of a look.
#[derive(Debug, Clone, Default)]
pub struct LiveInfo {
    /// Why the gateway is not ready, if it is not.
    pub unready: Option<String>,
    /// Messages that wait in each shard's inbox.
    pub inboxes: Vec<usize>,
}

/// Keeps the history and puts the status together.
#[derive(Debug)]
pub struct StatusBoard {
    metrics: Arc<SelfMetrics>,
    catalog: Catalog,
    clock: Clock,
    info: StaticInfo,
    /// In seconds since 1970.
    started_at: f64,
    history: Mutex<History>,
    top_metrics: Mutex<Option<(Moment, Vec<TopMetric>)>>,
}

impl StatusBoard {
    /// A board whose history begins now.
    pub fn new(
        metrics: Arc<SelfMetrics>,
        catalog: Catalog,
        clock: Clock,
        info: StaticInfo,
    ) -> Self {
        let first = CounterSnapshot::take(&metrics, clock.now());
        Self {
            metrics,
            catalog,
            clock,
            info,
            started_at: system_time().seconds() - clock.now().0 as f64 / 1000.0,
            history: Mutex::new(History::new(first)),
            top_metrics: Mutex::default(),
        }
    }

    /// Reads the counters each second until the stop signal comes.
    pub async fn run(self: Arc<Self>, mut stop: StopSignal) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once, and the history has its beginning.
        ticks.tick().await;
        loop {
            tokio::select! {
                () = stop.stopped() => return,
                _ = ticks.tick() => self.tick(),
            }
        }
    }

    /// The status at present. Looks at every family at most once a second,
    /// which may take a moment where there are very many.
    pub fn status(&self, live: LiveInfo) -> Status {
        let top_metrics = self.top_metrics(self.clock.now());
        // Locked first, so that nothing in the history is later than now.
        let history = self.history.lock();
        let now = CounterSnapshot::take(&self.metrics, self.clock.now());
        let sources = compose::StatusSources {
            metrics: &self.metrics,
            catalog: &self.catalog,
            info: &self.info,
            history: &history,
            now: &now,
        };
        Status {
            uptime_seconds: now.at.0 as f64 / 1000.0,
            started_at: self.started_at,
            top_metrics,
            ..sources.status(live)
        }
    }

    fn tick(&self) {
        let snapshot = CounterSnapshot::take(&self.metrics, self.clock.now());
        self.history.lock().push(snapshot);
    }

    fn top_metrics(&self, now: Moment) -> Vec<TopMetric> {
        let mut kept = self.top_metrics.lock();
        match &*kept {
            Some((then, top)) if now.0 < then.0 + TOP_METRICS_MS => top.clone(),
            Some(_) | None => {
                let top = compose::top_metrics(&self.catalog, TOP_METRICS);
                *kept = Some((now, top.clone()));
                top
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn looks_and_ticks_at_once() {
        let catalog = Catalog::default();
        let metrics =
            Arc::new(SelfMetrics::new(1, 1, catalog.clone(), "queue", "at-most-once", false));
        let board =
            StatusBoard::new(metrics.clone(), catalog, Clock::start(), StaticInfo::default());
        thread::scope(|scope| {
            let ticks = scope.spawn(|| {
                for _ in 0..1000 {
                    metrics.scrape_duration.observe(Duration::from_millis(1));
                    board.tick();
                }
            });
            let mut uptime = 0.0;
            while !ticks.is_finished() {
                let status = board.status(LiveInfo::default());
                let ago = status.scrapes.last_seconds_ago.unwrap_or_default();
                assert!((0.0..10.0).contains(&ago), "{ago}");
                assert!(status.uptime_seconds >= uptime);
                uptime = status.uptime_seconds;
            }
        });
    }
}
