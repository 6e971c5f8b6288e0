//! The gateway itself: the binary under test as a process of its own, with
//! nothing in its environment but what the test sets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use super::exposition::{Exposition, Format};
use super::http::{self, Reply};
use super::process::{Process, free_port};
use super::redis::RedisServer;
use super::wait::wait_for;

/// The header with which Prometheus asks for OpenMetrics.
pub const ACCEPT_OPENMETRICS: (&str, &str) =
    ("Accept", "application/openmetrics-text; version=1.0.0");

/// How a gateway is to be started.
#[derive(Debug)]
pub struct GatewayBuilder {
    environment: BTreeMap<String, OsString>,
    starter: Option<&'static str>,
    arguments: Vec<String>,
    folder: TempDir,
    port: u16,
}

impl GatewayBuilder {
    /// Nothing set at all: what is not in `environment` or a file is default.
    pub fn bare() -> Self {
        Self {
            environment: BTreeMap::new(),
            starter: None,
            arguments: Vec::new(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            port: free_port(),
        }
    }

    /// One that reads `redis` and listens on a port of its own.
    pub fn reading(redis: &RedisServer) -> Self {
        Self::connecting(&redis.address())
    }

    /// One with that connection string that listens on a port of its own.
    pub fn connecting(connection_string: &str) -> Self {
        let builder = Self::bare();
        let address = format!("127.0.0.1:{}", builder.port);
        builder
            .set("Redis__ConnectionString", connection_string)
            .set("Http__ListenAddress", address)
            .set("Log__Format", "json")
    }

    /// Sets an environment variable.
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Takes an environment variable away.
    pub fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Has it started by another program, such as `nohup`.
    pub fn started_by(mut self, program: &'static str) -> Self {
        self.starter = Some(program);
        self
    }

    /// Adds command line arguments.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|word| word.to_string()));
        self
    }

    /// Writes a file into the working directory.
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).expect("the folder can be written");
        self
    }

    /// Its HTTP side listens on that port.
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self.set("Http__ListenAddress", format!("127.0.0.1:{port}"))
    }

    /// The port that is meant for its HTTP side.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Gateway {
        self.start_when("/-/ready")
    }

    /// Starts it and waits until it serves, whether or not Redis is there.
    pub fn start_unready(self) -> Gateway {
        self.start_when("/-/healthy")
    }

    /// Starts it and waits until it says that it listens, whatever it asks of
    /// clients.
    pub fn start_listening(self) -> Gateway {
        let mut gateway = Gateway { process: self.spawn(), port: self.port, _folder: self.folder };
        wait_for("it to listen", || {
            if let Some(status) = gateway.process.ended() {
                panic!("the gateway ended while it started: {status}: {:?}", gateway.log());
            }
            let log = gateway.log().join("\n");
            if log.contains("\"listening\"") { Ok(()) } else { Err(log) }
        });
        gateway
    }

    /// Runs it to its end.
    pub fn finish(self) -> Finished {
        let mut process = self.spawn();
        let status = process.wait();
        Finished { status, lines: process.lines() }
    }

    fn start_when(self, path: &str) -> Gateway {
        let mut gateway = Gateway { process: self.spawn(), port: self.port, _folder: self.folder };
        wait_for(&format!("{path} to answer 200"), || {
            if let Some(status) = gateway.process.ended() {
                panic!("the gateway ended while it started: {status}");
            }
            let reply = gateway.get(path, &[])?;
            let whole = || format!("{}: {}", reply.status, reply.text());
            if reply.status == 200 { Ok(()) } else { Err(whole()) }
        });
        gateway
    }

    fn spawn(&self) -> Process {
        let mut command = Command::new(self.starter.unwrap_or(crate::binary()));
        command.args(self.starter.map(|_| crate::binary())).args(&self.arguments);
        command.env_clear().envs(&self.environment);
        command.current_dir(self.folder.path());
        Process::start("the gateway", &mut command)
    }
}

