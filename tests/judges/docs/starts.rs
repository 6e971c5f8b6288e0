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
    let own = free_port();
    let command = block.text.trim();
    let settings = NAMES.iter().find_map(|name| command.strip_suffix(name));
    let settings = settings.unwrap_or_else(|| panic!("{}: {command}", block.place));
    let settings = settings
        .replace("redis.internal", &redis.address())
        .replace(":8125", &format!(":{}", free_port()))
        .replace("/var/lib/prom-stream-gateway", &folder.path().display().to_string());
    let start = |port: u16| {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("exec env {settings} {BINARY}")]).current_dir(folder.path());
        bash.env("Redis__ConnectionString", redis.address());
        bash.env("Http__ListenAddress", format!("127.0.0.1:{port}"));
        bash.env("Embedded__ListenAddress", format!("127.0.0.1:{own}"));
        Process::start("the gateway of the page", &mut bash)
    };
    let ports: Vec<u16> = (0..gateways(&settings)).map(|_| free_port()).collect();
    let mut gateways: Vec<Process> = ports.iter().map(|port| start(*port)).collect();
    let answers = |port: u16, path: &str, part: &str| {
        let reply = http::get(port, path, &[]).map_err(|cause| format!("{cause:?}"))?;
        let is_fine = reply.status == 200 && reply.text().contains(part);
        if is_fine { Ok(()) } else { Err(reply.text()) }
    };
    for port in &ports {
        wait_for(&format!("{}: to be ready", block.place), || answers(*port, "/-/ready", ""));
    }
    let queue = if is_embedded { own } else { redis.port() };
    let client = redis::Client::open(("127.0.0.1", queue)).expect("an address");
    let mut connection = client.get_connection().expect("the queue is there");
    let mut push = redis::cmd("LPUSH");
    push.arg(QUEUE).arg(r#"{"name":"page_total","value":3}"#);
    push.exec(&mut connection).expect("the queue takes it");
    wait_for(&format!("{}: /metrics to have the sample", block.place), || {
        let seen = ports.iter().map(|port| answers(*port, "/metrics", "\npage_total 3\n"));
        seen.reduce(Result::or).expect("there is a gateway")
    });
    for gateway in &mut gateways {
        gateway.signal("TERM");
        let status = gateway.wait_at_most(Duration::from_secs(60));
        assert_eq!(status.code(), Some(0), "{}: {:?}", block.place, gateway.lines());
    }
}

/// As many as the queue has partitions: each shows a part.
fn gateways(settings: &str) -> usize {
    let partitions = settings.split("MetricQueuePartitions=").nth(1);
    let number = partitions.and_then(|rest| rest.split_whitespace().next());
    number.map_or(1, |number| number.parse().expect("a number"))
}
