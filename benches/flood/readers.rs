//! Readers that ask for everything and take nothing: what they make the gateway
//! hold, and how long probes wait beside them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::support::Failure;
use super::support::gateway::{Format, Gateway};
use super::support::redis_server::RedisServer;
use super::{BATCH, mib, millis};

/// Between one reader and the next.
const STAGGER: Duration = Duration::from_millis(120);
/// How long a probe is waited for; Kubernetes' own default is a second.
const PATIENCE: Duration = Duration::from_secs(5);
const PROBES: usize = 20;
/// Places, which the second crowd fills.
const PLACES: usize = 64;

const QUESTION: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PROBE: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Prints a table: a crowd of `readers`, and one that fills every place.
pub fn slow(binary: &Path, series: usize, readers: usize) -> Result<(), Failure> {
    let mut redis = RedisServer::start(None)?;
    println!(
        "| readers that take nothing | Http.MaxConnections | page, MiB | resident before, MiB | \
         resident beside them, MiB | pages' worth | probes answered | longest probe, ms |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for (readers, places) in [(readers, 1024), (PLACES, PLACES)] {
        let limit = places.to_string();
        let settings = [("Http__MaxConnections", &*limit)];
        let gateway = Gateway::start(binary, redis.port(), &settings)?;
        fill(&mut redis, &gateway, series)?;
        let (_, page) = gateway.fetch(Format::Text)?;
        let before = gateway.usage()?.rss;
        let (port, mut all, began) = (gateway.port()?, Vec::new(), Instant::now());
        while all.len() < readers {
            let due = began.elapsed().as_millis() / STAGGER.as_millis() + 1;
            if all.len() as u128 >= due {
                std::thread::yield_now();
                continue;
            }
            let mut reader = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            reader.write_all(QUESTION)?;
            all.push(reader);
        }
        let beside = gateway.usage()?.rss;
        let probes: Vec<Duration> = (0..PROBES).filter_map(|_| probe(port)).collect();
        println!(
            "| {} | {places} | {:.1} | {:.0} | {:.0} | {:.1} | {} of {PROBES} | {} |",
            all.len(),
            mib(page),
            mib(before),
            mib(beside),
            beside.saturating_sub(before) as f64 / page as f64,
            probes.len(),
            probes.iter().max().map_or("-".to_owned(), |most| format!("{:.0}", millis(*most))),
        );
    }
    println!();
    Ok(())
}

/// So many gauges.
fn fill(redis: &mut RedisServer, gateway: &Gateway, series: usize) -> Result<(), Failure> {
    for first in (0..series).step_by(BATCH as usize) {
        let last = series.min(first + BATCH as usize);
        let sample = |i| {
            format!(
                r#"{{"type":"gauge","name":"slow_gauge","value":{i},"labels":{{"path":"/some/path/of/a/request/{i}"}}}}"#
            )
        };
        redis.push(&(first..last).map(sample).collect::<Vec<_>>())?;
    }
    let began = Instant::now();
    while gateway.taken()? < series as u64 {
        if began.elapsed() > Duration::from_secs(60) {
            return Err(format!("expected {series} series to be taken, got fewer").into());
        }
    }
    Ok(())
}

/// How long a probe took; `None` where it was not answered.
fn probe(port: u16) -> Option<Duration> {
    let began = Instant::now();
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(PROBE).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then(|| began.elapsed())
}
