//! The application: what a process has once (signals, the HTTP listener, the exit
//! status), around the pipeline that does the work.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;

use futures_util::{Stream, StreamExt, stream};
use psg_actors::fatal::FatalError;
use psg_actors::http::{self, ROUTES, Route};
use psg_actors::pipeline::{Pipeline, Totals};
use psg_actors::settings::GatewaySettings;
use psg_actors::status::{StaticInfo, model};
use tokio::sync::oneshot;

use crate::config::{Config, EffectiveSetting};
use crate::exit;
use crate::signals::Signals;

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
pub fn run(config: Config, entries: &[EffectiveSetting]) -> ExitCode {
    exit::on_panic(|panic| tracing::error!(%panic, "shutting down: an actor has panicked"));
    let info = static_info(entries);
    let served = actix::System::new().block_on(async {
        let signals = Signals::listen()?.all();
        serve(config.gateway, info, |_| {}, signals).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "shutting down on an error");
            match error {
                ServeError::Fatal(FatalError::BadConfiguration(_)) => exit::bad_configuration(),
                ServeError::Fatal(FatalError::Failed(_)) | ServeError::Io(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs the gateway on this thread until `end` is sent or dropped, in a process
/// that handles signals and panics itself; calls `listening` once it listens.
pub fn host(
    config: Config,
    entries: &[EffectiveSetting],
    listening: impl FnOnce(Listening),
    end: oneshot::Receiver<()>,
) -> io::Result<()> {
    // A sender that was dropped wants the end as well.
    let ended = stream::once(end).map(|_| END_OF_HOST).chain(stream::pending());
    let served = serve(config.gateway, static_info(entries), listening, ended);
    actix::System::new().block_on(served).map_err(io::Error::other)
}

/// What the status says of the process.
fn static_info(entries: &[EffectiveSetting]) -> StaticInfo {
    let setting = |entry: &EffectiveSetting| model::SettingInfo {
        name: entry.name.to_owned(),
        value: entry.value.clone(),
        origin: entry.origin.as_str().to_owned(),
    };
    let endpoint = |route: &Route| model::EndpointInfo {
        path: route.path.to_owned(),
        meaning: route.meaning.to_owned(),
    };
    StaticInfo {
        settings: entries.iter().map(setting).collect(),
        endpoints: ROUTES.iter().map(endpoint).collect(),
        ..StaticInfo::default()
    }
}

/// Why the gateway ended early, or not cleanly.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Fatal(#[from] FatalError),
}

async fn serve(
    GatewaySettings { pipeline, http }: GatewaySettings,
    info: StaticInfo,
    listening: impl FnOnce(Listening),
    ends: impl Stream<Item = &'static str>,
) -> Result<(), ServeError> {
    let pipeline = Pipeline::open(pipeline, info)?;
    let side = http::bind(&http, pipeline.handle())?;
    let (http, server) = (side.stop, actix::spawn(side.server));
    tracing::info!(addresses = ?side.addresses, version = env!("CARGO_PKG_VERSION"), "listening");
    let queue = pipeline.listens_on();
    let pipeline = pipeline.start().await?;
    listening(Listening { http: side.addresses, queue });
    let mut ends = pin!(ends);
    let signal = tokio::select! {
        error = pipeline.failed() => return Err(error.into()),
        signal = ends.next() => signal.unwrap_or(END_OF_HOST),
    };
    tracing::info!(signal, "shutting down: nothing more is taken");
    let drained = pipeline.drain(ends).await?;
    // Whatever was asked is answered before there is nobody to answer it.
    http.stop().await;
    server.await.map_err(io::Error::from)??;
    let Totals { processed, rejected } = drained.close()?;
    tracing::info!(processed, rejected, "stopped");
    Ok(())
}
