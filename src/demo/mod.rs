//! The demo: a gateway that is its own queue, a load and the live view, all in
//! this process, so that nothing outlives it. It listens on this machine only.
//!
//! ```text
//! stage (gateway, load) ─► view
//! ```

mod journal;
mod stage;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tracing::level_filters::LevelFilter;

use crate::exit;
use crate::gateway_client::GatewayClient;
use crate::logging;
use crate::stop_flag::StopFlag;
use crate::view::{ViewModel, ViewOptions, can_draw, show};
use journal::Journal;
use stage::Stage;

/// The port at which every Redis client looks first.
const REDIS_PORT: u16 = 6379;

/// How the demo is run.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// Stop after this many seconds [default: until q or Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// Samples per second of the load
    #[arg(long, value_name = "SAMPLES", default_value_t = 1000)]
    rate: u64,

    /// Print a line a second on a terminal too
    #[arg(long)]
    plain: bool,
}

/// Runs the demo until somebody ends it.
pub fn run(options: &DemoOptions) -> ExitCode {
    // The view puts a hook before this one that gives the terminal back.
    exit::on_panic(|panic| eprintln!("error: {panic}"));
    let is_plain = options.plain || !can_draw();
    let journal = Journal::default();
    if is_plain {
        logging::init_with(LevelFilter::WARN, std::io::stderr);
    } else {
        logging::init_with(LevelFilter::INFO, journal.clone());
    }
    match try_run(options, is_plain) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{journal}");
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(options: &DemoOptions, is_plain: bool) -> Result<(), String> {
    let started = Instant::now();
    let stop = StopFlag::default();
    stop.set_on_signal().map_err(|error| format!("can't wait for Ctrl-C: {error}"))?;
    let client = GatewayClient::local()?;
    let stage = Stage::open(options.rate, &stop)?;
    let model = model(stage.http, stage.queue);
    let end = options.seconds.map(|seconds| started + Duration::from_secs(seconds));
    let view = ViewOptions { plain: is_plain, with_excerpt: true, end };
    let shown = show(model, client, view, &stop).map_err(|error| format!("the view: {error}"));
    // For those who still look at the gateway.
    stop.set();
    stage.close().and(shown.map(drop))
}

fn model(http: SocketAddr, queue: SocketAddr) -> ViewModel {
    let url = format!("http://{http}");
    let port = match queue.port() {
        REDIS_PORT => String::new(),
        other => format!(" -p {other}"),
    };
    let hints = vec![
        format!("metrics  {url}/metrics"),
        format!(
            "push     redis-cli{port} LPUSH prom-stream-gateway:metric-queue \
             '{{\"name\":\"hello_total\",\"value\":1}}'"
        ),
    ];
    ViewModel { name: "demo".into(), url, hints, ..ViewModel::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hints_name_the_ports() {
        let model = |queue: &str| {
            let address = |text: &str| text.parse().expect("an address");
            model(address("127.0.0.1:9091"), address(queue)).hints.join("\n")
        };
        assert!(model("127.0.0.1:6379").starts_with(
            "metrics  http://127.0.0.1:9091/metrics\npush     redis-cli LPUSH prom-stream-gateway:"
        ));
        assert!(model("127.0.0.1:6380").contains("redis-cli -p 6380 LPUSH "));
    }
}
