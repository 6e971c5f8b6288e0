//! The languages that docs/produce.md has producers in: how a program of each is
//! run as it stands on the page, and how its function that pushes is called as
//! often as a test says, by the programs of `tests/examples/drive/`.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use psg_testkit::pages::Block;
use psg_testkit::process::signal;
use psg_testkit::programs::{is_there, libraries, stdout};
use psg_testkit::wait::PATIENCE;

/// The time-outs of the programs, and such that a busy machine keeps too: where
/// there is a Redis, the samples have to come.
const TIMEOUTS: [[&str; 2]; 4] = [
    ["0.1, 'metrics', 0, 0.1)", "20, 'metrics', 0, 20)"],
    ["timeout=0.1", "timeout=20"],
    ["Timeout: 200", "Timeout: 20000"],
    ["200*time.Millisecond", "20*time.Second"],
];

/// A language: as blocks name it, its name in the samples, the ending of its
/// files, what pushes in a loop, and whether it is here.
pub struct Language {
    block: &'static str,
    pub name: &'static str,
    ending: &'static str,
    drive: &'static str,
    is_here: fn() -> bool,
}

const LANGUAGES: [Language; 4] = [
    Language {
        block: "php",
        name: "php",
        ending: "php",
        drive: include_str!("../../examples/drive/drive.php"),
        is_here: || {
            let probe = "exit(extension_loaded('redis') ? 0 : 1);";
            is_there(Command::new("php").args(["-r", probe]), "php with the extension redis")
        },
    },
    Language {
        block: "python",
        name: "python",
        ending: "py",
        drive: include_str!("../../examples/drive/drive.py"),
        is_here: || {
            is_there(python().args(["-c", "import redis"]), "python3 with the package redis")
        },
    },
    Language {
        block: "javascript",
        name: "node",
        ending: "js",
        drive: include_str!("../../examples/drive/drive.js"),
        is_here: || {
            is_there(node().args(["-e", "require('ioredis')"]), "node with the package ioredis")
        },
    },
    Language {
        block: "go",
        name: "go",
        ending: "go",
        drive: include_str!("../../examples/drive/drive.go"),
        is_here: || {
            let library = "github.com/redis/go-redis/v9";
            libraries().join("go").exists()
                && is_there(go().args(["list", library]), "go with go-redis")
        },
    },
];

fn python() -> Command {
    let own = libraries().join("venv/bin/python");
    Command::new(if own.exists() { own } else { PathBuf::from("python3") })
}

fn node() -> Command {
    let mut node = Command::new("node");
    node.env("NODE_PATH", libraries().join("node_modules"));
    node
}

fn go() -> Command {
    let mut go = Command::new("go");
    go.current_dir(libraries().join("go"));
    go
}

/// The language of that block, where it is here.
pub fn of(block: &Block) -> Option<&'static Language> {
    let language = LANGUAGES.iter().find(|language| language.block == block.language);
    let language =
        language.unwrap_or_else(|| panic!("{}: nothing runs {}", block.place, block.language));
    (language.is_here)().then_some(language)
}

/// Whether a program keeps its time-outs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Timeouts {
    AsPrinted,
    Long,
}

/// A program in a folder of its own, with Redis on a port of the test.
pub struct Producer {
    language: &'static Language,
    folder: TempDir,
}

impl Producer {
    pub fn new(language: &'static Language, block: &Block, port: u16, timeouts: Timeouts) -> Self {
        let mut text = block.text.clone();
        if timeouts == Timeouts::Long {
            text = TIMEOUTS.iter().fold(text, |text, [short, long]| text.replace(short, long));
            assert_ne!(text, block.text, "{}: it has no time-out", block.place);
        }
        assert!(text.contains("localhost") && text.contains("6379"), "{text}");
        let text = text.replace("localhost", "127.0.0.1").replace("6379", &port.to_string());
        let producer = Self { language, folder: tempfile::tempdir().expect("a temporary folder") };
        fs::write(producer.file("producer"), text).expect("the folder can be written");
        fs::write(producer.file("drive"), language.drive).expect("the folder can be written");
        producer
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension(self.language.ending)
    }

    /// Runs one of its two files.
    fn command(&self, name: &str) -> Command {
        let mut command = match self.language.name {
            "php" => Command::new("php"),
            "python" => python(),
            "node" => node(),
            _ => return self.built(name),
        };
        command.arg(self.file(name));
        command
    }

    /// What Go has made of the program, and of that which calls it.
    fn built(&self, name: &str) -> Command {
        let binary = self.folder.path().join(name);
        let mut build = go();
        build.args([Path::new("build"), Path::new("-o"), &binary, &self.file("producer")]);
        if name == "drive" {
            build.arg(self.file(name));
        }
        stdout(&mut build);
        Command::new(binary)
    }

    /// As it stands on the page.
    pub fn alone(&self) -> Command {
        self.command("producer")
    }

    /// A process that pushes when it is told to.
    pub fn drive(&self) -> Driven {
        Driven::start(self.command("drive"))
    }
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A process of somebody's own that goes on pushing.
pub struct Driven {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// What came of a push.
#[derive(Debug)]
pub struct Pushed {
    pub took: Duration,
    /// The lines that were printed meanwhile.
    pub said: Vec<String>,
}

impl Driven {
    /// Runs it; it says when it is ready for lines.
    pub fn start(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::piped());
        command.stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
        let mut child = command.spawn().expect("it is there");
        // Else this process would keep the pipe open.
        drop(command);
        let lines = lines_of(reader);
        let input = child.stdin.take().expect("it is piped");
        let mut driven = Self { child, input, lines };
        driven.said_before("ready");
        driven
    }

    /// Lets it push two samples; of an `odd` one JSON can't say the first, of a
    /// `large` one the second has 20 MB.
    pub fn push(&mut self, what: &str) -> Pushed {
        self.begin(what);
        self.end()
    }

    /// Lets it do what that line says.
    pub fn begin(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads on");
    }

    fn end(&mut self) -> Pushed {
        let (said, took) = self.said_before("took ");
        let took = took.parse().expect("milliseconds");
        Pushed { took: Duration::from_millis(took), said }
    }

    /// Lets it push two samples after something that happened while it was frozen.
    pub fn push_after(&mut self, meanwhile: impl FnOnce()) -> Pushed {
        self.begin_after("fine", meanwhile);
        self.end()
    }

    /// Stops it as a function between two invocations is, does something
    /// meanwhile, and lets it do what the line says as the first thing afterwards.
    pub fn begin_after<T>(&mut self, line: &str, meanwhile: impl FnOnce() -> T) {
        signal(self.child.id(), "STOP");
        meanwhile();
        self.begin(line);
        signal(self.child.id(), "CONT");
    }

    /// The lines up to one that begins so, and the rest of that one.
    pub fn said_before(&mut self, begin: &str) -> (Vec<String>, String) {
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|why| panic!("it does not push on: {why}: {said:?}"));
            match line.strip_prefix(begin) {
                Some(rest) => return (said, rest.to_owned()),
                None => said.push(line),
            }
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
