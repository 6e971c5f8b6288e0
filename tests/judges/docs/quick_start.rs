//! The first steps: the demo, two samples by hand, and seeing them.

use std::process::Command;

use super::commands;
use psg_testkit::demo;
use psg_testkit::pages::Block;
use psg_testkit::pages::only;
use psg_testkit::process::Process;
use psg_testkit::terminal::Terminal;
use psg_testkit::{Rig, wait_for};

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

/// It is the block of [`what_is_pushed_shows`].
pub fn push_is_first(blocks: &[Block]) {
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0].text.matches(r#"{"type""#).count(), 2, "two samples");
}

/// On a gateway with a Redis, and on the demo.
pub fn what_is_pushed_shows(blocks: &[Block]) {
    assert_eq!(blocks.len(), 1);
    let rig = Rig::start();
    push_and_look(&blocks[0], rig.redis.port(), rig.gateway.port());
    let demo = demo::start_plain(&["--rate", "10"]);
    let ports = demo::ports(&demo);
    push_and_look(&blocks[0], ports.queue, ports.http);
}

fn push_and_look(look: &Block, queue: u16, http: u16) {
    let expected = look.prints.as_ref().expect("it says what is seen");
    commands::bash(&only("push", "").text, queue, http);
    wait_for("the samples to show", || {
        let (_, seen) = commands::bash(&look.text, queue, http);
        if seen == *expected { Ok(()) } else { Err(seen) }
    });
}

/// `./run`, with what it builds in the place of what is built here.
pub fn the_demo_runs(blocks: &[Block]) {
    let script = include_str!("../../../run");
    let last = "\nexec target/release/prom-stream-gateway demo \"$@\"\n";
    assert!(script.ends_with(last), "the script is another one: {script}");
    for block in blocks {
        for line in block.text.lines() {
            let options = line.strip_prefix("./run").expect("it is the script");
            let options: Vec<&str> = options.split_whitespace().collect();
            let ends_by_itself = options.first() == Some(&"--seconds");
            let mut command = Command::new(BINARY);
            command.env_clear().arg("demo").args(&options);
            if ends_by_itself {
                // The same command, but sooner.
                command.arg("--seconds=1");
            }
            let mut demo = Process::start("the demo", &mut command);
            if !ends_by_itself {
                demo::ports(&demo);
                demo.signal("INT");
            }
            assert_eq!(demo.wait().code(), Some(0), "{line}: {:?}", demo.lines());
        }
    }
}

/// All words of the picture stand on a terminal.
pub fn the_view_shows_that(blocks: &[Block]) {
    for block in blocks {
        let words = block.text.split(|letter: char| !letter.is_ascii_alphabetic());
        // Which of the metrics are the largest is chance.
        let chance = ["metric", "counter", "gauge", "histogram", "summary"];
        let words: Vec<&str> =
            words.filter(|word| word.len() > 1 && !chance.contains(word)).collect();
        assert!(words.len() > 10, "{words:?}");
        let mut terminal = Terminal::run(&["demo"]);
        terminal.wait_for_text(&words);
        terminal.press("q");
        assert_eq!(terminal.wait(), 0);
    }
}
