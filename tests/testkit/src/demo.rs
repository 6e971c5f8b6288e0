//! A demo as a process: where it listens, and what reaches it.

use std::net::TcpStream;
use std::process::Command;

use super::process::Process;
use super::{http, wait_for};

/// Where a demo listens, as it has said.
pub struct Ports {
    /// For Prometheus.
    pub http: u16,
    /// For producers.
    pub queue: u16,
}

impl Ports {
    /// Of `metrics  http://127.0.0.1:PORT/metrics` and `redis-cli [-p PORT]`.
    pub fn said_in(text: &str) -> Option<Self> {
        let (_, http) = text.split_once("metrics  http://127.0.0.1:")?;
        let (_, client) = text.split_once("redis-cli")?;
        let queue = client.strip_prefix(" -p ").map_or(Some(6379), number)?;
        client.contains("LPUSH prom-stream-gateway:metric-queue").then_some(())?;
        Some(Self { http: number(http)?, queue })
    }

    pub fn push(&self, payload: &str) {
        let client = redis::Client::open(("127.0.0.1", self.queue)).expect("an address");
        let mut connection = client.get_connection().expect("the demo listens");
        let mut push = redis::cmd("LPUSH");
        push.arg("prom-stream-gateway:metric-queue").arg(payload);
        push.exec(&mut connection).expect("the demo takes it");
    }

    pub fn metrics(&self) -> String {
        http::get(self.http, "/metrics", &[]).expect("the demo answers").text()
    }

    pub fn are_closed(&self) -> bool {
        [self.http, self.queue].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
    }
}

fn number(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A demo that prints lines.
pub fn start_plain(arguments: &[&str]) -> Process {
    let mut command = Command::new(crate::binary());
    command.env_clear().arg("demo").args(arguments);
    Process::start("the demo", &mut command)
}

/// Where it listens.
pub fn ports(demo: &Process) -> Ports {
    wait_for("the demo to say where it listens", || {
        let text = demo.lines().join("\n");
        Ports::said_in(&text).ok_or(text)
    })
}
