//! README and `docs/`: their payloads are accepted, their commands and programs do what they say.
//!
//! A fenced block is put to the test by a comment before it, `<!-- test: name -->`,
//! which GitHub does not show. Programs run where their interpreter and library
//! are there (`tests/examples/install` gets the libraries); which did not run is
//! said, and is a failure where `PSG_EXAMPLES=all` is set.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::demo;
use crate::support::process::free_port;
use crate::support::redis::QUEUE;
use crate::support::tls::Certificates;
use crate::support::{GatewayBuilder, RedisServer, Rig, wait_for};

const PAGES: [&str; 7] = [
    include_str!("../../README.md"),
    include_str!("../../docs/produce.md"),
    include_str!("../../docs/run.md"),
    include_str!("../../docs/tune.md"),
    include_str!("../../docs/debug.md"),
    include_str!("../../docs/migrate.md"),
    include_str!("../../docs/guarantee.md"),
];

/// Languages whose blocks must all be put to the test.
const TESTED_LANGUAGES: [&str; 7] = ["json", "jsonc", "yaml", "php", "python", "javascript", "go"];

/// The names of the tests below.
const TESTS: [&str; 13] = [
    "push",
    "look",
    "seen",
    "payload",
    "php",
    "python",
    "javascript",
    "go",
    "settings-file",
    "prometheus",
    "recording-rules",
    "acl",
    "web-config",
];

/// How long a program may take that finds no Redis: it must not wait for one.
/// Far more than its time-outs, since it may have to be compiled first.
const PATIENCE: Duration = Duration::from_secs(10);

/// A fenced block.
struct Block {
    /// Of the comment before it.
    test: Option<&'static str>,
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut test = None;
    let mut lines = PAGES.iter().flat_map(|page| page.lines());
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            let text = inside.map(|line| format!("{line}\n")).collect();
            blocks.push(Block { test: test.take(), language, text });
            continue;
        }
        let comment = line.strip_prefix("<!-- test: ");
        test = comment.and_then(|rest| rest.strip_suffix(" -->"));
    }
    blocks
}

/// The only block under that name.
fn block(test: &str) -> String {
    let mut found: Vec<Block> =
        blocks().into_iter().filter(|block| block.test == Some(test)).collect();
    assert_eq!(found.len(), 1, "there is one block with the test {test}");
    found.remove(0).text
}

/// Runs lines of shell with `redis-cli` talking to `redis`.
fn shell(lines: &str, redis: &RedisServer) -> String {
    shell_on(lines, redis.port())
}

/// Runs lines of shell with `redis-cli` talking to whoever listens on `port`.
fn shell_on(lines: &str, port: u16) -> String {
    let here = format!("set -e\nredis-cli() {{ command redis-cli -p {port} \"$@\"; }}\n");
    stdout(Command::new("bash").args(["-c", &format!("{here}{lines}")]))
}

/// What a command prints on standard output; it must succeed.
pub fn stdout(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.is_empty(), "{command:?}: {status}\n{said}");
    String::from_utf8(stdout).expect("text")
}

#[test]
fn every_block_of_code_is_put_to_the_test() {
    for block in blocks() {
        match block.test {
            Some(name) => assert!(TESTS.contains(&name), "there is no test {name}"),
            None => {
                assert!(!TESTED_LANGUAGES.contains(&block.language), "untested:\n{}", block.text)
            }
        }
    }
}

#[test]
fn payloads_are_accepted_as_what_they_say() {
    let payloads: Vec<String> =
        blocks().into_iter().filter(|b| b.test == Some("payload")).map(|b| b.text).collect();
    assert_eq!(payloads.len(), 4, "one for each type");
    let seen = Rig::start().send(&payloads);
    assert_eq!(seen.totals(), (4, 0));
    for payload in payloads {
        let payload: serde_json::Value = serde_json::from_str(&payload).expect("JSON");
        let name = payload["name"].as_str().expect("a name");
        let family = seen.family(name).unwrap_or_else(|| panic!("{name} is shown"));
        assert_eq!(payload["type"], family.kind, "{name}");
    }
}

#[test]
fn the_quick_start_shows_what_it_says() {
    let rig = Rig::start();
    shell(&block("push"), &rig.redis);
    rig.gateway.scrape_after(2);
    let look =
        block("look").replace("localhost:9091", &format!("127.0.0.1:{}", rig.gateway.port()));
    assert_eq!(shell(&look, &rig.redis), block("seen"));
}

#[test]
fn the_quick_start_works_with_the_demo() {
    let demo = demo::start_plain(&["--rate", "10"]);
    let ports = demo::ports(&demo);
    shell_on(&block("push"), ports.queue);
    let look = block("look").replace("localhost:9091", &format!("127.0.0.1:{}", ports.http));
    wait_for("the samples to show", || {
        // grep fails where it finds nothing.
        let seen = shell_on(&format!("{{ {look}}} || true"), ports.queue);
        if seen == block("seen") { Ok(()) } else { Err(seen) }
    });
}

#[test]
fn the_settings_file_is_sound() {
    let gateway = GatewayBuilder::bare().file("appsettings.json", &block("settings-file"));
    let report = gateway.arguments(&["check-config"]).finish();
    assert_eq!(report.code(), 0, "{}", report.output());
    let from_file = |line: &&String| line.contains(" (file: ");
    assert_eq!(report.lines.iter().filter(from_file).count(), 3, "{}", report.output());
    let noted = ["warning: ", "problem: ", "secret"];
    assert!(!noted.iter().any(|word| report.output().contains(word)), "{}", report.output());
}

