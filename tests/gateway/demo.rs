//! The demo: runs anywhere, shows what is pushed, and leaves nothing behind.

use std::process::Command;

use psg_testkit::demo::{Ports, ports, start_plain};
use psg_testkit::process::Process;
use psg_testkit::terminal::Terminal;
use psg_testkit::{GatewayBuilder, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");
const HELLO: &str = r#"{"name":"hello_total","value":3}"#;

#[test]
fn without_a_terminal_it_prints_lines_and_ends_in_time() {
    // What a real gateway here would be set to is none of its business.
    let finished = GatewayBuilder::connecting("10.255.255.1:1")
        .set("Metrics__MaxSeries", "1")
        .file("appsettings.json", "{ broken")
        .arguments(&["demo", "--seconds", "3"])
        .finish();
    let output = finished.output();
    assert_eq!(finished.code(), 0, "{output}");
    assert!(Ports::said_in(&output).is_some(), "{output}");
    assert!(output.contains("\nof /metrics:\n  test_metric_"), "{output}");
    let last = output.lines().rfind(|line| line.starts_with("up ")).expect("a line of figures");
    assert!(last.contains("backlog") && last.contains("rejected 0,"), "{output}");
    assert!(!last.contains("series 0 ") && !last.contains("in 0/s"), "{output}");
    assert!(!output.contains('\u{1b}'), "{output:?}");
}

#[test]
fn two_at_once_take_other_ports_and_signals_end_them() {
    let mut demos: Vec<Process> = (0..2).map(|_| start_plain(&[])).collect();
    let ports: Vec<Ports> = demos.iter().map(ports).collect();
    assert_ne!((ports[0].http, ports[0].queue), (ports[1].http, ports[1].queue));
    for ((demo, ports), name) in demos.iter_mut().zip(&ports).zip(["TERM", "INT"]) {
        ports.push(HELLO);
        wait_until("what was pushed by hand", || ports.metrics().contains("\nhello_total 3\n"));
        demo.signal(name);
        assert_eq!(demo.wait().code(), Some(0), "SIG{name}: {}", demo.lines().join("\n"));
        assert!(ports.are_closed(), "after SIG{name}");
    }
}

#[test]
fn on_a_terminal_it_shows_what_is_pushed_by_hand() {
    // Slow, so that few other metrics are new at the same time.
    let mut terminal = Terminal::run(&["demo", "--rate", "5"]);
    let text = terminal.wait_for_text(&["ready", "most series of", "test_metric_", "hello_total"]);
    let ports = Ports::said_in(&text).unwrap_or_else(|| panic!("no ports in {text}"));
    ports.push(HELLO);
    ports.push("{broken");
    terminal.wait_for_text(&["│hello_total 3", "│invalid_json"]);
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
    assert!(ports.are_closed());
}

#[test]
fn control_c_signals_and_time_give_the_terminal_back() {
    let shown = |arguments: &[&str]| {
        let terminal = Terminal::run(&[&["demo"], arguments].concat());
        terminal.wait_for_text(&["most series of"]);
        terminal
    };
    let mut interrupted = shown(&[]);
    interrupted.press("\u{3}");
    assert_eq!(interrupted.wait(), 0);
    let terminated = shown(&["--rate", "100"]);
    terminated.signal("TERM");
    assert_eq!(terminated.wait(), 0);
    assert_eq!(shown(&["--seconds", "2"]).wait(), 0);
}

#[test]
fn it_ends_with_whoever_reads_its_lines() {
    let lines = format!("{BINARY} demo | head -n 3; echo ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &lines]).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("metrics  http://") && said.ends_with("\n0\n"), "{said}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn lines_can_be_had_on_a_terminal_too() {
    let terminal = Terminal::run(&["demo", "--plain", "--seconds", "2"]);
    terminal.wait_for_text(&["up 0 s: in "]);
    assert_eq!(terminal.wait(), 0);
}
