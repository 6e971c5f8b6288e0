//! Commands as somebody pastes them who reads a page from its top: one after the
//! other, in one folder, with a gateway and a Redis that are where the page says.
//!
//! `localhost:9091` and `gateway:9091` are the gateway's HTTP side, `redis-cli`
//! talks to its Redis, `prom-stream-gateway` has its settings. Where a block is
//! followed by what it prints, it is run until that is what comes: what was
//! pushed shows a moment later. The argument of the comment is the exit status.

use std::path::Path;
use std::process::Command;

use psg_testkit::pages::{Block, is_like};
use psg_testkit::process::free_port;
use psg_testkit::redis::QUEUE;
use psg_testkit::wait::PATIENCE;
use psg_testkit::{GatewayBuilder, RedisServer, Rig, wait_for};

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

/// Blocks of the same page share what they do.
pub fn do_what_they_print(blocks: &[Block]) {
    let mut rest = blocks;
    while let Some(first) = rest.first() {
        let here = rest.iter().take_while(|block| block.page == first.page).count();
        let session = Session::start();
        rest[..here].iter().for_each(|block| session.run(block));
        rest = &rest[here..];
    }
}

/// What the commands of a page find.
struct Session {
    rig: Rig,
    /// Of the Redis that is here.
    version: String,
    /// Where StatsD is listened for.
    statsd: u16,
    folder: tempfile::TempDir,
}

/// Samples that have come before anybody types: of them one is refused.
const BEFORE: [&str; 4] = [
    r#"{"name":"http_requests_total","value":3,"labels":{"method":"GET","status":200}}"#,
    r#"{"name":"http_requests_total","value":1,"labels":{"method":"GET","status":500}}"#,
    r#"{"name":"uploads_total","value":2,"labels":{"request_id":"a1"}}"#,
    r#"{"name":"jobs_total","value":-1}"#,
];

/// What a client library with a prefix has pushed.
const ASTRAY: [&str; 2] = [r#"{"name":"a"}"#, r#"{"name":"b"}"#];

impl Session {
    fn start() -> Self {
        let statsd = free_port();
        let places = format!("udp://127.0.0.1:{statsd},tcp://127.0.0.1:{statsd}");
        let mut rig = Rig::with(&[
            ("Statsd__ListenAddress", &places),
            ("Http__EnableAdmin", "true"),
            ("Http__ExposePayloads", "true"),
            ("Redis__DeadLetterKey", "dead"),
            ("Push__Enabled", "true"),
        ]);
        rig.send(&BEFORE);
        let astray = format!("laravel_database_{QUEUE}");
        rig.redis.run::<()>(&[&["LPUSH", &astray], &ASTRAY[..]].concat());
        let about: String = rig.redis.run(&["INFO", "server"]);
        let version = about.lines().find_map(|line| line.strip_prefix("redis_version:"));
        let version = version.expect("it tells").to_owned();
        Self { rig, version, statsd, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn run(&self, block: &Block) {
        let Some(expected) = &block.prints else {
            let (status, said) = self.try_once(block);
            let expected = if block.argument.is_empty() { "0" } else { &block.argument };
            assert_eq!(status.to_string(), expected, "{}: {said}", block.place);
            return;
        };
        wait_for(&format!("{} to print what stands below it", block.place), || {
            let (status, said) = self.try_once(block);
            let status = if status == 0 { String::new() } else { status.to_string() };
            let is_fine = is_like(&said, expected) && status == block.argument;
            if is_fine { Ok(()) } else { Err(format!("{status}\n{said}")) }
        });
    }

    /// The exit status, and what was printed.
    fn try_once(&self, block: &Block) -> (i32, String) {
        let (queue, http) = (self.rig.redis.port(), self.rig.gateway.port());
        let text = block.text.replace("127.0.0.1/8125", &format!("127.0.0.1/{}", self.statsd));
        let (status, said) = bash_in(self.folder.path(), &text, queue, http);
        // As the page has them.
        let said = said.replace(&format!("127.0.0.1:{queue}"), "127.0.0.1:6379");
        let said = said.replace(&format!("127.0.0.1:{http}"), "localhost:9091");
        (status, said.replace(&format!("Redis {}", self.version), "Redis 7.0.15"))
    }
}

/// A queue that a gateway has owned gets another number of partitions.
pub fn repartition(blocks: &[Block]) {
    for block in blocks {
        let redis = RedisServer::start();
        let mut gateway =
            GatewayBuilder::reading(&redis).set("Redis__Delivery", "exactly-once").start();
        gateway.signal("TERM");
        gateway.wait_at_most(PATIENCE);
        let text = block.text.replace("redis.internal", &redis.address());
        let (status, said) = bash(&text, redis.port(), 0);
        assert_eq!(status, 0, "{}: {said}", block.place);
        assert!(said.contains("from 1 to 5 partitions"), "{}: {said}", block.place);
    }
}

/// The exit status and the output of lines of shell.
pub fn bash(lines: &str, queue: u16, http: u16) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    bash_in(folder.path(), lines, queue, http)
}

/// The same, in a folder.
pub fn bash_in(folder: &Path, lines: &str, queue: u16, http: u16) -> (i32, String) {
    let address = format!("127.0.0.1:{http}");
    let lines = ["localhost:9091", "gateway:9091"]
        .into_iter()
        .fold(lines.to_owned(), |lines, name| lines.replace(name, &address))
        .replace("localhost:6379", &format!("127.0.0.1:{queue}"));
    // Errors are part of what is seen.
    let here = format!(
        "set -eo pipefail\nexec 2>&1\n\
         redis-cli() {{ command redis-cli -p {queue} \"$@\"; }}\n\
         prom-stream-gateway() {{ {BINARY} \"$@\"; }}\n"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{here}{lines}")]).current_dir(folder);
    command.env("Redis__ConnectionString", format!("127.0.0.1:{queue}"));
    command.env("Redis__DeadLetterKey", "dead").env("Http__ListenAddress", address);
    let output = command.output().expect("bash runs");
    let said = String::from_utf8(output.stdout).expect("text");
    (output.status.code().expect("no signal ends it"), said)
}
