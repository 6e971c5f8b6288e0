//! The drivers of the packages: programs that make calls, and tell after each
//! flush how it went.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use parking_lot::Mutex;
use serde::Deserialize;

use psg_testkit::RedisServer;
use psg_testkit::wait::{PATIENCE, wait_for};

/// The driver of a language, on one of its libraries.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    pub language: &'static str,
    pub library: &'static str,
}

/// What a driver tells after a flush.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub elapsed_ms: f64,
    /// Samples in all.
    pub dropped: u64,
    /// Why, the last time.
    pub reason: Option<String>,
}

/// Why a driver does not push.
#[derive(Debug, Clone)]
struct Missing {
    why: String,
    /// The driver says that its library is not installed, by how it exits.
    is_library: bool,
}

/// As sysexits.h has it: what is needed is not there.
const EXIT_UNAVAILABLE: i32 = 69;

impl Driver {
    /// Runs a test, or says that the driver does not push: in CI that is a failure.
    pub fn test(&self, test: fn(&Driver)) {
        self.test_unless(test, |_| std::env::var("CI").is_ok_and(|value| value == "true"));
    }

    /// The same of a library that need not be installed, in CI either. Where it is, it
    /// has to push.
    pub fn test_where_it_is_at_hand(&self, test: fn(&Driver)) {
        self.test_unless(test, |missing| !missing.is_library);
    }

    fn test_unless(&self, test: fn(&Driver), is_failure: fn(&Missing) -> bool) {
        match self.missing() {
            None => test(self),
            Some(missing) => {
                let (language, library, why) = (self.language, self.library, &missing.why);
                let said = format!("{language} with {library} does not push: {why}");
                assert!(!is_failure(&missing), "{said}");
                // Past the harness, which hides what passing tests print.
                let _ = writeln!(std::io::stderr(), "skipped: {said}");
            }
        }
    }

    /// Tried once in a run: a push has to arrive.
    fn missing(&self) -> Option<Missing> {
        static KNOWN: Mutex<BTreeMap<&str, Option<Missing>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock();
        known.entry(self.library).or_insert_with(|| self.try_to_push()).clone()
    }

    fn try_to_push(&self) -> Option<Missing> {
        let redis = RedisServer::start();
        let mut command = self.command(redis.port());
        let mut child = match command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        {
            Ok(child) => child,
            Err(error) => {
                let why = format!("{:?}: {error}", command.get_program());
                return Some(Missing { why, is_library: false });
            }
        };
        let mut input = child.stdin.take().expect("it is piped");
        // One that does not start reads none of it. A busy machine may hold some up.
        for _ in 0..5 {
            let call = r#"{"call":"counter","name":"a_total","labels":{},"value":1}"#;
            let _ = writeln!(input, "{call}");
            let _ = writeln!(input, r#"{{"call":"flush"}}"#);
        }
        drop(input);
        let output = child.wait_with_output().expect("the child is ours");
        let has_pushed = output.status.success() && redis.pending() > 0;
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        // The line of a stack trace that tells something, or what the driver reports.
        let line = said.lines().find(|line| line.contains("rror")).or(said.lines().last());
        let missing = || Missing {
            why: format!("{}: {}", output.status, line.unwrap_or_default()),
            is_library: output.status.code() == Some(EXIT_UNAVAILABLE),
        };
        (!has_pushed).then(missing)
    }

    fn command(&self, port: u16) -> Command {
        let folder = psg_testkit::root().join("clients").join(self.language);
        let mut command = Command::new(folder.join("tests/driver"));
        command.arg(self.library);
        command.env("PROM_STREAM_GATEWAY_REDIS_URL", format!("redis://127.0.0.1:{port}"));
        command.env("PSG_CACHE", psg_testkit::root().join(".cache/clients"));
        command.env_remove("PROM_STREAM_GATEWAY_KEY");
        command.env_remove("PROM_STREAM_GATEWAY_PARTITIONS");
        command.env_remove("PROM_STREAM_GATEWAY_DISABLED");
        command
    }

    /// Starts it on the Redis of that port.
    pub fn start(&self, port: u16) -> Driven {
        self.start_with(port, &[])
    }

    /// The same, with more in its environment.
    pub fn start_with(&self, port: u16, environment: &[(&str, &str)]) -> Driven {
        let mut command = self.command(port);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it has started before");
        let input = child.stdin.take();
        let reports = lines_of(child.stdout.take().expect("it is piped"));
        let errors = lines_of(child.stderr.take().expect("it is piped"));
        Driven { driver: *self, child, input, reports, errors }
    }
}

/// A driver at work.
pub struct Driven {
    driver: Driver,
    child: Child,
    input: Option<ChildStdin>,
    reports: Receiver<String>,
    errors: Receiver<String>,
}

impl Driven {
    /// Makes a call, which is an object as JSON.
    pub fn call(&mut self, call: &str) {
        let input = self.input.as_mut().expect("it has not ended");
        if let Err(error) = writeln!(input, "{call}") {
            panic!("{} takes no call: {error}: {}", self.name(), self.said());
        }
    }

    /// Flushes, and waits for the report.
    pub fn flush(&mut self) -> Report {
        self.call(r#"{"call":"flush"}"#);
        self.report()
    }

    /// Ends it: it flushes once more. It must end well, with nothing thrown.
    pub fn end(mut self) -> Report {
        drop(self.input.take());
        let report = self.report();
        let status = wait_for("the driver to end", || {
            let status = self.child.try_wait().expect("the child is ours");
            status.ok_or_else(|| "it runs on".to_owned())
        });
        assert!(status.success(), "{}: {status}: {}", self.name(), self.said());
        report
    }

    pub fn name(&self) -> String {
        format!("{} with {}", self.driver.language, self.driver.library)
    }

    fn report(&self) -> Report {
        let line = self.reports.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|why| panic!("{}: {why}: {}", self.name(), self.said()));
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{}: {error}: {line}", self.name()))
    }

    /// What it has printed as errors and nobody has seen yet.
    fn said(&self) -> String {
        self.errors.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
