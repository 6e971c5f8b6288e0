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

/// What is printed once the program has ended, before its status.
const ENDED: &str = "the program ended with";

const LINES: usize = 40;
const COLUMNS: usize = 110;

/// A program on a terminal.
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
        Self::run_after(":", arguments)
    }

    /// The same, after a command of the shell.
    pub fn run_after(command: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (binary, words) = (crate::binary(), arguments.join(" "));
        let lines = format!(
            "stty rows {LINES} cols {COLUMNS}; stty -g > before\n\
             sh -c '{command}; echo $$ > id; exec {binary} {words}'\n\
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

    /// What stands on the terminal now, or stood on it when the program ended.
    pub fn text(&self) -> String {
        Screen::after(&self.painted()).text()
    }

    /// Waits until all of that stands on the terminal.
    pub fn wait_for_text(&self, parts: &[&str]) -> String {
        wait_for(&format!("{parts:?} on the terminal"), || {
            let text = self.text();
            if parts.iter().all(|part| text.contains(part)) { Ok(text) } else { Err(text) }
        })
    }

    fn painted(&self) -> String {
        String::from_utf8_lossy(&self.painted.lock().expect("no panic")).into_owned()
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
        let painted = wait_for("its last words", || {
            let painted = self.painted();
            let is_whole = painted.split_once(ENDED).is_some_and(|(_, rest)| rest.contains('\n'));
            if is_whole { Ok(painted) } else { Err(painted) }
        });
        let opened = painted.matches("\u{1b}[?1049h").count();
        assert_eq!(opened, painted.matches("\u{1b}[?1049l").count(), "the other screen is left");
        assert_eq!(self.file("after"), self.file("before"), "the terminal's settings");
        let (_, status) = painted.split_once(ENDED).expect("it was just there");
        status.trim().parse().unwrap_or_else(|_| panic!("no status in {status}"))
    }

    /// Closes the terminal without a word, and waits for the program's end.
    pub fn hang_up(mut self) {
        let status = format!("/proc/{}/stat", self.file("id").trim());
        self.script.kill().expect("it is ours");
        wait_until("the end of the program", || {
            // Whoever it was left to may not have asked how it ended.
            !fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "))
        });
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

/// The cells of a terminal: as much of one as the program makes use of.
struct Screen {
    cells: Vec<Vec<char>>,
    line: usize,
    column: usize,
}

impl Screen {
    fn after(painted: &str) -> Self {
        let mut screen = Self { cells: blank(), line: 0, column: 0 };
        let mut rest = painted.chars();
        while let Some(character) = rest.next() {
            match character {
                '\u{1b}' => screen.obey(&mut rest),
                '\r' => screen.column = 0,
                '\n' => screen.feed_line(),
                character => screen.put(character),
            }
        }
        screen
    }

    /// A control sequence, of which only `[` ones come, each with a letter at its
    /// end.
    fn obey(&mut self, rest: &mut std::str::Chars<'_>) {
        if rest.next() != Some('[') {
            return;
        }
        let mut sequence = String::new();
        let command = rest.find(|c| {
            sequence.push(*c);
            c.is_ascii_alphabetic()
        });
        let numbers = sequence.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        match command {
            Some('H') => {
                let mut places = numbers.split(';').map(|n| n.parse::<usize>().unwrap_or(1) - 1);
                self.line = places.next().unwrap_or_default().min(LINES - 1);
                self.column = places.next().unwrap_or_default();
            }
            Some('J') => self.cells = blank(),
            // Colours and modes.
            _ => {}
        }
    }

    fn feed_line(&mut self) {
        self.line += 1;
        if self.line == LINES {
            self.cells.remove(0);
            self.cells.push(vec![' '; COLUMNS]);
            self.line -= 1;
        }
    }

    fn put(&mut self, character: char) {
        if self.column == COLUMNS {
            self.column = 0;
            self.feed_line();
        }
        self.cells[self.line][self.column] = character;
        self.column += 1;
    }

    fn text(&self) -> String {
        let lines = self.cells.iter().map(|line| line.iter().collect::<String>());
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

fn blank() -> Vec<Vec<char>> {
    vec![vec![' '; COLUMNS]; LINES]
}

#[test]
fn what_is_painted_over_is_gone() {
    let text =
        Screen::after("a\u{1b}[2J\u{1b}[2;3Hbad\u{1b}[31;1mc\u{1b}[2;4He\u{1b}[?1049ld").text();
    assert!(text.starts_with("\n  bedc\n\n"), "{text}");
    let scrolled: String = (0..LINES + 2).map(|line| format!("{line}\r\n")).collect();
    assert!(Screen::after(&scrolled).text().starts_with("3\n4\n"));
}
