//! A real redis-server as a child process, ended by its id when dropped.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use psg_actors::settings::Endpoint;
use tempfile::TempDir;

/// How long anything in these tests may take before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The server; its files are in a directory of its own.
pub struct RedisServer {
    child: Child,
    port: u16,
    options: Vec<String>,
    directory: TempDir,
}

impl RedisServer {
    /// A server without persistence and with those further options, up and
    /// answering.
    pub fn start(options: &[&str]) -> Self {
        Self::start_on(free_port(), options)
    }

    /// The same on a given port.
    pub fn start_on(port: u16, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = spawn(port, &options, &directory);
        let server = Self { child, port, options, directory };
        server.wait_until_up();
        server
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp("127.0.0.1".into(), self.port)
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// A connection for the test's own commands, over the Unix socket.
    pub fn connect(&self) -> redis::Connection {
        self.try_connect().unwrap()
    }

    /// Ends it at once, with all that it holds.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.options, &self.directory);
        self.wait_until_up();
    }

    /// Makes it hang; its kernel still takes what is sent.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Whether it hangs already: a signal takes a moment to arrive.
    pub fn is_suspended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.split(") ").nth(1).unwrap().starts_with('T')
    }

    /// For how many whole seconds each connection of that name was idle, at
    /// least: Redis counts the seconds that began.
    pub fn idle_seconds(&self, name: &str) -> Vec<u64> {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut self.connect()).unwrap();
        let field = |line: &str, key: &str| {
            line.split(' ').find_map(|field| field.strip_prefix(key)).unwrap().to_owned()
        };
        let named = list.lines().filter(|line| field(line, "name=") == name);
        let idle = |line: &str| field(line, "idle=").parse::<u64>().unwrap();
        named.map(|line| idle(line).saturating_sub(1)).collect()
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// How often a command was called or refused, by `INFO commandstats`.
    pub fn calls(&self, command: &str) -> u64 {
        let info: String =
            redis::cmd("INFO").arg("commandstats").query(&mut self.connect()).unwrap();
        let prefix = format!("cmdstat_{command}:");
        let Some(line) = info.lines().find_map(|line| line.strip_prefix(&prefix)) else { return 0 };
        let field = |name: &str| -> u64 {
            let value = line.split(',').find_map(|field| field.strip_prefix(name));
            value.map_or(0, |value| value.parse().unwrap())
        };
        field("calls=") + field("rejected_calls=")
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    fn try_connect(&self) -> redis::RedisResult<redis::Connection> {
        let address = redis::ConnectionAddr::Unix(self.socket());
        let info = redis::IntoConnectionInfo::into_connection_info(address)?;
        redis::Client::open(info)?.get_connection()
    }

    fn wait_until_up(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.try_connect().is_err() {
            assert!(Instant::now() < deadline, "redis-server did not come up");
            std::thread::yield_now();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, options: &[String], directory: &TempDir) -> Child {
    let config = directory.path().join("redis.conf");
    let _ = fs::remove_file(directory.path().join("redis.sock"));
    let mut text = format!(
        "port {port}\nbind 127.0.0.1\ndir {0}\nunixsocket {0}/redis.sock\n",
        directory.path().display()
    );
    let sentinel = options.iter().any(|option| option == "--sentinel");
    if !sentinel {
        text.push_str("save \"\"\nappendonly no\nenable-debug-command yes\n");
    }
    for option in options.iter().filter(|option| *option != "--sentinel") {
        text.push_str(option);
        text.push('\n');
    }
    fs::write(&config, text).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(&config);
    if sentinel {
        command.arg("--sentinel");
    }
    command.stdout(Stdio::null()).spawn().unwrap()
}
