//! The application: the only place that wires actors, with its folder.
//!
//! They are started from the end of the flow to its beginning (shards, scrape,
//! HTTP, readers) and stopped from its beginning to its end, so that whatever
//! was taken is applied and whatever was asked is answered.

mod ending;
mod parts;
mod queue;
mod readers;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};

use psg_actors::checkpoint_requests::checkpoint_requests;
use psg_actors::fatal::{FatalError, FatalSignal};
use psg_actors::http::admin::{Admin, Safety};
use psg_actors::http::{self, HttpState, ROUTES, Route, Unready};
use psg_actors::serving_gate::ServingGate;
use psg_actors::settings::{GatewaySettings, OnceTuning};
use psg_actors::state_file::StateFile;
use psg_actors::status::{StaticInfo, StatusBoard, model};
use psg_actors::stop::{StopSignal, stop_signal};
use tokio::sync::oneshot;

use crate::config::{Config, Entry};
use crate::exit;
use crate::signals::Signals;
use ending::{Ending, shutdown_handshake};
use parts::{Parts, handover, keep_state};
use queue::Queue;
use readers::{once_settings, start_readers};

/// Leases for which the commit of a removal is waited for.
const COMMIT_PATIENCE: u32 = 3;

/// Where a gateway listens.
#[derive(Debug, Clone)]
pub struct Listening {
    /// For HTTP; at least one address.
    pub http: Vec<SocketAddr>,
    /// For producers, where the gateway itself is the queue.
    pub queue: Option<SocketAddr>,
}

/// What a host is said to have done.
const END_OF_HOST: &str = "the end of its host";

/// Runs the gateway until a signal ends it; 0 after a clean stop. Where it waits
/// for scrapers at its end, a second signal ends that.
pub fn run(config: Config, entries: &[Entry]) -> ExitCode {
    end_on_panic();
    let info = info(&config.gateway, entries);
    let served = actix::System::new().block_on(async {
        let signals = Signals::listen()?.all();
        serve(config.gateway, info, |_| {}, signals).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Io(error)) => {
            tracing::error!(%error, "the gateway ends");
            ExitCode::FAILURE
        }
        Err(Ended::FatalSignal(end)) => {
            tracing::error!(%end, "the gateway ends");
            match end {
                FatalError::BadConfiguration(_) => exit::bad_configuration(),
                FatalError::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs the gateway on this thread until `end` is told or dropped, in a process
/// that minds signals and panics itself; calls `listening` once it listens.
pub fn host(
    config: Config,
    entries: &[Entry],
    listening: impl FnOnce(Listening),
    end: oneshot::Receiver<()>,
) -> io::Result<()> {
    let info = info(&config.gateway, entries);
    // Whoever has dropped the other side wants the end as well.
    let ended = stream::once(end).map(|_| END_OF_HOST).chain(stream::pending());
    let system = actix::System::new();
    system.block_on(serve(config.gateway, info, listening, ended)).map_err(|ended| match ended {
        Ended::Io(error) => error,
        Ended::FatalSignal(end) => io::Error::other(end),
    })
}

/// A shard that is missing would look like counter resets, a reader that is
/// missing like silence: a panic of any actor ends the process.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "an actor has panicked, the gateway ends");
        #[expect(clippy::exit, reason = "what a panic left half done can't be put in order")]
        std::process::exit(1);
    }));
}

/// What the status tells of the configuration.
fn info(settings: &GatewaySettings, entries: &[Entry]) -> StaticInfo {
    let setting = |entry: &Entry| model::Setting {
        name: entry.name.to_owned(),
        value: entry.value.clone(),
        origin: entry.origin.as_str().to_owned(),
    };
    let endpoint = |route: &Route| model::Endpoint {
        path: route.path.to_owned(),
        meaning: route.meaning.to_owned(),
    };
    let servers = settings.queue.redis.endpoints.iter().map(ToString::to_string);
    let (source, address) = match &settings.embedded {
        Some(embedded) => ("embedded", embedded.listen.to_string()),
        None => ("redis", servers.collect::<Vec<_>>().join(", ")),
    };
    StaticInfo {
        source,
        address,
        key: settings.queue.key.clone(),
        keeps_totals: settings.queue.once.is_some() || settings.metrics.state_file.is_some(),
        settings: entries.iter().map(setting).collect(),
        endpoints: ROUTES.iter().map(endpoint).collect(),
    }
}

