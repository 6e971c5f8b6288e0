//! A full queue, and requests that never end.

use std::sync::atomic::Ordering;

use super::super::super::push_queue::cost;
use super::super::session::Next;
use super::super::session::command::NO_ROOM;
use super::{Client, KEY, Rig, packed};
use crate::error_kind::ErrorKind;

/// Says something that has to wait for room; what it costs.
fn wait(client: &mut Client, bytes: &[u8]) -> usize {
    let (used, next) = client.session.feed(bytes);
    assert_eq!(used, bytes.len());
    let Next::Wait(cost) = next else { panic!("it does not wait: {next:?}") };
    cost
}

/// Pushes until there is no room for one more; how many went in.
fn fill(rig: &Rig, client: &mut Client, element: &str) -> usize {
    let push = packed(&["LPUSH", KEY, element]);
    let mut pushed = 0;
    while client.session.feed(&push).1 == Next::Read {
        pushed += 1;
        assert!(pushed < 1_000_000, "the queue has no bound");
    }
    client.session.settle(Err(NO_ROOM));
    assert_eq!(rig.metrics.pending.load(Ordering::Relaxed), pushed as i64);
    client.answers();
    pushed
}

#[test]
fn a_full_queue_makes_wait_and_then_refuses() {
    let rig = Rig::with(64 * 1024, None);
    let mut client = rig.client();
    let pushed = fill(&rig, &mut client, "element");
    assert_eq!(pushed, 64 * 1024 / cost(1, 7).next_multiple_of(16));
    let two = packed(&["LPUSH", KEY, "a", "b"]);
    assert_eq!(wait(&mut client, &two), cost(2, 2));
    client.session.settle(Err(NO_ROOM));
    assert!(client.answers().starts_with("-OOM "));
    assert_eq!(rig.metrics.errors[ErrorKind::Busy as usize].load(Ordering::Relaxed), 2);
    assert_eq!(rig.taken().len(), pushed, "nothing of it was taken");
    assert_eq!(client.say(two), ":2\r\n");
}

#[test]
fn room_comes_back_when_a_chunk_is_dropped() {
    let rig = Rig::with(64 * 1024, None);
    let mut client = rig.client();
    fill(&rig, &mut client, "element");
    let cost = wait(&mut client, &packed(&["LPUSH", KEY, "late"]));
    let chunk = rig.receiver.try_take().unwrap();
    assert!(rig.service.queue.try_reserve(cost).is_err(), "a reader still holds it");
    drop(chunk);
    let room = rig.service.queue.try_reserve(cost).unwrap();
    client.session.settle(Ok(room));
    assert!(client.answers().starts_with(':'));
    assert_eq!(rig.taken().last().map(String::as_str), Some("late"));
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let rig = Rig::with(16 * 1024, None);
    let mut client = rig.client();
    let element = "x".repeat(900);
    let words: Vec<&str> = ["LPUSH", KEY].into_iter().chain([element.as_str(); 100]).collect();
    assert!(client.call(&words).starts_with("-OOM command not allowed: the push is larger"));
    client.call(&["MULTI"]);
    assert!(client.call(&words).starts_with("-OOM "));
    assert!(client.call(&["EXEC"]).starts_with("-EXECABORT "));
    client.call(&["MULTI"]);
    assert_eq!(client.call(&words[..10]), "+QUEUED\r\n");
    assert_eq!(client.call(&words[..10]), "+QUEUED\r\n");
    assert!(client.call(&words[..10]).starts_with("-OOM "), "with those before it");
    assert!(client.call(&["EXEC"]).starts_with("-EXECABORT "));
    assert!(rig.taken().is_empty());
    assert_eq!(client.call(&["LPUSH", KEY, "a"]), ":1\r\n");
}

#[test]
fn a_transaction_waits_as_a_whole() {
    let rig = Rig::with(64 * 1024, None);
    let mut client = rig.client();
    let pushed = fill(&rig, &mut client, "element");
    client.call(&["MULTI"]);
    client.call(&["LPUSH", KEY, "a"]);
    client.call(&["LPUSH", KEY, "b"]);
    wait(&mut client, &packed(&["EXEC"]));
    client.session.settle(Err(NO_ROOM));
    assert!(client.answers().starts_with("-EXECABORT Transaction discarded because of: OOM "));
    assert_eq!(rig.taken().len(), pushed);
}

#[test]
fn what_came_before_a_push_that_waits_is_in_the_queue() {
    let rig = Rig::with(1024, None);
    let mut client = rig.client();
    let element = "x".repeat(600);
    let both = [packed(&["LPUSH", KEY, &element]), packed(&["LPUSH", KEY, &element])].concat();
    wait(&mut client, &both);
    assert_eq!(client.answers(), ":1\r\n");
    assert_eq!(rig.taken().len(), 1);
}
