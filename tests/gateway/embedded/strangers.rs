//! What strangers try: pages that push by HTTP, guessed passwords, places that
//! are taken and not used, logs and memory that are filled.

use std::time::{Duration, Instant};

use psg_testkit::embedded::{Embedded, Line};
use psg_testkit::redis::QUEUE;
use psg_testkit::wait_until;

const SAMPLE: &str = r#"{"name":"n_total","value":1}"#;

/// Lines of the log that have these words.
fn lines_with(embedded: &Embedded, words: &str) -> Vec<String> {
    embedded.gateway.log().into_iter().filter(|line| line.contains(words)).collect()
}

#[test]
fn a_web_page_can_t_push_by_a_post() {
    let embedded = Embedded::start();
    let body = format!("LPUSH {QUEUE} '{{\"name\":\"injected_total\",\"value\":7}}'\r\n");
    for head in ["POST / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\n", "Host: x\r\n"] {
        let mut browser = embedded.line();
        browser.send_bytes(format!("{head}Content-Type: text/plain\r\n\r\n{body}").as_bytes());
        let answer = String::from_utf8_lossy(&browser.receive_all()).into_owned();
        let refused = "-ERR Protocol error: expected Redis commands, got an HTTP request\r\n";
        assert!(refused.starts_with(&answer), "{answer}");
    }
    let mut honest = embedded.line();
    honest.check_start(&["LPUSH", QUEUE, SAMPLE], ":");
    let seen = embedded.gateway.scrape_after(1);
    assert_eq!(seen.value("injected_total", &[]), None);
    let warned = lines_with(&embedded, "the embedded queue got an HTTP request");
    assert_eq!(warned.len(), 1, "at most once in ten seconds");
    assert!(warned[0].contains("127.0.0.1:"), "{warned:?}");
}

/// How many lines there are exactly, the unit test of the same name says, which
/// has no reader: here one may be quicker than a deletion.
#[test]
fn pushing_and_deleting_in_a_loop_does_not_fill_the_log() {
    const DELETIONS: usize = 20;
    let embedded = Embedded::start();
    let mut line = embedded.line();
    let since = Instant::now();
    let mut deleted = 0;
    wait_until("deletions that found something", || {
        for _ in 0..100 {
            line.send(&["LPUSH", QUEUE, SAMPLE]);
            line.receive();
            line.send(&["DEL", QUEUE]);
            deleted += usize::from(line.receive() == b":1\r\n");
        }
        deleted >= DELETIONS
    });
    let due = 1 + since.elapsed().as_secs() / 10;
    let lines = lines_with(&embedded, "deleted the queue");
    assert!((1..=due as usize).contains(&lines.len()), "{} lines of {deleted}", lines.len());
}

#[test]
fn who_guesses_passwords_waits_is_named_and_has_to_go() {
    let embedded = Embedded::with("embedded,password=secret", &[]);
    let mut guesser = embedded.line();
    let since = Instant::now();
    for guess in 0..6 {
        let reply = guesser.call(&["AUTH", &guess.to_string()]);
        assert!(reply.starts_with(b"-WRONGPASS "), "{}", reply.escape_ascii());
    }
    assert!(guesser.is_closed(), "after the sixth");
    assert!(since.elapsed() > Duration::from_secs(3), "{:?}", since.elapsed());
    let named = lines_with(&embedded, "login to the embedded queue was refused");
    assert_eq!(named.len(), 1, "at most once in ten seconds: {named:?}");
    assert!(named[0].contains("127.0.0.1:"), "{named:?}");
}

#[test]
fn silent_strangers_make_room_for_producers() {
    let settings = [("Embedded__MaxConnections", "20")];
    let embedded = Embedded::with("embedded,password=secret", &settings);
    let _strangers: Vec<Line> = (0..200).map(|_| embedded.line()).collect();
    for _ in 0..5 {
        let mut producer = embedded.line();
        producer.check(&["AUTH", "secret"], "+OK\r\n");
        producer.check_start(&["LPUSH", QUEUE, SAMPLE], ":");
    }
    embedded.gateway.scrape_after(5);
}

#[test]
fn who_does_not_log_in_is_cut_off() {
    let embedded = Embedded::with("embedded,password=secret", &[]);
    let (mut silent, mut trickling, mut known) =
        (embedded.line(), embedded.line(), embedded.line());
    known.check(&["AUTH", "secret"], "+OK\r\n");
    let since = Instant::now();
    trickling.send_bytes(b"*2\r\n");
    assert!(silent.is_closed() && trickling.is_closed());
    assert!(since.elapsed() > Duration::from_secs(8), "{:?}", since.elapsed());
    known.check(&["PING"], "+PONG\r\n");
}

/// Bytes that clients make the gateway hold.
fn held(line: &mut Line) -> usize {
    let info = String::from_utf8_lossy(&line.call(&["INFO", "memory"])).into_owned();
    let held = info.lines().find_map(|line| line.strip_prefix("mem_clients_normal:"));
    held.expect("INFO tells it").parse().expect("a number")
}

/// By each way that once had none: 200 clients that never read a reply.
#[test]
fn a_crowd_that_never_reads_stays_within_the_bound() {
    const MAX: usize = 4 << 20;
    let bound = MAX.to_string();
    let embedded = Embedded::with("embedded", &[("Embedded__MaxClientBytes", bound.as_str())]);
    let mut observer = embedded.line();
    observer.check(&["PING"], "+PONG\r\n");
    let before = embedded.gateway.peak_memory();
    let name = "c".repeat(1000);
    let channels: Vec<u8> =
        (0..900).flat_map(|n| Line::pack(&["SUBSCRIBE", &format!("{name}{n}")])).collect();
    let mut transaction = Line::pack(&["MULTI"]);
    transaction.extend([Line::pack(&["COMMAND"]), Line::pack(&["PING"])].concat().repeat(20_000));
    transaction.extend(Line::pack(&["EXEC"]));
    let echoes: Vec<u8> =
        (0..500).flat_map(|n| Line::pack(&["ECHO", &format!("{n:01000}")])).collect();
    let line_without_end = vec![b'a'; 64_000];
    let push = format!("*1000\r\n$5\r\nLPUSH\r\n${}\r\n{QUEUE}\r\n$500000\r\n", QUEUE.len());
    let push = [push.into_bytes(), vec![b'x'; 100_000]].concat();
    let ways = [channels, transaction, echoes, line_without_end, push];
    let (mut crowd, mut most) = (Vec::new(), 0);
    for number in 0..200 {
        let mut line = embedded.line();
        line.give_up_after(Duration::from_millis(200));
        // It may be cut off meanwhile.
        line.try_send_bytes(&ways[number % ways.len()]);
        crowd.push(line);
        most = most.max(held(&mut observer));
    }
    assert!(most > MAX / 4 && most <= MAX, "{most}");
    let grown = (embedded.gateway.peak_memory() - before) as usize;
    // Twice, for what the allocator keeps; and what a connection costs.
    assert!(grown < 2 * MAX + (4 << 20), "{grown} bytes more");
    observer.check_start(&["LPUSH", QUEUE, SAMPLE], ":");
    drop(crowd);
    wait_until("all to be given back", || held(&mut observer) < 10_000);
}