#[test]
fn the_connection_strings_are_sound() {
    let rows = PAGES
        .iter()
        .flat_map(|page| page.lines())
        .skip_while(|line| *line != "| Redis | Connection string |");
    let rows = rows.take_while(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let strings: Vec<&str> = quoted.filter(|text| !text.starts_with("Redis.")).collect();
    assert!(strings.len() > 8, "{strings:?}");
    for string in strings {
        let report = GatewayBuilder::connecting(string).arguments(&["check-config"]).finish();
        assert_eq!(report.code(), 0, "{string}: {}", report.output());
        assert!(!report.output().contains("warning: "), "{string}: {}", report.output());
    }
}

#[test]
fn the_rights_are_enough() {
    let redis = RedisServer::start();
    shell(&block("acl"), &redis);
    let connection = format!("{},user=gateway,password=secret", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start();
    let push = format!(
        "redis-cli --user producer --pass secret --no-auth-warning LPUSH {QUEUE} '{{\"name\":\"a\"}}'"
    );
    shell(&push, &redis);
    gateway.scrape_after(1);
    let log = gateway.log().join("\n");
    assert!(!log.contains("WARN"), "nothing is missed: {log}");
}

#[test]
fn prometheus_accepts_the_scrape_configuration() {
    promtool_accepts("config", "prometheus");
}

#[test]
fn prometheus_accepts_the_recording_rules() {
    promtool_accepts("rules", "recording-rules");
}

/// Puts the block of that test to `promtool check`, where it is there.
fn promtool_accepts(what: &str, test: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("block.yml");
    fs::write(&file, block(test)).expect("the folder can be written");
    if is_there(Command::new("promtool").arg("--version"), "promtool") {
        stdout(Command::new("promtool").args(["check", what]).arg(&file));
    }
}

#[test]
fn php() {
    let probe = "exit(extension_loaded('redis') ? 0 : 1);";
    if is_there(Command::new("php").args(["-r", probe]), "php with the extension redis") {
        run_program("php", "php", |file| arguments(Command::new("php"), [file]));
    }
}

#[test]
fn python() {
    let own = libraries().join("venv/bin/python");
    let python = if own.exists() { own } else { PathBuf::from("python3") };
    let probe = ["-c", "import redis"];
    if is_there(Command::new(&python).args(probe), "python3 with the package redis") {
        run_program("python", "python", |file| arguments(Command::new(&python), [file]));
    }
}

#[test]
fn javascript() {
    let node = || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", libraries().join("node_modules"));
        node
    };
    if is_there(node().args(["-e", "require('ioredis')"]), "node with the package ioredis") {
        run_program("javascript", "node", |file| arguments(node(), [file]));
    }
}

#[test]
fn go() {
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(libraries().join("go"));
        go
    };
    let library = "github.com/redis/go-redis/v9";
    if is_there(go().args(["list", library]), "go with go-redis") {
        run_program("go", "go", |file| arguments(go(), [OsStr::new("run"), file.as_os_str()]));
    }
}

/// Runs the program of that block against a gateway, which then shows what the
/// program measured; and against nobody, which it says and does not wait for.
fn run_program(test: &str, runtime: &str, command: impl Fn(&Path) -> Command) {
    let rig = Rig::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("example").with_extension(test);
    write_program(&file, test, rig.redis.port());
    assert_eq!(stdout(&mut command(&file)), "", "the program has nothing to say");
    let seen = rig.gateway.scrape_after(2);
    assert_eq!(seen.totals(), (2, 0));
    let labels = [("queue", "mail"), ("runtime", runtime)];
    assert_eq!(seen.value("jobs_total", &labels), Some(1.0));
    assert_eq!(seen.value("job_seconds_sum", &labels[1..]), Some(0.21));

    write_program(&file, test, free_port());
    let started = Instant::now();
    let output = command(&file).output().expect("it has just run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("metrics were not sent"), "{said}");
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
}

/// The program of that block, with Redis on another port.
fn write_program(file: &Path, test: &str, port: u16) {
    let program = block(test);
    assert!(program.contains("localhost") && program.contains("6379"), "{program}");
    let program = program.replace("localhost", "127.0.0.1").replace("6379", &port.to_string());
    fs::write(file, program).expect("the folder can be written");
}

fn arguments<A: AsRef<OsStr>>(
    mut command: Command,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    command.args(arguments);
    command
}

/// Where `tests/examples/install` puts the libraries.
pub fn libraries() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/examples")
}

/// Whether `probe` succeeds; says so where it does not.
pub fn is_there(probe: &mut Command, what: &str) -> bool {
    must_be_there(probe.output().is_ok_and(|output| output.status.success()), what)
}

/// Says where something is not there that a test needs; that is a failure where
/// it was asked for.
pub fn must_be_there(is_there: bool, what: &str) -> bool {
    let required = std::env::var("PSG_EXAMPLES").is_ok_and(|value| value == "all");
    assert!(is_there || !required, "there is no {what}, and PSG_EXAMPLES=all asks for it");
    if !is_there {
        // Past the harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {what}");
    }
    is_there
}

#[test]
fn the_web_config_is_a_sound_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::create(folder.path(), &["localhost"]);
    fs::copy(&certificates.authority, folder.path().join("clients.pem")).expect("copied");
    let file = folder.path().join("web.yml");
    fs::write(&file, block("web-config")).expect("written");
    let builder = GatewayBuilder::bare().set("Http__ConfigFile", &file);
    let finished = builder.arguments(&["check-config"]).finish();
    assert_eq!(finished.code(), 0, "{}", finished.output());
}
