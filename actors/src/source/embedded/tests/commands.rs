//! Each command and its reply, in the words of Redis 7.0.

use std::sync::atomic::Ordering;

use super::super::session::Next;
use super::{KEY, Rig, packed};
use crate::error_kind::ErrorKind;

#[track_caller]
fn check(words: &[&str], expected: &str) {
    let rig = Rig::new();
    assert_eq!(rig.client().call(words), expected, "{words:?}");
}

#[test]
fn small_talk() {
    check(&["PING"], "+PONG\r\n");
    check(&["ping", "hi"], "$2\r\nhi\r\n");
    check(&["PING", "a", "b"], "-ERR wrong number of arguments for 'ping' command\r\n");
    check(&["ECHO", "\u{1}\r\nx"], "$4\r\n\u{1}\r\nx\r\n");
    check(&["SELECT", "0"], "+OK\r\n");
    check(&["SELECT", "16"], "-ERR DB index is out of range\r\n");
    check(&["SELECT", "x"], "-ERR value is not an integer or out of range\r\n");
    check(&["UNWATCH"], "+OK\r\n");
    check(&["RESET"], "+RESET\r\n");
    check(&["ROLE"], "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    check(&["CLUSTER", "NODES"], "-ERR This instance has cluster support disabled\r\n");
    let unknown = "-ERR unknown command 'SENTINEL', with args beginning with: 'MASTERS' \r\n";
    check(&["SENTINEL", "MASTERS"], unknown);
    check(&["FLUSHALL"], "-ERR unknown command 'FLUSHALL', with args beginning with: \r\n");
}

#[test]
fn clients_of_themselves() {
    check(&["CLIENT", "ID"], ":1\r\n");
    check(&["CLIENT", "GETNAME"], "$-1\r\n");
    check(&["CLIENT", "SETNAME", "me"], "+OK\r\n");
    check(
        &["CLIENT", "SETNAME", "a b"],
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    );
    check(&["CLIENT", "SETINFO", "lib-name", "x"], "+OK\r\n");
    check(&["CLIENT", "NO-EVICT", "on"], "+OK\r\n");
    check(&["CLIENT", "NO-TOUCH", "maybe"], "-ERR syntax error\r\n");
    check(&["CLIENT", "FROB"], "-ERR unknown subcommand 'FROB'. Try CLIENT HELP.\r\n");
    check(&["CLIENT", "ID", "x"], "-ERR wrong number of arguments for 'client|id' command\r\n");
    let rig = Rig::new();
    let mut client = rig.client();
    client.call(&["CLIENT", "SETNAME", "me"]);
    assert_eq!(client.call(&["CLIENT", "GETNAME"]), "$2\r\nme\r\n");
    assert!(client.call(&["CLIENT", "LIST"]).contains("name=me db=0"));
}

#[test]
fn keys() {
    check(&["LLEN", KEY], ":0\r\n");
    check(&["EXISTS", KEY, KEY], ":0\r\n");
    check(&["TYPE", KEY], "+none\r\n");
    check(&["GET", KEY], "$-1\r\n");
    check(&["DEL", KEY, "x"], ":0\r\n");
    check(&["LLEN", "other"], ":0\r\n");
    check(&["GET", "other"], "$-1\r\n");
    let rig = Rig::new();
    let mut client = rig.client();
    assert_eq!(client.call(&["LPUSH", KEY, "a", "b"]), ":2\r\n");
    assert_eq!(client.call(&["LLEN", KEY]), ":2\r\n");
    assert_eq!(client.call(&["EXISTS", KEY, "x", KEY]), ":2\r\n");
    assert_eq!(client.call(&["TYPE", KEY]), "+list\r\n");
    assert!(client.call(&["GET", KEY]).starts_with("-WRONGTYPE "));
    client.call(&["SELECT", "1"]);
    assert_eq!(client.call(&["LLEN", KEY]), ":0\r\n", "another database");
    assert!(
        client
            .call(&["LPUSH", KEY, "c"])
            .contains("of database 0 only, not under 'q' of database 1")
    );
    assert_eq!(rig.metrics.errors[ErrorKind::WrongKey as usize].load(Ordering::Relaxed), 1);
    client.call(&["SELECT", "0"]);
    assert_eq!(client.call(&["DEL", KEY]), ":1\r\n");
    assert_eq!(client.call(&["LLEN", KEY]), ":0\r\n");
    assert!(rig.taken().is_empty());
}

#[test]
fn pushes() {
    let rig = Rig::new();
    let mut client = rig.client();
    assert_eq!(client.call(&["LPUSHX", KEY, "x"]), ":0\r\n");
    assert_eq!(client.call(&["lpush", KEY, "1", "2"]), ":2\r\n");
    assert_eq!(client.call(&["RPUSH", KEY, "3"]), ":3\r\n");
    assert_eq!(client.call(&["RPUSHX", KEY, "4", "5"]), ":5\r\n");
    assert_eq!(client.say("LPUSH q '6 7'\r\n"), ":6\r\n");
    assert_eq!(
        client.call(&["LPUSH", KEY]),
        "-ERR wrong number of arguments for 'lpush' command\r\n"
    );
    assert_eq!(client.call(&["LPUSH"]), "-ERR wrong number of arguments for 'lpush' command\r\n");
    let other = client.call(&["LPUSH", "other", "8"]);
    assert!(other.starts_with("-ERR ") && other.contains("'q'") && other.contains("'other'"));
    assert_eq!(rig.metrics.errors[ErrorKind::WrongKey as usize].load(Ordering::Relaxed), 1);
    let (fits, large) = ("f".repeat(super::MAX_ELEMENT), "l".repeat(super::MAX_ELEMENT + 1));
    assert_eq!(client.call(&["LPUSH", KEY, "", &fits, &large, "9"]), ":10\r\n");
    assert_eq!(rig.taken(), ["1", "2", "3", "4", "5", "6 7", "", &fits, "512 of 1001", "9"]);
    assert_eq!(rig.metrics.pending.load(Ordering::Relaxed), 0);
}

#[test]
fn hello_and_what_resp3_changes() {
    let rig = Rig::new();
    let mut client = rig.client();
    let old = client.call(&["HELLO"]);
    assert!(old.starts_with("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n"), "{old}");
    assert_eq!(client.call(&["HELLO", "4"]), "-NOPROTO unsupported protocol version\r\n");
    assert!(client.call(&["HELLO", "3", "FROB"]).contains("Syntax error in HELLO option 'FROB'"));
    let new = client.call(&["HELLO", "3", "SETNAME", "me"]);
    assert!(new.starts_with("%7\r\n") && new.contains("$5\r\nproto\r\n:3\r\n"), "{new}");
    assert_eq!(client.call(&["CLIENT", "GETNAME"]), "$2\r\nme\r\n");
    assert_eq!(client.call(&["GET", "x"]), "_\r\n");
    assert_eq!(
        client.call(&["CONFIG", "GET", "databases"]),
        "%1\r\n$9\r\ndatabases\r\n$2\r\n16\r\n"
    );
    assert!(client.call(&["INFO", "replication"]).contains("txt:# Replication\r\nrole:master"));
    assert!(
        client.call(&["SUBSCRIBE", "c"]).starts_with(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    );
    assert_eq!(client.call(&["PING"]), "+PONG\r\n", "a subscriber of RESP3 may say anything");
    assert!(client.call(&["HELLO", "2"]).starts_with("*14\r\n"));
    assert_eq!(
        client.call(&["GET", "x"]),
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n"
    );
}

#[test]
fn subscribers_of_resp2() {
    let rig = Rig::new();
    let mut client = rig.client();
    assert_eq!(
        client.call(&["SUBSCRIBE", "a", "b"]),
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
    );
    assert_eq!(client.call(&["PING"]), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert!(client.call(&["LPUSH", KEY, "x"]).starts_with("-ERR Can't execute 'lpush'"));
    assert_eq!(client.call(&["PSUBSCRIBE", "p*"]), "*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n");
    assert_eq!(client.call(&["UNSUBSCRIBE", "a"]), "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n");
    client.call(&["UNSUBSCRIBE"]);
    assert_eq!(client.call(&["PUNSUBSCRIBE"]), "*3\r\n$12\r\npunsubscribe\r\n$2\r\np*\r\n:0\r\n");
    assert_eq!(client.call(&["UNSUBSCRIBE"]), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    assert_eq!(client.call(&["LPUSH", KEY, "x"]), ":1\r\n");
    for number in 0..2000 {
        client.call(&["SUBSCRIBE", &number.to_string()]);
    }
    assert_eq!(client.session.client.subscriptions(), 1024);
}

#[test]
fn a_login_is_asked_for() {
    let (no_auth, wrong) = ("-NOAUTH Authentication required.\r\n", "-WRONGPASS ");
    let rig = Rig::with(1 << 20, Some((Some("u"), "p")));
    let mut client = rig.client();
    for words in [&["PING"][..], &["LPUSH", KEY, "x"], &["INFO"], &["MULTI"], &["FROB"]] {
        assert_eq!(client.call(words), no_auth, "{words:?}");
    }
    assert!(client.call(&["HELLO", "3"]).starts_with("-NOAUTH HELLO must be called"));
    let mut pauses = Vec::new();
    for guess in [
        &["AUTH", "p"][..],
        &["AUTH", "u", "pp"],
        &["AUTH", "U", "p"],
        &["HELLO", "3", "AUTH", "u", ""],
    ] {
        let Next::Pause(pause) = client.give(&packed(guess)) else { panic!("no pause") };
        pauses.push(pause.as_millis());
        assert!(client.answers().starts_with(wrong), "{guess:?}");
    }
    assert_eq!(pauses, [100, 200, 400, 800]);
    assert_eq!(rig.metrics.errors[ErrorKind::Auth as usize].load(Ordering::Relaxed), 4);
    assert_eq!(client.call(&["AUTH", "u", "p"]), "+OK\r\n");
    assert_eq!(client.call(&["LPUSH", KEY, "x"]), ":1\r\n");
    client.call(&["RESET"]);
    assert_eq!(client.call(&["PING"]), no_auth);
    assert!(client.call(&["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"]).starts_with("%7\r\n"));
    assert_eq!(client.call(&["PING"]), "+PONG\r\n");

    let rig = Rig::with(1 << 20, Some((None, "p")));
    assert_eq!(rig.client().call(&["AUTH", "p"]), "+OK\r\n");
    assert_eq!(rig.client().call(&["AUTH", "default", "p"]), "+OK\r\n");

    let open = Rig::new();
    assert!(open.client().call(&["AUTH", "p"]).starts_with("-ERR AUTH <password> called without"));
    assert_eq!(open.client().call(&["AUTH", "default", "p"]), "+OK\r\n");
    assert!(open.client().call(&["AUTH", "u", "p"]).starts_with(wrong));
}

#[test]
fn guesses_of_a_password_are_few_for_each_connection() {
    let rig = Rig::with(1 << 20, Some((None, "p")));
    let mut client = rig.client();
    let guesses = packed(&["AUTH", "x"]);
    for _ in 0..5 {
        assert!(matches!(client.give(&guesses), Next::Pause(_)));
        assert_eq!(client.give(&packed(&["RESET"])), Next::Read);
    }
    assert_eq!(client.give(&guesses), Next::Close);
}

#[test]
fn about_the_server() {
    let rig = Rig::new();
    let mut client = rig.client();
    let info = client.call(&["INFO"]);
    for line in ["redis_version:7.0.15", "redis_mode:standalone", "role:master", "loading:0"] {
        assert!(info.contains(&format!("{line}\r\n")), "{line}: {info}");
    }
    let one = client.call(&["INFO", "server"]);
    assert!(one.contains("redis_version") && !one.contains("role:"), "{one}");
    let config =
        |client: &mut super::Client, pattern: &str| client.call(&["CONFIG", "GET", pattern]);
    assert_eq!(
        config(&mut client, "SLAVE-read-only"),
        "*2\r\n$15\r\nslave-read-only\r\n$3\r\nyes\r\n"
    );
    assert_eq!(config(&mut client, "save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    assert_eq!(config(&mut client, "nothing"), "*0\r\n");
    assert!(config(&mut client, "*").contains("maxmemory-policy"));
    assert!(client.call(&["CONFIG", "SET", "a", "b"]).starts_with("-ERR the embedded queue is"));
    let count = super::super::session::command::COMMANDS.len();
    assert_eq!(client.call(&["COMMAND", "COUNT"]), format!(":{count}\r\n"));
    assert!(
        client
            .call(&["COMMAND"])
            .starts_with(&format!("*{count}\r\n*10\r\n$5\r\nlpush\r\n:-3\r\n"))
    );
    assert_eq!(client.call(&["COMMAND", "DOCS"]), "*0\r\n");
    assert!(client.call(&["COMMAND", "INFO", "llen", "x"]).ends_with("$-1\r\n"));
}

#[test]
fn replies_can_be_left_out() {
    let rig = Rig::new();
    let mut client = rig.client();
    assert_eq!(client.call(&["CLIENT", "REPLY", "OFF"]), "");
    assert_eq!(client.call(&["LPUSH", KEY, "a"]), "");
    assert_eq!(client.call(&["PING"]), "");
    assert_eq!(client.call(&["CLIENT", "REPLY", "ON"]), "+OK\r\n");
    assert_eq!(client.call(&["CLIENT", "REPLY", "SKIP"]), "");
    assert_eq!(client.call(&["LPUSH", KEY, "b"]), "");
    assert_eq!(client.call(&["LPUSH", KEY, "c"]), ":3\r\n");
    assert_eq!(rig.taken(), ["a", "b", "c"]);
}

#[test]
fn arguments_without_end_are_refused() {
    let rig = Rig::new();
    let mut client = rig.client();
    let much = "x".repeat(100_000);
    let refused = "-ERR too many bytes of arguments for 'echo' command\r\n";
    assert_eq!(client.call(&["ECHO", &much]), refused);
    let many: Vec<&str> = std::iter::once("DEL").chain([""; 10_000]).collect();
    assert_eq!(client.call(&many), refused.replace("echo", "del"));
    assert_eq!(client.say(packed(&["PING"])), "+PONG\r\n");
}
