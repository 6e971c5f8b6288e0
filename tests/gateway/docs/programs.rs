//! The producers of the pages, each in its language, with real clients.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::blocks::Block;
use crate::support::Rig;
use crate::support::process::free_port;
use crate::support::programs::{is_there, libraries, stdout};

/// How long a program may take that finds no Redis: it must not wait for one.
/// Far more than its time-outs, since it may have to be compiled first.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time-outs of the programs, and such that a busy machine keeps too: where
/// there is a Redis, the sample has to come.
const TIMEOUTS: [[&str; 2]; 4] = [
    ["6379, 0.2)", "6379, 20)"],
    ["timeout=0.2", "timeout=20"],
    ["Timeout: 200", "Timeout: 20000"],
    ["200*time.Millisecond", "20*time.Second"],
];

/// Each language's programs do what they say, and don't wait where nobody is.
pub fn push_and_do_not_wait(blocks: &[Block]) {
    for block in blocks {
        match block.language.as_str() {
            "php" => php(block),
            "python" => python(block),
            "javascript" => javascript(block),
            "go" => go(block),
            other => panic!("{}: nothing runs {other}", block.place),
        }
    }
}

fn php(block: &Block) {
    let probe = "exit(extension_loaded('redis') ? 0 : 1);";
    if is_there(Command::new("php").args(["-r", probe]), "php with the extension redis") {
        run(block, "php", |file| with(Command::new("php"), [file]));
    }
}

fn python(block: &Block) {
    let own = libraries().join("venv/bin/python");
    let python = if own.exists() { own } else { PathBuf::from("python3") };
    let probe = ["-c", "import redis"];
    if is_there(Command::new(&python).args(probe), "python3 with the package redis") {
        run(block, "python", |file| with(Command::new(&python), [file]));
    }
}

fn javascript(block: &Block) {
    let node = || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", libraries().join("node_modules"));
        node
    };
    if is_there(node().args(["-e", "require('ioredis')"]), "node with the package ioredis") {
        run(block, "node", |file| with(node(), [file]));
    }
}

fn go(block: &Block) {
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(libraries().join("go"));
        go
    };
    let library = "github.com/redis/go-redis/v9";
    if libraries().join("go").exists() && is_there(go().args(["list", library]), "go with go-redis")
    {
        run(block, "go", |file| with(go(), [OsStr::new("run"), file.as_os_str()]));
    }
}

/// Runs the program of that block against a gateway, which then shows what the
/// program measured; and against nobody, which it says and does not wait for.
fn run(block: &Block, runtime: &str, command: impl Fn(&Path) -> Command) {
    let rig = Rig::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("example").with_extension(&block.language);
    let patient =
        TIMEOUTS.iter().fold(block.text.clone(), |text, [short, long]| text.replace(short, long));
    assert_ne!(patient, block.text, "{}: it has no time-out", block.place);
    write(&file, &patient, rig.redis.port());
    assert_eq!(stdout(&mut command(&file)), "", "the program has nothing to say");
    let seen = rig.gateway.scrape_after(2);
    assert_eq!(seen.totals(), (2, 0));
    let labels = [("queue", "mail"), ("runtime", runtime)];
    assert_eq!(seen.value("jobs_total", &labels), Some(1.0));
    assert_eq!(seen.value("job_seconds_sum", &labels[1..]), Some(0.21));

    write(&file, &block.text, free_port());
    let started = Instant::now();
    let output = command(&file).output().expect("it has just run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("metrics were not sent"), "{said}");
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
}

/// The program, with Redis on another port.
fn write(file: &Path, program: &str, port: u16) {
    assert!(program.contains("localhost") && program.contains("6379"), "{program}");
    let program = program.replace("localhost", "127.0.0.1").replace("6379", &port.to_string());
    fs::write(file, program).expect("the folder can be written");
}

fn with<A: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = A>) -> Command {
    command.args(arguments);
    command
}
