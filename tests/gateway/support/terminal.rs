//! A terminal with a program on it: what it paints, keys that are pressed, and
//! whether it leaves the terminal as it was. `script` makes the terminal.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

use super::process::signal;
use super::wait::{wait_for, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_prom-stream-gateway");

/// What is printed once the program has ended, before its status.
const ENDED: &str = "the program ended with";

/// A program on a terminal of 40 lines and 110 columns.
pub struct Terminal {
    script: Child,
    keys: ChildStdin,
    painted: Arc<Mutex<Vec<u8>>>,
    folder: TempDir,
}

impl Terminal {
    /// Runs the binary under test with these arguments, with nothing else in
    /// its environment.
    pub fn run(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let words = arguments.join(" ");
        let lines = format!(
            "stty rows 40 cols 110; stty -g > before\n\
             sh -c 'echo $$ > id; exec {BINARY} {words}'\n\
             echo \"{ENDED} $?\"; stty -g > after"
        );
        fs::write(folder.path().join("lines"), lines).expect("the folder can be written");
        let mut command = Command::new("script");
        command.args(["--quiet", "--command", "sh ./lines", "/dev/null"]);
        command.env_clear().env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("SHELL", "/bin/sh");
        command.current_dir(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = command.spawn().expect("script, of util-linux, runs");
        let keys = script.stdin.take().expect("it is piped");
        let painted = Arc::default();
        collect(script.stdout.take().expect("it is piped"), &painted);
        Self { script, keys, painted, folder }
    }

    /// All that has been painted so far, without what places and colours it.
    pub fn text(&self) -> String {
        without_escapes(&String::from_utf8_lossy(&self.painted.lock().expect("no panic")))
    }

    /// Waits until all of that has been painted.
    pub fn wait_for_text(&self, parts: &[&str]) -> String {
        wait_for(&format!("{parts:?} on the terminal"), || {
            let text = self.text();
            if parts.iter().all(|part| text.contains(part)) { Ok(text) } else { Err(text) }
        })
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("script reads");
        self.keys.flush().expect("script reads");
    }

    /// Sends the program a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(self.file("id").trim().parse().expect("a process id"), name);
    }

    /// Waits for the program's end; the terminal must be as it was before.
    /// Tells its status.
    pub fn wait(mut self) -> i32 {
        wait_until("the end of the program", || {
            self.script.try_wait().expect("it is ours").is_some()
        });
        let painted = String::from_utf8_lossy(&self.painted.lock().expect("no panic")).into_owned();
        let opened = painted.matches("\u{1b}[?1049h").count();
        assert_eq!(opened, painted.matches("\u{1b}[?1049l").count(), "the other screen is left");
        assert_eq!(self.file("after"), self.file("before"), "the terminal's settings");
        let text = self.text();
        let (_, status) = text.split_once(ENDED).unwrap_or_else(|| panic!("no end in {text}"));
        status.trim().parse().unwrap_or_else(|_| panic!("no status in {text}"))
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program goes with its terminal.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn collect(mut stream: impl Read + Send + 'static, painted: &Arc<Mutex<Vec<u8>>>) {
    let painted = Arc::clone(painted);
    thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut some) {
            painted.lock().expect("no holder panics").extend_from_slice(&some[..length]);
        }
    });
}

/// `text` without control sequences; where one has moved the cursor, a blank.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\u{1b}' {
            plain.push(character);
            continue;
        }
        if rest.next() == Some('[') {
            let last = rest.find(|c| c.is_ascii_alphabetic());
            if last != Some('m') {
                plain.push(' ');
            }
        }
    }
    plain
}

#[test]
fn escapes_are_taken_out() {
    assert_eq!(without_escapes("a\u{1b}[1;31mb\u{1b}[0m\u{1b}[5;7Hc\u{1b}[?1049ld"), "ab c d");
}
