//! Commands that start a gateway: it starts, takes a sample, shows it, and stops.

use std::process::Command;
use std::time::Duration;

use psg_testkit::pages::Block;
use psg_testkit::process::{Process, free_port};
use psg_testkit::redis::QUEUE;
use psg_testkit::{RedisOptions, RedisServer, http, wait_for};

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

/// How a page names the program.
const NAMES: [&str; 2] = ["target/release/prom-stream-gateway", "prom-stream-gateway"];

/// Blocks of one command each, whose addresses and folders are of this test, the
/// default ones too.
pub fn gateways_start(blocks: &[Block]) {
    blocks.iter().for_each(starts);
}

fn starts(block: &Block) {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let is_embedded = block.text.contains("embedded");
    let (port, own) = (free_port(), free_port());
    let command = block.text.trim();
    let settings = NAMES.iter().find_map(|name| command.strip_suffix(name));
    let settings = settings.unwrap_or_else(|| panic!("{}: {command}", block.place));
    let settings = settings
        .replace("redis.internal", &redis.address())
        .replace(":8125", &format!(":{}", free_port()))
        .replace("/var/lib/prom-stream-gateway", &folder.path().display().to_string());
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("exec env {settings} {BINARY}")]).current_dir(folder.path());
    bash.env("Redis__ConnectionString", redis.address());
    bash.env("Http__ListenAddress", format!("127.0.0.1:{port}"));
    bash.env("Embedded__ListenAddress", format!("127.0.0.1:{own}"));
    let mut gateway = Process::start("the gateway of the page", &mut bash);

    let wait_for_answer = |path: &str, part: &str| {
        wait_for(&format!("{}: {path} to have {part}", block.place), || {
            let reply = http::get(port, path, &[])?;
            let is_fine = reply.status == 200 && reply.text().contains(part);
            if is_fine { Ok(()) } else { Err(reply.text()) }
        });
    };
    wait_for_answer("/-/ready", "");
    let queue = if is_embedded { own } else { redis.port() };
    let client = redis::Client::open(("127.0.0.1", queue)).expect("an address");
    let mut connection = client.get_connection().expect("the queue is there");
    let mut push = redis::cmd("LPUSH");
    push.arg(QUEUE).arg(r#"{"name":"page_total","value":3}"#);
    push.exec(&mut connection).expect("the queue takes it");
    wait_for_answer("/metrics", "\npage_total 3\n");
    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(60));
    assert_eq!(status.code(), Some(0), "{}: {:?}", block.place, gateway.lines());
}
