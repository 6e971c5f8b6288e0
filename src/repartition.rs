//! `repartition`: gives the queue another number of partitions, while no gateway runs.

use std::process::ExitCode;

use clap::Args;
use psg_actors::settings::PipelineSettings;
use psg_actors::source::redis::once::{Repartitioned, repartition};
use psg_engine::partition::Partitions;
use psg_engine::regroup::RegroupSettings;

use crate::config::ConfigOutcome;
use crate::exit;

#[derive(Debug, Args)]
pub struct RepartitionOptions {
    /// How many partitions the queue is to have, 1 to 64.
    #[arg(long, value_name = "PARTITIONS", value_parser = partitions)]
    to: Partitions,
}

fn partitions(text: &str) -> Result<Partitions, String> {
    let count = text.parse().ok().and_then(Partitions::new);
    count.ok_or_else(|| format!("expected a whole number from 1 to 64, got {text:?}"))
}

/// Does it, and says what was done; 0, or 1 where it was not, 78 for settings that
/// can't be.
pub fn run(options: &RepartitionOptions, outcome: &ConfigOutcome) -> ExitCode {
    let config = match &outcome.config {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("bad configuration: {problem}"));
            return exit::bad_configuration();
        }
    };
    let pipeline = &config.gateway.pipeline;
    if pipeline.queue.once.is_none() {
        eprintln!("bad configuration: Redis.Delivery: expected exactly-once, as of the gateways");
        return exit::bad_configuration();
    }
    match work(pipeline, options.to) {
        Ok(done) => {
            say(&done, options.to.get());
            ExitCode::SUCCESS
        }
        Err(cause) => {
            eprintln!("not done: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn work(pipeline: &PipelineSettings, to: Partitions) -> Result<Repartitioned, String> {
    let settings = RegroupSettings { catalog: pipeline.catalog.clone(), store: pipeline.store };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| cause.to_string())?;
    let done = runtime.block_on(repartition(&pipeline.queue, &settings, to));
    done.map_err(|cause| cause.to_string())
}

fn say(done: &Repartitioned, to: usize) {
    match done {
        Repartitioned::Nothing => {
            println!("nothing is stored yet: start the gateways with this number of partitions");
        }
        Repartitioned::Already => println!("the queue has {to} partitions already"),
        Repartitioned::Done { from, series, left_out, without_tombstones } => {
            if let Some(series) = series {
                println!("{series} series are at their homes");
            }
            for (name, why) in left_out {
                println!("left out: {name}: {why}");
            }
            if *without_tombstones > 0 {
                println!(
                    "the totals of idle series of {without_tombstones} gateways are left out: \
                     where these return, they begin at 0"
                );
            }
            println!(
                "from {from} to {to} partitions: start the gateways with \
                 Redis.MetricQueuePartitions={to}"
            );
        }
    }
}
