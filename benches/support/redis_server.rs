//! A Redis of our own, with a master list that is copied onto the queue for
//! each drain.

use std::process::Command;
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

use super::Failure;
use super::child::{ChildGuard, free_port};
use super::corpus::{Corpus, Ingredient};

/// The gateway's default queue.
pub const QUEUE: &str = "prom-stream-gateway:metric-queue";

const MASTER: &str = "master";
const STAGED: &str = "staged";
const PAYLOADS_PER_PUSH: usize = 500;

/// A redis-server on 127.0.0.1 that keeps nothing on disk.
pub struct RedisServer {
    connection: Connection,
    port: u16,
    core: Option<usize>,
    child: ChildGuard,
    directory: TempDir,
}

/// Another client of the same Redis.
pub struct OtherClient(Connection);

impl OtherClient {
    /// How long the answer to a PING takes.
    pub fn ping(&mut self) -> Result<Duration, Failure> {
        let asked = Instant::now();
        redis::cmd("PING").exec(&mut self.0)?;
        Ok(asked.elapsed())
    }

    /// Pushes onto the queue.
    pub fn push(&mut self, payloads: &[String]) -> Result<(), Failure> {
        Ok(redis::cmd("LPUSH").arg(QUEUE).arg(payloads).exec(&mut self.0)?)
    }
}

