//! A real Redis, alone in a temporary folder, on a port of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

use super::cluster::Place;
use super::process::{Process, free_port};
use super::tls::Certificates;
use super::wait::wait_for;

/// The key that the gateway reads by default.
pub const QUEUE: &str = "prom-stream-gateway:metric-queue";

/// How a server differs from one without any setting.
#[derive(Debug, Default)]
pub struct RedisOptions {
    /// The default user's password.
    pub password: Option<&'static str>,
    /// Names in the certificate; empty means no TLS port.
    pub tls_names: &'static [&'static str],
    /// Whether it listens on a Unix socket too.
    pub unix_socket: bool,
    /// Whether its data outlives the process: an append-only file, fsync always.
    pub persistent: bool,
    /// The port of the server that it replicates.
    pub replica_of: Option<u16>,
    /// Whether it is a node of a cluster, without slots at first.
    pub cluster: bool,
    /// Where it listens, if that is decided already.
    pub place: Option<Place>,
}

/// A Redis server, which may be up or down.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisOptions,
    folder: TempDir,
    port: u16,
    /// Where nodes of a cluster talk to it.
    bus_port: u16,
    tls: Option<(u16, Certificates)>,
    process: Option<Process>,
}

impl RedisServer {
    /// A server without any setting, up.
    pub fn start() -> Self {
        Self::with(RedisOptions::default())
    }

    /// A server with `options`, up.
    pub fn with(options: RedisOptions) -> Self {
        let mut server = Self::down(options);
        server.go_up();
        server
    }

    /// A server with `options` that has its ports but is not up yet.
    pub fn down(options: RedisOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tls = (!options.tls_names.is_empty())
            .then(|| (free_port(), Certificates::create(folder.path(), options.tls_names)));
        let port = options.place.as_ref().map_or_else(free_port, |place| place.port);
        Self { options, folder, port, bus_port: free_port(), tls, process: None }
    }

    /// Starts the process and waits until it answers.
    pub fn go_up(&mut self) {
        let mut command = self.command_line();
        self.process = Some(Process::start("redis-server", &mut command));
        wait_for("redis to answer", || {
            let mut connection = self.try_connect()?;
            let answer = ::redis::cmd("PING").query::<String>(&mut connection);
            answer.map_err(|error| error.to_string())
        });
    }

    /// Kills the process; its data is gone unless it is persistent.
    pub fn go_down(&mut self) {
        self.process.take().expect("redis is up").kill();
    }

    /// A copy of its data as it is now.
    pub fn copy_data(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary folder");
        // The files of a server that does nothing fit each other.
        self.pause();
        copy_folder(&self.data_folder(), copy.path());
        self.resume();
        copy
    }

    /// Puts a copy in the place of its data, while it is down.
    pub fn restore_data(&self, copy: &TempDir) {
        assert!(self.process.is_none(), "redis is down");
        std::fs::remove_dir_all(self.data_folder()).expect("the folder can be removed");
        copy_folder(copy.path(), &self.data_folder());
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.path().join("appendonlydir")
    }

    /// Stops the process where it is: it accepts connections and says nothing.
    pub fn pause(&self) {
        self.process.as_ref().expect("redis is up").signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.as_ref().expect("redis is up").signal("CONT");
    }

    /// Where it listens without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as in a connection string.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes a cluster of two nodes, of which this one has all slots.
    pub fn own_all_slots_beside(&self, other: &RedisServer) {
        self.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        let (port, bus) = (other.port.to_string(), other.bus_port.to_string());
        self.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        for node in [self, other] {
            wait_for("the cluster to be up", || {
                let info: String = node.run(&["CLUSTER", "INFO"]);
                if info.contains("cluster_state:ok") { Ok(()) } else { Err(info) }
            });
        }
    }

    /// Where other nodes of a cluster talk to it.
    pub fn bus_port(&self) -> u16 {
        self.bus_port
    }

    /// What other nodes of a cluster call it.
    pub fn cluster_id(&self) -> String {
        self.run(&["CLUSTER", "MYID"])
    }

    /// Whether it is up and takes writes.
    pub fn is_primary(&self) -> bool {
        let role = self.try_run::<String>(&["INFO", "replication"]);
        role.is_ok_and(|role| role.contains("role:master"))
    }

