//! StackExchange.Redis, the client of the reference's own users: it can't be
//! had everywhere, so what it says (version 2.13, captured) is replayed here
//! and each reply is checked.

use psg_testkit::embedded::{Embedded, Line};
use psg_testkit::redis::QUEUE;

const SAMPLE: &str = r#"{"name":"client_total","value":1}"#;

/// Any bytes at all, by which it knows that a connection is in order.
const NONCE: &[u8] = b"\x00\xff\r\n$5\x01\x80 ABCDEFG";

/// What both protocols say first, after HELLO and AUTH.
fn introduce(line: &mut Line) {
    line.check(&["CLIENT", "SETNAME", "host(SE.Redis-v2.13.17)"], "+OK\r\n");
    line.check(&["CLIENT", "SETINFO", "lib-name", "SE.Redis"], "+OK\r\n");
    line.check(&["CLIENT", "SETINFO", "lib-ver", "2.13.17.28173"], "+OK\r\n");
    let id = line.call(&["CLIENT", "ID"]);
    assert!(id.starts_with(b":"), "{}", id.escape_ascii());
}

fn echo(line: &mut Line) {
    let expected = [b"$16\r\n", NONCE, b"\r\n"].concat();
    assert_eq!(line.call(&[b"ECHO", NONCE]), expected);
}

/// What it asks on the connection for commands. `map` begins the reply to
/// CONFIG GET, `nil` is what is not there.
fn look_around(line: &mut Line, map: &str, nil: &str) {
    let read_only = format!("{map}$15\r\nslave-read-only\r\n$3\r\nyes\r\n");
    line.check(&["CONFIG", "GET", "slave-read-only"], &read_only);
    line.check(&["CONFIG", "GET", "databases"], &format!("{map}$9\r\ndatabases\r\n$2\r\n16\r\n"));
    line.check_start(&["SENTINEL", "MASTERS"], "-ERR unknown command 'SENTINEL'");
    line.check_part(&["INFO", "replication"], "role:master\r\n");
    let server = line.call(&["INFO", "server"]);
    let server = String::from_utf8_lossy(&server).into_owned();
    assert!(server.contains("redis_version:7.0.15\r\n"), "{server}");
    assert!(server.contains("redis_mode:standalone\r\n"), "{server}");
    line.check(&["CLUSTER", "NODES"], "-ERR This instance has cluster support disabled\r\n");
    line.check(&["GET", "__Booksleeve_TieBreak"], nil);
    echo(line);
    line.check_part(&["INFO", "replication"], "role:master\r\n");
    line.check(&["PING"], "+PONG\r\n");
}

/// What programs do with it.
fn use_it(line: &mut Line) {
    let is_number = |reply: Vec<u8>| assert!(reply.starts_with(b":"), "{}", reply.escape_ascii());
    is_number(line.call(&["LPUSH", QUEUE, SAMPLE]));
    is_number(line.call(&["LPUSH", QUEUE, SAMPLE, SAMPLE]));
    line.check(&["MULTI"], "+OK\r\n");
    line.check(&["LPUSH", QUEUE, SAMPLE], "+QUEUED\r\n");
    line.check_start(&["EXEC"], "*1\r\n:");
    line.check(&["SELECT", "0"], "+OK\r\n");
    is_number(line.call(&["LLEN", QUEUE]));
    is_number(line.call(&["EXISTS", QUEUE]));
    line.check(&["PING"], "+PONG\r\n");
}

#[test]
fn resp2() {
    let embedded = Embedded::start();
    let mut interactive = embedded.line();
    introduce(&mut interactive);
    look_around(&mut interactive, "*2\r\n", "$-1\r\n");

    let mut subscription = embedded.line();
    introduce(&mut subscription);
    echo(&mut subscription);
    let channel = "__Booksleeve_MasterChanged";
    let confirmed = format!("*3\r\n$9\r\nsubscribe\r\n$26\r\n{channel}\r\n:1\r\n");
    subscription.check(&["SUBSCRIBE", channel], &confirmed);

    use_it(&mut interactive);
    subscription.check(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert_eq!(embedded.gateway.scrape_after(4).value("client_total", &[]), Some(4.0));
    interactive.check(&["QUIT"], "+OK\r\n");
    assert!(interactive.is_closed());
    subscription.check(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

#[test]
fn resp3() {
    let embedded = Embedded::start();
    let mut line = embedded.line();
    let hello = line.call(&["HELLO", "3", "SETNAME", "host(SE.Redis-v2.13.17)"]);
    let hello = String::from_utf8_lossy(&hello).into_owned();
    assert!(hello.starts_with("%7\r\n") && hello.contains("$5\r\nproto\r\n:3\r\n"), "{hello}");
    introduce(&mut line);
    look_around(&mut line, "%1\r\n", "_\r\n");
    let confirmed = ">3\r\n$9\r\nsubscribe\r\n$26\r\n__Booksleeve_MasterChanged\r\n:1\r\n";
    line.check(&["SUBSCRIBE", "__Booksleeve_MasterChanged"], confirmed);
    use_it(&mut line);
    assert_eq!(embedded.gateway.scrape_after(4).value("client_total", &[]), Some(4.0));
}

#[test]
fn with_a_login() {
    let embedded = Embedded::with("embedded,user=u,password=p", &[]);
    let mut line = embedded.line();
    line.check_start(&["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"], "%7\r\n");
    introduce(&mut line);
    use_it(&mut line);

    let mut late = embedded.line();
    late.check_start(&["HELLO", "3", "SETNAME", "n"], "-NOAUTH ");
    late.check(&["AUTH", "u", "p"], "+OK\r\n");
    introduce(&mut late);
    look_around(&mut late, "*2\r\n", "$-1\r\n");
    use_it(&mut late);
    assert_eq!(embedded.gateway.scrape_after(8).value("client_total", &[]), Some(8.0));
}

#[test]
fn fire_and_forget() {
    let embedded = Embedded::start();
    let mut line = embedded.line();
    introduce(&mut line);
    for _ in 0..1000 {
        line.send(&["LPUSH", QUEUE, SAMPLE]);
    }
    assert_eq!(embedded.gateway.scrape_after(1000).value("client_total", &[]), Some(1000.0));
}
