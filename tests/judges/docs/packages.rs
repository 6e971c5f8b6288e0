//! The programs of the pages that use the packages in `clients/`: each is called as
//! Lambda calls it, by the programs of `tests/examples/handle/`, in a process that
//! is frozen in between, and never ends by itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::languages::Driven;
use psg_testkit::pages::Block;
use psg_testkit::process::free_port;
use psg_testkit::programs::{libraries, must_be_there, stdout};
use psg_testkit::{Rig, root};

/// What each of the programs is called with, and returns.
const EVENT: &str = r#"{"country":"DE","prices":[4,8]}"#;
const ANSWER: &str = r#"{"total":12}"#;

/// The label that each series has by default, whose value is `checkout`, but where
/// the block names another one.
const LABEL: &str = "function";

/// A machine with other work to do may hold a push up for longer than a package
/// waits. Then that is said, and another process pushes.
const TRIES: usize = 8;

/// A language: as blocks name it, the ending of its files, what calls its handlers,
/// how a file in a folder is run, and a program that only takes the package, and
/// what the page's programs have beside it.
pub struct Language {
    pub block: &'static str,
    pub ending: &'static str,
    handle: &'static str,
    command: fn(&Path, &str) -> Command,
    pub probe: &'static str,
}

pub const LANGUAGES: [Language; 4] = [
    Language {
        block: "php",
        ending: "php",
        handle: include_str!("../../examples/handle/handle.php"),
        command: php,
        probe: "<?php require 'vendor/autoload.php'; \
            exit(extension_loaded('redis') && class_exists(PromStreamGateway\\Client::class) ? 0 : 1);",
    },
    Language {
        block: "python",
        ending: "py",
        handle: include_str!("../../examples/handle/handle.py"),
        command: python,
        probe: "import prom_stream_gateway.prometheus",
    },
    Language {
        block: "javascript",
        ending: "mjs",
        handle: include_str!("../../examples/handle/handle.mjs"),
        command: node,
        probe: "import 'prom-stream-gateway/ioredis';",
    },
    Language {
        block: "go",
        ending: "go",
        handle: include_str!("../../examples/handle/handle.go"),
        command: go,
        probe: "package main\n\
            import _ \"github.com/aws/aws-lambda-go/lambda\"\n\
            import _ \"github.com/prom-stream-gateway/prom-stream-gateway/clients/go/promstream\"\n\
            func main() {}\n",
    },
];

fn package(language: &str) -> PathBuf {
    root().join("clients").join(language)
}

/// With the autoloader that the package's own tests have.
fn php(folder: &Path, name: &str) -> Command {
    let loader = package("php").join("tests/bootstrap.php");
    let vendor = folder.join("vendor");
    fs::create_dir_all(&vendor).expect("the folder can be written");
    let text = format!("<?php require '{}';\n", loader.display());
    fs::write(vendor.join("autoload.php"), text).expect("the folder can be written");
    let mut php = Command::new("php");
    php.current_dir(folder).arg(folder.join(name).with_extension("php"));
    php
}

fn python(folder: &Path, name: &str) -> Command {
    let mut python = Command::new(package("python").join("tests/python"));
    python.arg(folder.join(name).with_extension("py"));
    python
}

/// With the package where npm puts it.
fn node(folder: &Path, name: &str) -> Command {
    let modules = folder.join("node_modules");
    if !modules.exists() {
        fs::create_dir(&modules).expect("the folder can be written");
        let link = modules.join("prom-stream-gateway");
        symlink(package("node"), link).expect("the folder can be written");
    }
    let mut node = Command::new("node");
    node.arg(folder.join(name).with_extension("mjs"));
    node
}

/// Built in a workspace of the libraries and the package.
fn go(folder: &Path, name: &str) -> Command {
    let workspace = folder.join("go.work");
    let go = || {
        let mut go = Command::new("go");
        go.env("GOWORK", &workspace).current_dir(libraries().join("go"));
        go
    };
    if !workspace.exists() {
        let modules = [libraries().join("go"), package("go")];
        let made = go().args(["work", "init"]).args(modules).output();
        assert!(made.is_ok_and(|made| made.status.success()), "there is a workspace");
    }
    let binary = folder.join(name);
    let mut build = go();
    build.arg("build").arg("-o").arg(&binary).arg(folder.join(name).with_extension("go"));
    if name == "handle" {
        build.arg(folder.join("producer.go"));
    }
    stdout(&mut build);
    Command::new(binary)
}

