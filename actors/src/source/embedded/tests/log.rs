//! What clients can have written to the log: of each kind one line in ten
//! seconds, whatever they send.

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{KEY, Rig, packed};

/// More than any log should have of one client.
const ROUNDS: usize = 2000;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `work` has written, and how many there have to be: one, and
/// one more at most for each ten seconds that it took.
fn lines_of(work: impl FnOnce()) -> (Vec<String>, RangeInclusive<usize>) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let since = Instant::now();
    tracing::subscriber::with_default(subscriber, work);
    let most = 1 + since.elapsed().as_secs() as usize / 10;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (text.lines().map(str::to_owned).collect(), 1..=most)
}

#[test]
fn pushing_and_deleting_in_a_loop_does_not_fill_the_log() {
    let rig = Rig::new();
    let mut client = rig.client();
    let (lines, due) = lines_of(|| {
        for _ in 0..ROUNDS {
            // No reader is there, so each deletion finds what was pushed.
            assert_eq!(client.call(&["LPUSH", KEY, "a"]), ":1\r\n");
            assert_eq!(client.call(&["DEL", KEY]), ":1\r\n");
        }
    });
    assert!(due.contains(&lines.len()), "{lines:?}");
    assert!(lines[0].contains("a client deleted the queue"), "{lines:?}");
    assert!(lines[0].contains("dropped=1") && lines[0].contains("unlogged=0"), "{lines:?}");
}

#[test]
fn other_kinds_of_lines_are_bounded_each_by_itself() {
    let rig = Rig::with(1 << 20, Some((None, "secret")));
    let (lines, due) = lines_of(|| {
        for _ in 0..ROUNDS / 100 {
            rig.client().give(&packed(&["AUTH", "guess"]));
            rig.client().give(b"POST / HTTP/1.1\r\n");
        }
    });
    for words in
        ["a login to the embedded queue was refused", "the embedded queue got an HTTP request"]
    {
        let found = lines.iter().filter(|line| line.contains(words)).count();
        assert!(due.contains(&found), "{words}: {lines:?}");
    }
}
