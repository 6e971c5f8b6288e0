//! `top`: the live view of a gateway that runs elsewhere.

use crate::support::process::free_port;
use crate::support::terminal::Terminal;
use crate::support::{Finished, GatewayBuilder, Rig};

fn rig() -> Rig {
    let mut rig = Rig::start();
    let mut payloads: Vec<String> =
        (0..7).map(|i| format!(r#"{{"name":"jobs_total","labels":{{"i":{i}}}}}"#)).collect();
    payloads.push("{broken".into());
    rig.send(&payloads);
    rig
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn plain(port: u16) -> Finished {
    GatewayBuilder::bare().arguments(&["top", &url(port), "--seconds", "2"]).finish()
}

#[test]
fn without_a_terminal_it_prints_lines() {
    let rig = rig();
    let finished = plain(rig.gateway.port());
    assert_eq!(finished.code(), 0, "{}", finished.output());
    let expected = "backlog 0, series 7 of 1 metrics, rejected 1 (invalid_json 1), ";
    assert!(finished.output().contains(expected), "{}", finished.output());
    assert!(!finished.output().contains('\u{1b}'), "{:?}", finished.output());
}

#[test]
fn on_a_terminal_it_paints_until_q_is_pressed() {
    let rig = rig();
    let mut terminal = Terminal::run(&["top", &url(rig.gateway.port())]);
    let figures = ["series 7 of 1,000,000", "jobs_total", "rejected 1", "invalid_json", "q quits"];
    terminal.wait_for_text(&figures);
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn control_c_and_signals_give_the_terminal_back() {
    let rig = rig();
    let terminal = || {
        let terminal = Terminal::run(&["top", &url(rig.gateway.port())]);
        terminal.wait_for_text(&["jobs_total"]);
        terminal
    };
    let mut interrupted = terminal();
    interrupted.press("\u{3}");
    assert_eq!(interrupted.wait(), 0);
    for name in ["TERM", "INT"] {
        let signalled = terminal();
        signalled.signal(name);
        assert_eq!(signalled.wait(), 0, "SIG{name}");
    }
}

#[test]
fn a_gateway_that_comes_and_goes_is_waited_for() {
    let port = free_port();
    let mut terminal = Terminal::run(&["top", &url(port)]);
    terminal.wait_for_text(&["waiting for http://127.0.0.1:", "refused"]);
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").on_port(port).start_unready();
    terminal.wait_for_text(&["series 0 of 1,000,000", "rejected 0"]);
    drop(gateway);
    terminal.wait_for_text(&["refused"]);
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn what_is_no_gateway_is_said() {
    let redis = crate::support::RedisServer::start();
    let finished = plain(redis.port());
    assert_eq!(finished.code(), 0, "it might become one: {}", finished.output());
    assert!(finished.output().contains("no answer yet; http://"), "{}", finished.output());
    let refused = GatewayBuilder::bare().arguments(&["top", "redis://localhost"]).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert!(refused.output().contains("expected http://host:port"), "{}", refused.output());
}
