//! Configurations on the pages: the gateway's own, those of its Redis and of
//! Prometheus.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::commands;
use psg_testkit::pages::only;
use psg_testkit::pages::{Block, pages};
use psg_testkit::programs::{is_there, stdout};
use psg_testkit::redis::QUEUE;
use psg_testkit::tls::Certificates;
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for};

/// What `check-config` finds nothing to say of.
pub fn settings_file(blocks: &[Block]) {
    for block in blocks {
        let gateway = GatewayBuilder::bare().file("appsettings.json", &block.text);
        let report = gateway.arguments(&["check-config"]).finish();
        let output = report.output();
        assert_eq!(report.code(), 0, "{}: {output}", block.place);
        let from_file = report.lines.iter().filter(|line| line.contains(" (file: ")).count();
        assert_eq!(from_file, block.text.matches("\": ").count() - 2, "{output}");
        let noted = ["warning: ", "problem: ", "secret"];
        assert!(!noted.iter().any(|word| output.contains(word)), "{output}");
    }
}

#[test]
fn connection_strings_are_sound() {
    let pages = pages();
    let lines = pages.iter().flat_map(|page| page.text.lines());
    let rows = lines.skip_while(|line| *line != "| Redis | Connection string |");
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

/// The rights are enough: nothing that is sent is refused. What each command
/// needs is held to the code by `src/docs.rs`.
pub fn rights(blocks: &[Block]) {
    for block in blocks {
        let redis = RedisServer::start();
        let (status, said) = commands::bash(&block.text, redis.port(), 0);
        assert_eq!(status, 0, "{said}");
        let connection = format!("{},user=gateway,password=secret", redis.address());
        let (delivery, partitions) = match block.argument.as_str() {
            "partitions" => ("exactly-once", 2),
            delivery => (delivery, 1),
        };
        let start = |_| {
            GatewayBuilder::connecting(&connection)
                .set("Redis__Delivery", delivery)
                .set("Redis__MetricQueuePartitions", partitions.to_string())
                .set("Redis__LeaseSeconds", "1")
                .start()
        };
        let gateways: Vec<Gateway> = (0..partitions).map(start).collect();
        let sample = r#"{"name":"a"}"#;
        if block.text.contains("SETUSER producer") {
            let push = format!(
                "redis-cli --user producer --pass secret --no-auth-warning LPUSH {QUEUE} '{sample}'"
            );
            let (status, said) = commands::bash(&push, redis.port(), 0);
            assert_eq!((status, said.trim()), (0, "1"));
        } else {
            redis.push(&[sample]);
        }
        wait_for("the sample to show", || {
            let processed: u64 = gateways.iter().map(|it| it.scrape().totals().0).sum();
            if processed == 1 { Ok(()) } else { Err(format!("{processed}")) }
        });
        let log: Vec<String> = gateways.iter().flat_map(Gateway::log).collect();
        let log = log.join("\n");
        let is_missed = log.contains("NOPERM") || log.contains("right");
        assert!(!is_missed, "{}: something is missed: {log}", block.place);
    }
}

/// Whole configurations of Prometheus.
pub fn prometheus(blocks: &[Block]) {
    promtool_accepts("config", blocks);
}

/// Rules of Prometheus.
pub fn rules(blocks: &[Block]) {
    promtool_accepts("rules", blocks);
}

/// Puts blocks to `promtool check`, where it is there. What they name is beside
/// them.
fn promtool_accepts(what: &str, blocks: &[Block]) {
    if !is_there(Command::new("promtool").arg("--version"), "promtool") {
        return;
    }
    for block in blocks {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_certificates(folder.path());
        let file = folder.path().join("block.yml");
        fs::write(&file, &block.text).expect("the folder can be written");
        stdout(Command::new("promtool").args(["check", what]).arg(&file));
    }
}

/// What the pages name: those of a server and of a client, each with its
/// authority, which here is one.
fn write_certificates(folder: &Path) {
    let certificates = Certificates::create(folder, &["localhost", "127.0.0.1"]);
    fs::copy(&certificates.authority, folder.join("clients.pem")).expect("copied");
    let client = certificates.client("urn:prometheus");
    fs::write(folder.join("client.pem"), client.certificate).expect("written");
    fs::write(folder.join("client.key"), client.key).expect("written");
}

/// Commands get an answer of a gateway that has the one web-config of the pages.
pub fn secured(blocks: &[Block]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_certificates(folder.path());
    let file = folder.path().join("web.yml");
    fs::write(&file, only("web_config", "").text).expect("written");
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let gateway = gateway.start_listening();
    for block in blocks {
        // The first check of a password is slow on purpose: `top` may be over by then.
        wait_for(&format!("{} to get an answer", block.place), || {
            let (status, said) = commands::bash_in(folder.path(), &block.text, 0, gateway.port());
            let is_answer = status == 0 && said.contains("series");
            if is_answer { Ok(()) } else { Err(format!("{status} {said}")) }
        });
    }
}

/// The files that it names are there; the password is the one that the page says.
pub fn web_config(blocks: &[Block]) {
    for block in blocks {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_certificates(folder.path());
        let file = folder.path().join("web.yml");
        fs::write(&file, &block.text).expect("written");
        let builder = GatewayBuilder::bare().set("Http__ConfigFile", &file);
        let finished = builder.arguments(&["check-config"]).finish();
        assert_eq!(finished.code(), 0, "{}", finished.output());
        let hash = block.text.lines().find_map(|line| line.trim().strip_prefix("prometheus: "));
        let hash = hash.expect("a user");
        assert!(bcrypt::verify("secret", hash).expect("a hash"), "{}: {hash}", block.place);
    }
}