/// A gateway process that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed on stdout and stderr.
    pub lines: Vec<String>,
}

impl Finished {
    /// The exit status; fails the test where a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.output()))
    }

    /// All that it printed.
    pub fn output(&self) -> String {
        self.lines.join("\n")
    }
}

/// A gateway process that runs.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Gateway {
    /// Its HTTP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The most bytes that it had resident at a time.
    pub fn peak_memory(&self) -> u64 {
        let status = procfs::process::Process::new(self.process.id())
            .and_then(|process| process.status())
            .expect("it runs");
        status.vmhwm.expect("the kernel tells") * 1024
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        let process = procfs::process::Process::new(self.process.id());
        process.and_then(|process| process.fd_count()).expect("it runs")
    }

    /// The lines of its log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// The same, unless it has ended.
    pub fn signal_if_running(&mut self, signal: &str) {
        if self.process.ended().is_none() {
            self.process.signal(signal);
        }
    }

    /// Kills it at once, as SIGKILL does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits for its end at most that long.
    pub fn wait_at_most(&mut self, patience: Duration) -> ExitStatus {
        self.process.wait_at_most(patience)
    }

    /// GET of any path with any headers.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
        http::get(self.port, path, headers)
    }

    /// GET that must be answered, whatever the status.
    pub fn must_get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.get(path, headers).expect("the gateway answers")
    }

    /// HEAD that must be answered, whatever the status.
    pub fn head(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        http::head(self.port, path, headers).expect("the gateway answers")
    }

    /// DELETE that must be answered, whatever the status.
    pub fn delete(&self, path: &str) -> Reply {
        http::delete(self.port, path).expect("the gateway answers")
    }

    /// `/metrics` in the text format.
    pub fn scrape(&self) -> Exposition {
        self.scrape_as(Format::Text)
    }

    /// `/metrics` in OpenMetrics.
    pub fn scrape_openmetrics(&self) -> Exposition {
        self.scrape_as(Format::OpenMetrics)
    }

    /// `/metrics` in a format; must be answered and well-formed.
    pub fn scrape_as(&self, format: Format) -> Exposition {
        let reply = match format {
            Format::Text => self.must_get("/metrics", &[]),
            Format::OpenMetrics => self.must_get("/metrics", &[ACCEPT_OPENMETRICS]),
        };
        let text = reply.text();
        assert_eq!(reply.status, 200, "/metrics answered {text}");
        Exposition::parse(&text, format)
            .unwrap_or_else(|error| panic!("/metrics is not well-formed: {error}\n{text}"))
    }

    /// `/metrics` in the text format, or why it was not answered with totals; an
    /// answer must be well-formed.
    pub fn try_scrape(&self) -> Result<Exposition, String> {
        let reply = self.get("/metrics", &[])?;
        let text = reply.text();
        if reply.status != 200 {
            return Err(format!("{}: {text}", reply.status));
        }
        Ok(Exposition::parse(&text, Format::Text)
            .unwrap_or_else(|error| panic!("/metrics is not well-formed: {error}\n{text}")))
    }

    /// Scrapes until `condition` holds and returns the scrape that shows it.
    pub fn scrape_until(
        &self,
        what: &str,
        mut condition: impl FnMut(&Exposition) -> bool,
    ) -> Exposition {
        wait_for(what, || {
            let exposition = self.scrape();
            let totals = || format!("{:?}", exposition.totals());
            if condition(&exposition) { Ok(()) } else { Err(totals()) }.map(|()| exposition)
        })
    }

    /// The scrape that shows `taken` samples as processed or rejected; since
    /// that many were pushed, more would be an error.
    pub fn scrape_after(&self, taken: u64) -> Exposition {
        self.scrape_until(&format!("{taken} samples to be processed or rejected"), |exposition| {
            let (processed, rejected) = exposition.totals();
            assert!(
                processed + rejected <= taken,
                "{processed} processed and {rejected} rejected, but only {taken} were pushed"
            );
            processed + rejected == taken
        })
    }
}