    /// Where it listens with TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls.as_ref().expect("tls_names are set").0
    }

    /// The certificates of its TLS port.
    pub fn certificates(&self) -> &Certificates {
        &self.tls.as_ref().expect("tls_names are set").1
    }

    /// The path of its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Appends payloads to the default queue, the first one first.
    pub fn push<P: AsRef<[u8]>>(&self, payloads: &[P]) {
        self.push_to(0, QUEUE, payloads);
    }

    /// Appends payloads to a queue of a database, the first one first.
    pub fn push_to<P: AsRef<[u8]>>(&self, database: u8, key: &str, payloads: &[P]) {
        let mut connection = self.connect();
        run::<()>(&mut connection, &["SELECT", &database.to_string()]);
        for some in payloads.chunks(10_000) {
            let mut command = ::redis::cmd("LPUSH");
            command.arg(key);
            for payload in some {
                command.arg(payload.as_ref());
            }
            command.query::<()>(&mut connection).expect("LPUSH works");
        }
    }

    /// How many elements wait in the default queue.
    pub fn pending(&self) -> usize {
        self.run(&["LLEN", QUEUE])
    }

    /// Runs one command.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        run(&mut self.connect(), words)
    }

    /// Runs one command that may be refused, or cut off with its connection.
    pub fn try_run<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, String> {
        try_run(&mut self.try_connect()?, words)
    }

    fn connect(&self) -> Connection {
        self.try_connect().unwrap_or_else(|error| panic!("no connection to redis: {error}"))
    }

    fn try_connect(&self) -> Result<Connection, String> {
        let login = self.options.password.map(|word| format!(":{word}@")).unwrap_or_default();
        let url = format!("redis://{login}{}/", self.address());
        let client = Client::open(url).map_err(|error| error.to_string())?;
        client.get_connection().map_err(|error| error.to_string())
    }

    fn command_line(&self) -> Command {
        let mut command = Command::new("redis-server");
        command.current_dir(self.folder.path());
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args([
            "--save",
            "",
            "--appendonly",
            if self.options.persistent { "yes" } else { "no" },
            "--appendfsync",
            "always",
            "--repl-diskless-sync-delay",
            "0",
            "--loglevel",
            "warning",
        ]);
        if let Some(password) = self.options.password {
            command.args(["--requirepass", password]);
        }
        if self.options.unix_socket {
            command.arg("--unixsocket").arg(self.socket());
        }
        if let Some(port) = self.options.replica_of {
            command.args(["--replicaof", "127.0.0.1", &port.to_string()]);
        }
        if self.options.cluster {
            command.args(["--cluster-enabled", "yes"]);
            command.args(["--cluster-port", &self.bus_port.to_string()]);
            if let Some(Place { announced, .. }) = &self.options.place {
                command.args(["--cluster-announce-ip", "127.0.0.1"]);
                command.args(["--cluster-announce-port", &announced.to_string()]);
                command.args(["--cluster-announce-bus-port", &self.bus_port.to_string()]);
            }
        }
        if let Some((port, certificates)) = &self.tls {
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(&certificates.certificate);
            command.arg("--tls-key-file").arg(&certificates.key);
            command.arg("--tls-ca-cert-file").arg(&certificates.authority);
        }
        command
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

fn run<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    try_run(connection, words).unwrap_or_else(|error| panic!("{error}"))
}

fn try_run<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> Result<T, String> {
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query(connection).map_err(|error| format!("{words:?}: {error}"))
}

/// A replica that has caught up with `master`.
pub fn following(master: &RedisServer) -> RedisServer {
    let replica =
        RedisServer::with(RedisOptions { replica_of: Some(master.port()), ..Default::default() });
    wait_for("the replica to follow", || {
        let state: String = replica.run(&["INFO", "replication"]);
        if state.contains("master_link_status:up") { Ok(()) } else { Err(state) }
    });
    replica
}

/// A Sentinel that watches one server under the name `mymaster`.
#[derive(Debug)]
pub struct Sentinel {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Sentinel {
    /// A Sentinel that tells where `master` is.
    pub fn watching(master: &RedisServer) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {} 1\n",
            master.port()
        );
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, settings).expect("the folder can be written");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").current_dir(folder.path());
        let process = Process::start("redis-sentinel", &mut command);
        let sentinel = Self { port, _process: process, _folder: folder };
        wait_for("the sentinel to answer", || sentinel.master_address());
        sentinel
    }

    /// `host:port`, as in a connection string.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Has it put a replica in the place of a master that was silent for so long.
    pub fn fails_over_within(&self, silence: Duration) {
        let silence = silence.as_millis().to_string();
        self.ask::<()>(&["SENTINEL", "SET", "mymaster", "down-after-milliseconds", &silence])
            .expect("it takes settings");
        wait_for("the sentinel to know a replica", || {
            let replicas: Vec<Vec<String>> = self.ask(&["SENTINEL", "REPLICAS", "mymaster"])?;
            if replicas.is_empty() { Err("none".to_owned()) } else { Ok(()) }
        });
    }

    fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, String> {
        let client = Client::open(format!("redis://{}/", self.address()));
        let mut connection =
            client.and_then(|client| client.get_connection()).map_err(|error| error.to_string())?;
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut connection).map_err(|error| error.to_string())
    }

    fn master_address(&self) -> Result<Vec<String>, String> {
        self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"])
    }
}
