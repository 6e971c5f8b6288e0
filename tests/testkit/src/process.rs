//! Processes that a test starts: their output is kept, they are signalled by
//! their own id and never outlive the test. And the ports that they listen on.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::wait::{PATIENCE, wait_within};

/// A running child process.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` and collects what it prints.
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Arc::default();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![collect(stdout, &output), collect(stderr, &output)];
        Self { name, child, output, readers }
    }

    /// The lines printed so far, on stdout and stderr.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().expect("no reader panics").clone()
    }

    /// The process id.
    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).expect("ids are small")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours")
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        self::signal(self.child.id(), signal);
    }

    /// Waits for the end and for the last line.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_at_most(PATIENCE)
    }

    /// As [`Process::wait`], with a deadline of its own.
    pub fn wait_at_most(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        let status =
            wait_within(patience, &what, || self.ended().ok_or_else(|| "it runs on".to_string()));
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        status
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- {} printed:\n{}\n---", self.name, self.lines().join("\n"));
        }
    }
}

/// Sends the process of that id, which the test has started, a signal.
pub fn signal(id: u32, name: &str) {
    let id = id.to_string();
    let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
    assert!(status.success(), "process {id} can't be sent SIG{name}");
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            output.lock().expect("no holder panics").push(line);
        }
    })
}

/// A port on 127.0.0.1 that nobody has. It lies below the range that the
/// kernel hands out by itself, so that it stays free while a server restarts.
pub fn free_port() -> u16 {
    const LOWEST: u16 = 10_000;
    const HIGHEST: u16 = 32_000;
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Test processes that run at the same time begin at different places.
    let next = NEXT.get_or_init(|| AtomicU16::new((std::process::id() % 210) as u16 * 100));
    for _ in LOWEST..HIGHEST {
        let port = LOWEST + next.fetch_add(1, Ordering::Relaxed) % (HIGHEST - LOWEST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free between {LOWEST} and {HIGHEST}")
}
