//! Small loads: what a push of one sample costs, and what it costs to wait for one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, exact_cpu_of};
use crate::support::redis_server::RedisServer;
use crate::support::{BINARY, Failure};

/// How often a scraper comes.
const SCRAPES: Duration = Duration::from_secs(15);

/// How samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    AtMostOnce,
    ExactlyOnce,
    Embedded,
}

const WAYS: [Way; 3] = [Way::AtMostOnce, Way::ExactlyOnce, Way::Embedded];

/// What a round is.
#[derive(Debug)]
pub struct Rounds {
    /// The gateway to measure.
    pub gateway: PathBuf,
    pub count: usize,
    /// Samples per second; none is an idle gateway.
    pub rates: &'static [u64],
    /// How long a load is measured.
    pub load: Duration,
    /// How long nothing is pushed, scrapes of each 15 s included.
    pub idle: Duration,
}

/// Prints the table.
pub fn run(rounds: &Rounds) -> Result<(), Failure> {
    println!(
        "\n| way | pushes of one sample, per second | \
         CPU of the gateway, % of a core (least–most) | CPU of redis-server, % |"
    );
    println!("| --- | ---: | ---: | ---: |");
    let rows: Vec<(Way, u64)> =
        WAYS.iter().flat_map(|way| rounds.rates.iter().map(|rate| (*way, *rate))).collect();
    let mut seen = vec![Vec::new(); rows.len()];
    for _ in 0..rounds.count {
        for ((way, rate), shares) in rows.iter().zip(&mut seen) {
            shares.push(round(*way, *rate, rounds)?);
        }
    }
    for ((way, rate), mut shares) in rows.into_iter().zip(seen) {
        shares.sort_by(|one, other| one[0].total_cmp(&other[0]));
        let ([least, _], [most, _]) = (shares[0], shares[shares.len() - 1]);
        let [gateway, redis] = shares[shares.len() / 2];
        let redis = if way == Way::Embedded { "–".to_owned() } else { format!("{redis:.3}") };
        let name = match way {
            Way::AtMostOnce => "Redis, at most once",
            Way::ExactlyOnce => "Redis, exactly once",
            Way::Embedded => "embedded queue",
        };
        println!("| {name} | {rate} | {gateway:.3} ({least:.3}–{most:.3}) | {redis} |");
    }
    Ok(())
}

/// Per cent of a core: the gateway's, and those of its Redis.
fn round(way: Way, rate: u64, rounds: &Rounds) -> Result<[f64; 2], Failure> {
    let redis = if way == Way::Embedded { None } else { Some(RedisServer::start(None)?) };
    let delivery = if way == Way::ExactlyOnce { "exactly-once" } else { "at-most-once" };
    let (gateway, port) = match &redis {
        None => Gateway::start_embedded(&rounds.gateway, &[])?,
        Some(redis) => {
            let settings = [("Redis__Delivery", delivery)];
            (Gateway::start(&rounds.gateway, redis.port(), &settings)?, redis.port())
        }
    };
    // What starting has left to do, and first samples.
    super::pause(rounds.load / 5);
    push(port, rate, rounds.load / 10)?;
    let spent = || -> Result<[Duration; 2], Failure> {
        let redis =
            redis.as_ref().map_or(Ok(Duration::ZERO), |it| exact_cpu_of(it.process_id()))?;
        Ok([exact_cpu_of(gateway.process_id())?, redis])
    };
    let (before, started) = (spent()?, Instant::now());
    if rate > 0 {
        push(port, rate, rounds.load)?;
    } else {
        while let left @ 1.. = rounds.idle.saturating_sub(started.elapsed()).as_millis() {
            super::pause(SCRAPES.min(Duration::from_millis(left as u64)));
            gateway.scrape()?;
        }
    }
    let (after, took) = (spent()?, started.elapsed().as_secs_f64());
    Ok([0, 1].map(|of| (after[of] - before[of]).as_secs_f64() / took * 100.0))
}

/// Pushes at that rate, each push one sample.
fn push(port: u16, rate: u64, duration: Duration) -> Result<(), Failure> {
    if rate == 0 {
        return Ok(());
    }
    let count = (rate as f64 * duration.as_secs_f64()).ceil() as u64;
    let mut command = Command::new(Path::new(BINARY));
    command.args(["load", "--batch", "1", "--seed", "1", "--rate", &rate.to_string()]);
    command.args(["--count", &count.to_string()]);
    command.args(["--redis", &format!("redis://127.0.0.1:{port}")]);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the load tool ended with {}: {said}", output.status).into());
    }
    Ok(())
}
