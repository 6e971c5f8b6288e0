//! Many clients, silent ones, slow ones and those that break the protocol: each
//! costs one connection.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use psg_testkit::embedded::{Embedded, Line};
use psg_testkit::programs::must_be_there;
use psg_testkit::redis::QUEUE;
use psg_testkit::wait_until;

const SAMPLE: &str = r#"{"name":"n_total","value":1}"#;

/// Clients of the crowd.
const CLIENTS: u64 = 10_000;

/// What they need: a descriptor each, here and in the gateway, and some.
const DESCRIPTORS: u64 = CLIENTS + 512;

#[test]
fn ten_thousand_clients() {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    let is_enough = limits.maximum.is_none_or(|most| most >= DESCRIPTORS)
        && setrlimit(Resource::Nofile, raised).is_ok();
    if !must_be_there(is_enough, &format!("hard limit of {DESCRIPTORS} open files (ulimit -Hn)")) {
        return;
    }
    let embedded = Embedded::start();
    let mut lines: Vec<Line> = (0..CLIENTS).map(|_| embedded.line()).collect();
    for line in &mut lines {
        line.send(&["LPUSH", QUEUE, SAMPLE]);
    }
    for line in &mut lines {
        assert!(line.receive().starts_with(b":"));
    }
    let seen = embedded.gateway.scrape_after(CLIENTS);
    assert_eq!(seen.value("n_total", &[]), Some(CLIENTS as f64));
    let own = |name: &str| seen.value(&format!("prom_stream_gateway_{name}"), &[]).unwrap();
    assert!(own("process_open_fds") > CLIENTS as f64);
    let resident = own("process_resident_memory_bytes");
    assert!(resident < 200e6, "{resident} bytes for {CLIENTS} silent clients");
    lines[0].check_part(&["INFO", "clients"], &format!("connected_clients:{CLIENTS}\r\n"));
    drop(lines);
    let mut last = embedded.line();
    wait_until("the others to have left", || {
        let info = last.call(&["INFO", "clients"]);
        String::from_utf8_lossy(&info).contains("connected_clients:1\r\n")
    });
}

#[test]
fn one_client_too_many_is_turned_away() {
    let embedded = Embedded::with("embedded", &[("Embedded__MaxConnections", "2")]);
    let (mut first, mut second) = (embedded.line(), embedded.line());
    first.check(&["PING"], "+PONG\r\n");
    second.check(&["PING"], "+PONG\r\n");
    let mut third = embedded.line();
    assert_eq!(third.receive(), b"-ERR max number of clients reached\r\n");
    assert!(third.is_closed());
    drop(second);
    wait_until("a place to be free", || {
        embedded.line().try_call(&["PING"]).is_some_and(|reply| reply == b"+PONG\r\n")
    });
    first.check(&["PING"], "+PONG\r\n");
}

#[test]
fn silence_is_cut_only_where_that_is_asked_for() {
    let cutting = Embedded::with("embedded", &[("Embedded__IdleTimeoutSeconds", "1")]);
    let patient = Embedded::start();
    let (mut cut, mut kept) = (cutting.line(), patient.line());
    let mut subscriber = cutting.line();
    subscriber.check_start(&["SUBSCRIBE", "c"], "*3\r\n");
    assert!(cut.is_closed(), "after a second");
    kept.check(&["PING"], "+PONG\r\n");
    subscriber.check_start(&["PING"], "*2\r\n");
}

#[test]
fn those_who_break_the_protocol_cost_one_connection() {
    let embedded = Embedded::start();
    let mut good = embedded.line();
    let (arguments, bulk) = ("*2000000000\r\n", "*2\r\n$5\r\nLPUSH\r\n$999999999999\r\n");
    let endless = "a".repeat(70_000);
    let nested = "*1\r\n".repeat(10_000);
    for bytes in [":1\r\n*1\r\n:1\r\n", bulk, &endless, &nested, "*1\r\n$4\r\nPING\n\n", "\"\r\n"] {
        let mut bad = embedded.line();
        bad.send_bytes(bytes.as_bytes());
        let reply = String::from_utf8_lossy(&bad.receive_all()).into_owned();
        assert!(reply.contains("-ERR Protocol error: "), "{reply}");
        good.check(&["PING"], "+PONG\r\n");
    }
    let mut waiting = embedded.line();
    waiting.send_bytes(arguments.as_bytes());
    good.check(&["PING"], "+PONG\r\n");
    let seen = embedded.gateway.scrape();
    let errors = "prom_stream_gateway_redis_errors_total";
    assert_eq!(seen.value(errors, &[("kind", "protocol")]), Some(6.0));
}

#[test]
fn a_slow_client_holds_up_nobody() {
    let embedded = Embedded::start();
    let (mut slow, mut quick) = (embedded.line(), embedded.line());
    let push = Line::pack(&["LPUSH", QUEUE, SAMPLE]);
    for byte in &push {
        slow.send_bytes(&[*byte]);
        quick.check_start(&["LPUSH", QUEUE, SAMPLE], ":");
    }
    assert!(slow.receive().starts_with(b":"));
    embedded.gateway.scrape_after(push.len() as u64 + 1);
}

#[test]
fn one_who_never_reads_holds_up_nobody() {
    let embedded = Embedded::start();
    let (mut deaf, mut quick) = (embedded.line(), embedded.line());
    deaf.give_up_after(Duration::from_secs(1));
    // Until nothing more is taken from it: no two replies are the same.
    let asked = (0..).map(|number| Line::pack(&["ECHO", &format!("{number:01000}")]));
    for asked in asked {
        if !deaf.try_send_bytes(&asked) {
            break;
        }
    }
    quick.check_start(&["LPUSH", QUEUE, SAMPLE], ":");
    let seen = embedded.gateway.scrape_after(1);
    let resident = seen.value("prom_stream_gateway_process_resident_memory_bytes", &[]).unwrap();
    assert!(resident < 200e6, "{resident} bytes");
}

#[test]
fn pipelines_may_be_as_deep_as_one_likes() {
    const PUSHES: usize = 300_000;
    let embedded = Embedded::start();
    let mut line = embedded.line();
    // Nothing is read before everything is sent.
    let pushes = Line::pack(&["LPUSH", QUEUE, SAMPLE]).repeat(1000);
    for _ in 0..PUSHES / 1000 {
        line.send_bytes(&pushes);
    }
    for _ in 0..PUSHES {
        assert!(line.receive().starts_with(b":"));
    }
    embedded.gateway.scrape_after(PUSHES as u64);
}
