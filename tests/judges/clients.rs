//! Real clients: each pushes samples that appear on `/metrics`. Those whose
//! interpreter or library is missing are skipped, and said; `PSG_EXAMPLES=all`
//! makes that a failure (`tests/examples/install` gets the libraries).

use std::path::{Path, PathBuf};
use std::process::Command;

use psg_testkit::embedded::Embedded;
use psg_testkit::programs::{is_there, libraries, stdout};
use psg_testkit::redis::QUEUE;

/// Each way of pushing pushes so many samples.
const EACH: f64 = 3.0;

/// Runs a program against an embedded queue, after which each of its ways has
/// pushed its samples.
fn check(mut program: Command, ways: &[&str]) {
    let embedded = Embedded::start();
    assert_eq!(stdout(program.arg(embedded.port.to_string())), "", "it has nothing to say");
    let seen = embedded.gateway.scrape_after(ways.len() as u64 * EACH as u64);
    for way in ways {
        assert_eq!(seen.value("client_total", &[("way", way)]), Some(EACH), "{way}");
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/clients").join(name)
}

#[test]
fn redis_cli() {
    let embedded = Embedded::start();
    let port = embedded.port.to_string();
    let cli = |arguments: &[&str]| {
        stdout(Command::new("redis-cli").args(["-p", &port]).args(arguments)).trim().to_owned()
    };
    let sample = r#"{"name":"client_total","value":1,"labels":{"way":"redis-cli"}}"#;
    assert_eq!(cli(&["PING"]), "PONG");
    cli(&["LPUSH", QUEUE, sample, sample]);
    cli(&["-3", "RPUSH", QUEUE, sample]);
    let pipe = format!(
        "echo \"LPUSH {QUEUE} '{}'\" | redis-cli -p {port} --pipe",
        sample.replace('"', "\\\"")
    );
    let piped = stdout(Command::new("sh").args(["-c", &pipe]));
    assert!(piped.contains("errors: 0, replies: 1"), "{piped}");
    let seen = embedded.gateway.scrape_after(4);
    assert_eq!(seen.value("client_total", &[("way", "redis-cli")]), Some(4.0));
    assert_eq!(cli(&["LLEN", QUEUE]), "0");
    assert!(cli(&["SET", "a", "b"]).contains("ERR unknown command 'SET'"));
    assert!(cli(&["INFO", "server"]).contains("redis_version:"));
}

#[test]
fn redis_benchmark() {
    let embedded = Embedded::start();
    let port = embedded.port.to_string();
    let sample = r#"{"name":"client_total","value":1,"labels":{"way":"redis-benchmark"}}"#;
    let run = |options: &[&str]| {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &port, "-q", "-n", "5000", "-c", "20"]).args(options);
        stdout(command.args(["LPUSH", QUEUE, sample, sample]));
    };
    run(&[]);
    run(&["-P", "50"]);
    run(&["-3", "-P", "1000"]);
    let seen = embedded.gateway.scrape_after(30_000);
    assert_eq!(seen.value("client_total", &[("way", "redis-benchmark")]), Some(30_000.0));
}

#[test]
fn redis_py() {
    let own = libraries().join("venv/bin/python");
    let python = if own.exists() { own } else { PathBuf::from("python3") };
    if is_there(Command::new(&python).args(["-c", "import redis"]), "python3 with redis") {
        let mut command = Command::new(&python);
        command.arg(program("push.py"));
        let ways = [
            "redis-py 2",
            "redis-py 2 transaction",
            "redis-py 2 pipeline",
            "redis-py 3",
            "redis-py 3 transaction",
            "redis-py 3 pipeline",
            "redis-py asyncio",
        ];
        check(command, &ways);
    }
}

#[test]
fn ioredis_and_node_redis() {
    let node = || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", libraries().join("node_modules"));
        node
    };
    let both = "require('ioredis'); require('redis')";
    if is_there(node().args(["-e", both]), "node with ioredis and redis") {
        let mut command = node();
        command.arg(program("push.js"));
        let ways = [
            "ioredis",
            "ioredis pipeline",
            "ioredis transaction",
            "node-redis 2",
            "node-redis 2 transaction",
            "node-redis 2 pipeline",
            "node-redis 3",
            "node-redis 3 transaction",
            "node-redis 3 pipeline",
        ];
        check(command, &ways);
    }
}

#[test]
fn php_redis() {
    let probe = "exit(extension_loaded('redis') ? 0 : 1);";
    if is_there(Command::new("php").args(["-r", probe]), "php with the extension redis") {
        let mut command = Command::new("php");
        command.arg(program("push.php"));
        let ways =
            ["php-redis", "php-redis pipeline", "php-redis transaction", "php-redis persistent"];
        check(command, &ways);
    }
}

#[test]
fn go_redis() {
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(libraries().join("go"));
        go
    };
    if is_there(go().args(["list", "github.com/redis/go-redis/v9"]), "go with go-redis") {
        let mut command = go();
        command.arg("run").arg(program("push.go"));
        let ways = [
            "go-redis 2",
            "go-redis 2 pipeline",
            "go-redis 2 transaction",
            "go-redis 3",
            "go-redis 3 pipeline",
            "go-redis 3 transaction",
        ];
        check(command, &ways);
    }
}
