//! Replies that nobody reads.

use super::super::session::Next;
use super::{KEY, Rig, packed};

#[test]
fn pushes_without_number_can_be_sent_before_a_reply_is_read() {
    let rig = Rig::with(1 << 30, None);
    let mut client = rig.client();
    let push = packed(&["LPUSH", KEY, "x"]).repeat(1000);
    for _ in 0..1000 {
        assert_eq!(client.give(&push), Next::Read);
        assert!(client.has_read_nothing() && !client.session.outbox().is_full());
    }
    assert_eq!(rig.taken().len(), 1_000_000);
    let answers = client.answers();
    let lengths = answers.lines().map(|line| line.strip_prefix(':').unwrap().parse().unwrap());
    let lengths: Vec<u64> = lengths.collect();
    assert_eq!(lengths.len(), 1_000_000);
    assert_eq!(lengths[..3], [1, 2, 3]);
    assert!(lengths.is_sorted());
}

#[test]
fn a_transaction_can_be_as_deep() {
    let rig = Rig::with(1 << 30, None);
    let mut client = rig.client();
    let push = packed(&["LPUSH", KEY, "x"]).repeat(1000);
    client.give(&packed(&["MULTI"]));
    for _ in 0..100 {
        assert_eq!(client.give(&push), Next::Read);
    }
    assert_eq!(client.give(&packed(&["EXEC"])), Next::Read);
    assert!(client.has_read_nothing() && !client.session.outbox().is_full());
    let answers = client.answers();
    let mut lines = answers.lines();
    assert_eq!(lines.next(), Some("+OK"));
    assert_eq!(lines.by_ref().take(100_000).filter(|line| *line == "+QUEUED").count(), 100_000);
    assert_eq!(lines.next(), Some("*100000"));
    assert_eq!(lines.filter(|line| line.starts_with(':')).count(), 100_000);
}

#[test]
fn questions_without_number_have_to_wait_for_their_answers() {
    let rig = Rig::new();
    let mut client = rig.client();
    let asked = [packed(&["INFO"]), packed(&["PING"])].concat().repeat(1000);
    let (mut used, mut answered) = (0, String::new());
    loop {
        let (more, next) = client.session.feed(&asked[used..]);
        used += more;
        let bytes: usize = client.session.outbox().bytes().len();
        assert!(bytes < 200_000, "{bytes}");
        answered.push_str(&client.answers());
        match next {
            Next::Read => break,
            Next::Send => {}
            Next::Pause(_) | Next::Wait(_) | Next::Close => panic!("{next:?}"),
        }
    }
    assert_eq!(used, asked.len());
    assert_eq!(answered.matches("+PONG").count(), 1000);
    assert_eq!(answered.matches("redis_version").count(), 1000);
}
