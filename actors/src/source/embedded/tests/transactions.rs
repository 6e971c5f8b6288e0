//! MULTI, EXEC, DISCARD: together or not at all.

use super::{KEY, Rig, packed};
use crate::source::embedded::session::Next;

#[test]
fn a_transaction_is_pushed_together() {
    let rig = Rig::new();
    let mut client = rig.client();
    assert_eq!(client.call(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.call(&["LPUSH", KEY, "a", "b"]), "+QUEUED\r\n");
    assert_eq!(client.call(&["PING"]), "+QUEUED\r\n");
    assert_eq!(client.call(&["RPUSH", KEY, "c"]), "+QUEUED\r\n");
    assert_eq!(client.call(&["LLEN", KEY]), "+QUEUED\r\n");
    assert!(rig.taken().is_empty());
    assert_eq!(client.call(&["EXEC"]), "*4\r\n:2\r\n+PONG\r\n:3\r\n:3\r\n");
    assert_eq!(rig.taken(), ["a", "b", "c"]);
    assert_eq!(client.call(&["MULTI"]), "+OK\r\n");
    assert_eq!(client.call(&["EXEC"]), "*0\r\n");
}

#[test]
fn a_discarded_one_leaves_nothing() {
    let rig = Rig::new();
    let mut client = rig.client();
    for ending in [&["DISCARD"][..], &["RESET"]] {
        client.call(&["MULTI"]);
        client.call(&["LPUSH", KEY, "a"]);
        client.call(ending);
        assert_eq!(client.call(&["EXEC"]), "-ERR EXEC without MULTI\r\n");
        assert_eq!(client.call(&["LPUSH", KEY, "b"]), ":1\r\n");
        assert_eq!(rig.taken(), ["b"]);
    }
    assert_eq!(client.call(&["DISCARD"]), "-ERR DISCARD without MULTI\r\n");
}

/// An empty element has no bytes, but it is acknowledged.
#[test]
fn what_is_undone_leaves_the_empty_elements_before_it() {
    for undone in [
        [packed(&["MULTI"]), packed(&["LPUSH", KEY, "a"]), packed(&["DISCARD"])].concat(),
        packed(&["LPUSH", "other", "a"]),
    ] {
        let rig = Rig::new();
        let mut client = rig.client();
        client.say([packed(&["LPUSH", KEY, ""]), undone].concat());
        assert_eq!(rig.taken(), [""]);
    }
}

#[test]
fn a_refused_command_spoils_it() {
    let spoils: [&[&str]; 5] =
        [&["LPUSH", "other", "x"], &["FROB"], &["LLEN"], &["SUBSCRIBE", "c"], &["LPUSH", KEY]];
    for words in spoils {
        let rig = Rig::new();
        let mut client = rig.client();
        client.call(&["MULTI"]);
        client.call(&["LPUSH", KEY, "a"]);
        assert!(client.call(words).starts_with('-'), "{words:?}");
        client.call(&["LPUSH", KEY, "b"]);
        let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
        assert_eq!(client.call(&["EXEC"]), aborted, "{words:?}");
        assert!(rig.taken().is_empty());
        assert_eq!(client.call(&["LPUSH", KEY, "c"]), ":1\r\n");
        assert_eq!(rig.taken(), ["c"]);
    }
}

#[test]
fn nested_ones_are_refused_and_spoil_nothing() {
    let rig = Rig::new();
    let mut client = rig.client();
    client.call(&["MULTI"]);
    assert_eq!(client.call(&["MULTI"]), "-ERR MULTI calls can not be nested\r\n");
    client.call(&["LPUSH", KEY, "a"]);
    assert_eq!(client.call(&["EXEC"]), "*1\r\n:1\r\n");
}

#[test]
fn pushes_to_a_queue_that_is_not_there() {
    let rig = Rig::new();
    let mut client = rig.client();
    client.call(&["MULTI"]);
    client.call(&["LPUSHX", KEY, "vain", "too"]);
    client.call(&["RPUSHX", KEY, "also"]);
    client.call(&["LPUSH", KEY, "a"]);
    client.call(&["LPUSHX", KEY, "b"]);
    assert_eq!(client.call(&["EXEC"]), "*4\r\n:0\r\n:0\r\n:1\r\n:2\r\n");
    assert_eq!(rig.taken(), ["a", "b"]);
    client.call(&["MULTI"]);
    client.call(&["LPUSHX", KEY, "vain"]);
    assert_eq!(client.call(&["EXEC"]), "*1\r\n:0\r\n");
    assert!(rig.taken().is_empty());
}

#[test]
fn one_that_is_in_hand_holds_up_nobody_else() {
    let rig = Rig::new();
    let (mut slow, mut quick) = (rig.client(), rig.client());
    slow.call(&["MULTI"]);
    slow.call(&["LPUSH", KEY, "slow"]);
    assert_eq!(quick.call(&["LPUSH", KEY, "quick"]), ":1\r\n");
    assert_eq!(rig.taken(), ["quick"]);
    let (_, next) = slow.session.feed(&super::packed(&["EXEC"]));
    assert_eq!(next, Next::Read);
    assert_eq!(rig.taken(), ["slow"]);
}