impl Language {
    fn write(&self, folder: &TempDir, name: &str, text: &str) {
        let file = folder.path().join(name).with_extension(self.ending);
        fs::write(file, text).expect("the folder can be written");
    }

    fn command(&self, folder: &TempDir, name: &str) -> Command {
        let mut command = (self.command)(folder.path(), name);
        command.env("PSG_CACHE", root().join(".cache/clients"));
        command.env_remove("PROM_STREAM_GATEWAY_KEY");
        command.env_remove("PROM_STREAM_GATEWAY_DISABLED");
        command
    }

    fn is_here(&self) -> bool {
        let has_go = self.block != "go" || libraries().join("go/go.mod").exists();
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.write(&folder, "probe", self.probe);
        let is_here = has_go
            && self.command(&folder, "probe").output().is_ok_and(|output| output.status.success());
        is_expected(is_here, &format!("package for {} with what it needs", self.block))
    }
}

/// Says what is not there; CI has all that the packages need.
pub fn is_expected(is_here: bool, what: &str) -> bool {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(is_here || !is_ci, "there is no {what}");
    must_be_there(is_here, what)
}

/// Each does what stands there, with Redis and without.
pub fn handlers_push(blocks: &[Block]) {
    for language in &LANGUAGES {
        let mut blocks = blocks.iter().filter(|block| block.language == language.block).peekable();
        assert!(blocks.peek().is_some(), "no page has a handler in {}", language.block);
        if !language.is_here() {
            continue;
        }
        for block in blocks {
            let program = Program { language, block };
            let is_pushed = (0..TRIES).any(|_| program.pushes());
            assert!(is_pushed, "{}: it never pushes in time", block.place);
            program.goes_on_without_redis();
        }
    }
}

struct Program<'a> {
    language: &'a Language,
    block: &'a Block,
}

impl Program<'_> {
    /// A process that waits for events, and the folder that it needs.
    fn start(&self, port: u16) -> (Driven, TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.language.write(&folder, "producer", &self.block.text);
        self.language.write(&folder, "handle", self.language.handle);
        let mut command = self.language.command(&folder, "handle");
        command.env("PROM_STREAM_GATEWAY_REDIS_URL", format!("redis://127.0.0.1:{port}"));
        (Driven::start(command), folder)
    }

    /// Waits for the answer; what was printed meanwhile.
    fn answer(&self, driven: &mut Driven) -> Vec<String> {
        let (said, answer) = driven.said_before("answer ");
        let parsed: Option<Value> = serde_json::from_str(&answer).ok();
        let expected = serde_json::from_str(ANSWER).ok();
        assert_eq!(parsed, expected, "{}: {answer:?}, {said:?}", self.block.place);
        said
    }

    /// Three invocations arrive, before the last of which the connection was cut.
    /// False where a push was too late.
    fn pushes(&self) -> bool {
        let rig = Rig::start();
        let (mut driven, _folder) = self.start(rig.redis.port());
        let mut said = Vec::new();
        for _ in 0..2 {
            driven.begin(EVENT);
            said.extend(self.answer(&mut driven));
        }
        driven.begin_after(EVENT, || rig.redis.run::<u32>(&["CLIENT", "KILL", "TYPE", "normal"]));
        said.extend(self.answer(&mut driven));
        if !said.is_empty() {
            assert!(said.iter().all(|line| is_loss(line)), "{}: {said:?}", self.block.place);
            return false;
        }
        let seen = rig.gateway.scrape_after(6);
        let place = &self.block.place;
        assert_eq!(seen.totals(), (6, 0), "{place}");
        let label = if self.block.argument.is_empty() { LABEL } else { &self.block.argument };
        let labels = [("country", "DE"), (label, "checkout")];
        assert_eq!(seen.value("orders_total", &labels), Some(3.0), "{place}");
        assert_eq!(seen.value("checkout_seconds_count", &labels[1..]), Some(3.0), "{place}");
        true
    }

    /// It returns what it would, and says once what is wrong.
    fn goes_on_without_redis(&self) {
        let (mut driven, _folder) = self.start(free_port());
        let mut said = Vec::new();
        for _ in 0..3 {
            driven.begin(EVENT);
            said.extend(self.answer(&mut driven));
        }
        assert!(said.len() == 1 && is_loss(&said[0]), "{}: {said:?}", self.block.place);
    }
}

/// Whether a line says that metrics were not sent.
fn is_loss(line: &str) -> bool {
    line.contains("not sent") || line.contains("dropped")
}