/// What the master list holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filled {
    /// Payloads.
    pub samples: u64,
    /// Of these, the ones to be rejected.
    pub bad: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl RedisServer {
    /// Starts it, on `core` alone if one is given.
    pub fn start(core: Option<usize>) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let mut child = start_child(core, port, &directory)?;
        let connection = connect(&mut child, port)?;
        Ok(RedisServer { connection, port, core, child, directory })
    }

    /// Kills it and starts it anew at the same place, empty.
    pub fn kill_and_start(&mut self) -> Result<(), Failure> {
        self.child.signal("KILL")?;
        self.child.wait()?;
        self.child = start_child(self.core, self.port, &self.directory)?;
        self.connection = connect(&mut self.child, self.port)?;
        Ok(())
    }

    /// Cuts the connections of all clients but this one.
    pub fn cut_connections(&mut self) -> Result<(), Failure> {
        let mut command = redis::cmd("CLIENT");
        command.arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
        Ok(command.exec(&mut self.connection)?)
    }

    /// Sends the process a signal, by its name.
    pub fn signal(&self, signal: &str) -> Result<(), Failure> {
        self.child.signal(signal)
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts `samples` payloads of `corpus` into an empty master list.
    pub fn fill_master(&mut self, corpus: &mut Corpus, samples: u64) -> Result<Filled, Failure> {
        redis::cmd("FLUSHALL").exec(&mut self.connection)?;
        let mut filled = Filled::default();
        while filled.samples < samples {
            let count = (samples - filled.samples).min(PAYLOADS_PER_PUSH as u64);
            let payloads: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let mut payload = Vec::new();
                    let ingredient = corpus.next(&mut payload);
                    filled.bad += u64::from(ingredient == Ingredient::Bad);
                    filled.bytes += payload.len() as u64;
                    payload
                })
                .collect();
            redis::cmd("LPUSH").arg(MASTER).arg(payloads).exec(&mut self.connection)?;
            filled.samples += count;
        }
        Ok(filled)
    }

    /// Pushes onto the queue.
    pub fn push(&mut self, payloads: &[String]) -> Result<(), Failure> {
        self.push_to(QUEUE, payloads)
    }

    /// Pushes onto the list of that key.
    pub fn push_to(&mut self, key: &str, payloads: &[String]) -> Result<(), Failure> {
        Ok(redis::cmd("LPUSH").arg(key).arg(payloads).exec(&mut self.connection)?)
    }

    /// Bytes that clients have sent so far, and that they were sent.
    pub fn network_bytes(&mut self) -> Result<[u64; 2], Failure> {
        let info: String = redis::cmd("INFO").arg("stats").query(&mut self.connection)?;
        let number = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        Ok([number("total_net_input_bytes:"), number("total_net_output_bytes:")])
    }

    /// Drops what exactly-once delivery keeps beside the queue, so that the next
    /// gateway begins at 0.
    pub fn forget_state(&mut self) -> Result<(), Failure> {
        let mut kept: Vec<String> =
            redis::cmd("KEYS").arg(format!("{{{QUEUE}}}:*")).query(&mut self.connection)?;
        // At least one name, which may be of nothing.
        kept.push(STAGED.to_owned());
        Ok(redis::cmd("DEL").arg(kept).exec(&mut self.connection)?)
    }

    /// A connection of another client.
    pub fn another_connection(&self) -> Result<OtherClient, Failure> {
        let client = Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        Ok(OtherClient(client.get_connection()?))
    }

    /// How many checkpoints of the queue were committed.
    pub fn checkpoints(&mut self) -> Result<u64, Failure> {
        let mut command = redis::cmd("HGET");
        command.arg(format!("{{{QUEUE}}}:owner")).arg("version");
        let version: Option<String> = command.query(&mut self.connection)?;
        let version = version.unwrap_or_default();
        Ok(version.split_once('-').and_then(|(number, _)| number.parse().ok()).unwrap_or(0))
    }

    /// How many lists are set aside and not covered by a checkpoint.
    pub fn claimed_lists(&mut self) -> Result<usize, Failure> {
        let mut command = redis::cmd("KEYS");
        command.arg(format!("{{{QUEUE}}}:work:*"));
        Ok(command.query::<Vec<String>>(&mut self.connection)?.len())
    }

    /// Notes from now on which commands take more than a tenth of a millisecond.
    pub fn watch_slow_commands(&mut self) -> Result<(), Failure> {
        let set = ["CONFIG SET slowlog-log-slower-than 100", "CONFIG SET slowlog-max-len 100000"];
        for line in [set[0], set[1], "SLOWLOG RESET"] {
            let mut words = line.split(' ');
            let mut command = redis::cmd(words.next().unwrap_or_default());
            words.for_each(|word| {
                command.arg(word);
            });
            command.exec(&mut self.connection)?;
        }
        Ok(())
    }

    /// How long the slowest script since then took; zero where all were fast.
    pub fn slowest_script(&mut self) -> Result<Duration, Failure> {
        type Entry = (u64, u64, u64, Vec<Vec<u8>>, redis::Value, redis::Value);
        let mut command = redis::cmd("SLOWLOG");
        let entries: Vec<Entry> = command.arg("GET").arg(-1).query(&mut self.connection)?;
        let is_script =
            |entry: &&Entry| entry.3.first().is_some_and(|name| name.eq_ignore_ascii_case(b"EVAL"));
        let slowest = entries.iter().filter(is_script).map(|entry| entry.2).max();
        Ok(Duration::from_micros(slowest.unwrap_or(0)))
    }

    /// Copies the master list, so that `release` takes no time.
    pub fn stage(&mut self) -> Result<(), Failure> {
        let length = self.queue_length()?;
        if length != 0 {
            return Err(format!("expected an empty queue, got {length} elements").into());
        }
        Ok(redis::cmd("COPY").arg(MASTER).arg(STAGED).arg("REPLACE").exec(&mut self.connection)?)
    }

    /// Makes the staged copy the queue.
    pub fn release(&mut self) -> Result<(), Failure> {
        Ok(redis::cmd("RENAME").arg(STAGED).arg(QUEUE).exec(&mut self.connection)?)
    }

    /// Elements in the queue.
    pub fn queue_length(&mut self) -> Result<u64, Failure> {
        Ok(redis::cmd("LLEN").arg(QUEUE).query(&mut self.connection)?)
    }
}

fn start_child(core: Option<usize>, port: u16, directory: &TempDir) -> Result<ChildGuard, Failure> {
    let mut command = match core {
        None => Command::new("redis-server"),
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string(), "redis-server"]);
            command
        }
    };
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(directory.path());
    ChildGuard::start("redis-server", &mut command, directory.path().join("redis.log"))
}

fn connect(child: &mut ChildGuard, port: u16) -> Result<Connection, Failure> {
    let client = Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = None;
    child.wait_until("reachable", Duration::from_secs(10), || {
        connection = client.get_connection().ok();
        connection.is_some()
    })?;
    Ok(connection.ok_or("redis-server gave no connection")?)
}
