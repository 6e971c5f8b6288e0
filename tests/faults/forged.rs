//! Forged text: what a Redis, a Sentinel or a key is called or says is shown on
//! one line, and neither begins another one nor speaks to a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use psg_testkit::redis::QUEUE;
use psg_testkit::{GatewayBuilder, RedisServer, wait_until};

/// A title for the terminal, a cleared screen, C1, a turned direction, and a
/// line of its own.
const FORGED: &str = "x\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}1m\u{202e}\r\nok    all is well";

/// Fails where a line begins as the forged one does, or speaks to the terminal.
#[track_caller]
fn is_harmless(lines: &[String]) {
    let all = lines.join("\n");
    let speaks = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!all.contains(speaks), "{all:?}");
    assert!(!lines.iter().any(|line| line.starts_with("ok    all is well")), "{all}");
}

/// A server that answers each command, by its first word, as `answer` says;
/// where that is.
fn server(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || converse(stream, answer));
        }
    });
    address
}

/// Until the client has gone.
fn converse(mut stream: TcpStream, answer: impl Fn(&str) -> String) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    loop {
        line.clear();
        lines.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let count: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
        let mut words = Vec::new();
        for _ in 0..count {
            line.clear();
            lines.read_line(&mut line).ok()?;
            let length: usize = line.trim_end().strip_prefix('$')?.parse().ok()?;
            let mut word = vec![0; length + 2];
            lines.read_exact(&mut word).ok()?;
            words.push(String::from_utf8_lossy(&word[..length]).to_uppercase());
        }
        stream.write_all(answer(words.first()?).as_bytes()).ok()?;
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn a_list_s_name_forges_no_finding_and_is_not_advised() {
    let redis = RedisServer::start();
    redis.push_to(0, &format!("{FORGED}{QUEUE}"), &["x"]);
    let of = GatewayBuilder::reading(&redis).arguments(&["doctor"]).finish();
    assert_eq!(of.code(), 1, "{}", of.output());
    is_harmless(&of.lines);
    assert!(of.output().contains(r"x\u{1b}]0;title\u{7}"), "it is shown: {}", of.output());
    assert!(!of.output().contains("Redis.MetricQueueKey=x"), "{}", of.output());
}

#[test]
fn what_a_server_says_of_itself_forges_no_finding() {
    let info =
        format!("redis_version:{}\r\nmaxmemory_policy:{0}\r\n", FORGED.replace("\r\n", "\r"));
    let address = server(move |command| match command {
        "ROLE" => "*1\r\n$6\r\nmaster\r\n".to_owned(),
        "INFO" => bulk(&info),
        "LLEN" => ":0\r\n".to_owned(),
        _ => format!("-ERR {}\r\n", FORGED.replace("\r\n", " ")),
    });
    let of = GatewayBuilder::connecting(&address).arguments(&["doctor"]).finish();
    is_harmless(&of.lines);
    assert!(of.output().contains(r"Redis x\u{1b}"), "{}", of.output());
}

#[test]
fn the_host_that_a_sentinel_names_forges_no_line() {
    let named = format!("*2\r\n{}{}", bulk(&FORGED.repeat(100)), bulk("6379"));
    let sentinel = server(move |command| match command {
        "SENTINEL" => named.clone(),
        _ => "-ERR no\r\n".to_owned(),
    });
    let builder = || GatewayBuilder::connecting(&format!("{sentinel},serviceName=mymaster"));
    let of = builder().arguments(&["doctor"]).finish();
    assert_eq!(of.code(), 1, "{}", of.output());
    is_harmless(&of.lines);
    assert!(of.lines.iter().all(|line| line.len() < 2000), "{}", of.output());

    let gateway = builder().set("Log__Format", "text").start_unready();
    wait_until("the reason", || {
        let ready = gateway.must_get("/-/ready", &[]).text();
        is_harmless(&ready.lines().map(str::to_owned).collect::<Vec<_>>());
        ready.contains("mymaster")
    });
    wait_until("the log", || gateway.log().iter().any(|line| line.contains("mymaster")));
    is_harmless(&gateway.log());
}

#[test]
fn the_host_in_moved_forges_no_line() {
    let address = server(|command| match command {
        "ROLE" => "*1\r\n$6\r\nmaster\r\n".to_owned(),
        "CLIENT" => "+OK\r\n".to_owned(),
        _ => "-MOVED 1 x\u{1b}]0;title\u{7}\u{9b}\u{202e}:1\r\n".to_owned(),
    });
    let gateway = GatewayBuilder::connecting(&address).set("Log__Format", "text").start_unready();
    wait_until("the log", || gateway.log().iter().any(|line| line.contains(r"x\u{1b}]0;title")));
    is_harmless(&gateway.log());
    is_harmless(&[gateway.must_get("/-/ready", &[]).text().trim_end().to_owned()]);
}
