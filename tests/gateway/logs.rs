//! Logs: what is said of bad payloads, and how often.

use std::time::Instant;

use psg_testkit::{GatewayBuilder, RedisServer, Rig, wait_until};

#[test]
fn a_reason_is_logged_at_most_once_in_ten_seconds() {
    let mut rig = Rig::start();
    let begun = Instant::now();
    for _ in 0..5 {
        rig.send(&["{broken one"; 200]);
        rig.send(&[r#"{"name":" ","value":-1}"#, r#"{"name":"n","value":-1}"#]);
    }
    wait_until("three reasons to be logged", || {
        ["invalid_json", "missing_name", "negative_counter"]
            .iter()
            .all(|reason| rig.gateway.log().iter().any(|line| line.contains(reason)))
    });
    let allowed = 1 + begun.elapsed().as_secs() as usize / 10;
    for reason in ["invalid_json", "missing_name", "negative_counter"] {
        let log = rig.gateway.log();
        let lines = log.iter().filter(|line| line.contains(reason)).count();
        assert!(lines <= allowed, "{lines} lines for {reason}:\n{}", log.join("\n"));
    }
}

#[test]
fn a_logged_payload_is_shown_and_cut() {
    let mut rig = Rig::start();
    let payload = format!("broken from here on{}", "Z".repeat(5_000));
    rig.send(&[payload]);
    wait_until("the payload in the log", || {
        rig.gateway.log().iter().any(|line| line.contains("broken from here on"))
    });
    let log = rig.gateway.log().join("\n");
    let shown = log.matches('Z').count();
    assert!((100..=200).contains(&shown), "{shown} bytes of the payload are in:\n{log}");
}

#[test]
fn a_payload_cannot_forge_a_line() {
    for format in ["json", "text"] {
        let mut rig = Rig::with(&[("Log__Format", format)]);
        rig.send(&["oops\nforged line\r\n\u{1b}[31mred"]);
        wait_until("the payload in the log", || {
            rig.gateway.log().iter().any(|line| line.contains("oops"))
        });
        let log = rig.gateway.log();
        assert!(!log.iter().any(|line| line.starts_with("forged")), "{}", log.join("\n"));
        assert!(!log.iter().any(|line| line.contains('\u{1b}')), "{}", log.join("\n"));
    }
}

#[test]
fn json_is_one_object_a_line_and_the_default_off_a_terminal() {
    let redis = RedisServer::start();
    let gateway = GatewayBuilder::reading(&redis).unset("Log__Format").start();
    redis.push(&["{broken"]);
    gateway.scrape_after(1);
    wait_until("the refusal in the log", || gateway.log().len() > 1);
    for line in gateway.log() {
        let record: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(record.is_object(), "{line}");
    }
}

#[test]
fn the_level_decides_what_is_said() {
    let redis = RedisServer::start();
    let gateway = GatewayBuilder::reading(&redis).set("Log__Level", "error").start();
    redis.push(&["{broken"]);
    gateway.scrape_after(1);
    assert!(gateway.log().is_empty(), "{}", gateway.log().join("\n"));
}