/// Why the gateway ended before it was told to.
enum Ended {
    Io(io::Error),
    FatalSignal(FatalError),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FatalError> for Ended {
    fn from(end: FatalError) -> Self {
        Self::FatalSignal(end)
    }
}

async fn serve(
    settings: GatewaySettings,
    mut info: StaticInfo,
    listening: impl FnOnce(Listening),
    ends: impl Stream<Item = &'static str>,
) -> Result<(), Ended> {
    let (stopper, stop) = stop_signal();
    let state_file = settings.metrics.state_file.as_ref().map(StateFile::open);
    let state_file = state_file.transpose().map_err(io::Error::other)?;
    let parts = Parts::start(&settings)?;
    let fatal = FatalSignal::default();
    let queue = Queue::open(&settings, parts.metrics.queue.clone(), &fatal, &stop)?;
    if let Some(address) = queue.listens_on() {
        info.address = address.to_string();
    }
    let gate = parts.gate.clone();
    let unready = unready(queue.clone(), gate.clone(), stop.clone());
    let (metrics, catalog) = (parts.metrics.clone(), parts.catalog.clone());
    let status = Arc::new(StatusBoard::new(metrics, catalog, parts.clock, info));
    let (scrapes, shards) = (parts.scrapes.clone(), parts.shards.clone());
    let rejects = parts.rejects.clone();
    let (requester, requests) = checkpoint_requests();
    let patience = |once: OnceTuning| once.lease * COMMIT_PATIENCE;
    let safety = settings.queue.once.map(|once| Safety { requester, patience: patience(once) });
    let admin = Admin::new(parts.catalog.clone(), settings.http.enable_admin, safety);
    let state =
        HttpState { scrapes, gate, unready, status: status.clone(), rejects, shards, admin };
    let side = http::bind(&settings.http, state)?;
    let (http, server) = (side.stop, actix::spawn(side.server));
    tracing::info!(addresses = ?side.addresses, version = env!("CARGO_PKG_VERSION"), "listening");

    let handover = handover(&settings);
    let keeper = keep_state(state_file, handover.as_ref(), &parts).await?;
    actix::spawn(status.run(stop.clone()));
    let (let_go, handshake, saved) = shutdown_handshake();
    // A handshake that nobody holds any more would be one that was said.
    let once = settings.queue.once.map(|tuning| {
        let handshake = handshake.clone();
        once_settings(tuning, requests, &parts, &fatal, handshake)
    });
    if let (Queue::Redis(redis, _), Some(once)) = (&queue, &once) {
        actix::spawn(redis.keep_lease(once));
    }
    let readers = start_readers(&settings, &parts, &queue, once, &stop);
    listening(Listening { http: side.addresses, queue: queue.listens_on() });
    let mut ends = pin!(ends);
    let signal = tokio::select! {
        end = fatal.raised() => return Err(end.into()),
        signal = ends.next() => signal.unwrap_or(END_OF_HOST),
    };
    tracing::info!(signal, "stopping: nothing more is taken");
    stopper.stop();
    let ending = Ending { settings: &settings, parts: &parts, fatal: &fatal, let_go, saved };
    let ended = ending.run(readers, keeper, handover, ends).await?;
    http.stop().await;
    server.await.map_err(io::Error::from)??;
    // A reader that hangs still holds the shards' inboxes open: waiting for
    // the shards would never end.
    ended?;
    let metrics = parts.end();
    let (processed, rejected) = (metrics.processed(), metrics.rejected());
    tracing::info!(processed, rejected, "stopped");
    Ok(())
}

fn unready(queue: Queue, gate: ServingGate, stop: StopSignal) -> Unready {
    Unready::new(move || {
        if stop.is_stopped() {
            return Some("the gateway is stopping".to_owned());
        }
        queue.trouble().or_else(|| gate.unready().map(str::to_owned))
    })
}
