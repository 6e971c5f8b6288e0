//! What clients make the queue hold: one budget for all of it, whoever asks and
//! by whatever command, and nobody is shut out by one who fills it.

use super::super::session::Next;
use super::super::session::command::COMMANDS;
use super::{Client, KEY, Rig, packed};

const MIB: usize = 1 << 20;

/// Clients of a crowd.
const CROWD: usize = 100;

/// The beginning of a push without an end.
const BEGINNING: &[u8] = b"*1000000\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n";

/// Some 15 KB of it.
fn more() -> Vec<u8> {
    format!("$500\r\n{}\r\n", "x".repeat(500)).repeat(30).into_bytes()
}

/// One turn of a client that never reads; false where it has to leave.
fn turn(rig: &Rig, client: &mut Client, bytes: &[u8]) -> bool {
    let mut used = 0;
    while used < bytes.len() && !client.session.outbox().is_full() {
        let (more, next) = client.session.feed(&bytes[used..]);
        used += more;
        let next = client.session.end_turn(next, 0);
        let held = rig.service.clients.held();
        assert!(held <= rig.service.clients.max_bytes(), "{held} bytes");
        match next {
            Next::Read => break,
            Next::Send | Next::Pause(_) => {}
            Next::Wait(_) => client.session.settle(Err("OOM")),
            Next::Close => return false,
        }
        if client.session.eviction().get().is_some() {
            return false;
        }
    }
    client.session.eviction().get().is_none()
}

/// What a client can say with that command to make us hold something: replies,
/// a transaction with its replies, and something without an end.
fn ways(name: &str, round: usize) -> [Vec<u8>; 4] {
    let word = format!("{round:0200}");
    let long = word.repeat(10);
    let long: Vec<&str> = [name].into_iter().chain([long.as_str(); 8]).collect();
    let lines = [
        packed(&[name]),
        packed(&[name, KEY]),
        packed(&[name, KEY, &word]),
        packed(&[name, &word]),
        packed(&[name, &word, &word, &word]),
        packed(&long),
        packed(&["PING", &word]),
    ]
    .concat();
    let transaction = [packed(&["MULTI"]), lines.clone(), packed(&["EXEC"])].concat();
    let endless = [packed(&["MULTI"]), lines.repeat(3)].concat();
    let unfinished = [&b"*1000000\r\n"[..], &packed(&[name, KEY])[4..], &more()];
    [lines, transaction, endless, unfinished.concat()]
}

/// A hundred of them never read a reply, and say all that can be said.
#[test]
fn no_command_makes_clients_hold_more_than_the_bound() {
    for entry in COMMANDS {
        let rig = Rig::bounded(MIB);
        let mut crowd: Vec<Client> = (0..CROWD).map(|_| rig.client()).collect();
        let mut most = 0;
        for round in 0..3 {
            for (number, client) in crowd.iter_mut().enumerate() {
                let said = &ways(entry.name, round * CROWD + number)[number % 4];
                if !turn(&rig, client, said) {
                    *client = rig.client();
                }
                most = most.max(rig.service.clients.held());
            }
        }
        assert!(most > MIB / 4, "{}: hardly anything is charged: {most}", entry.name);
        drop(crowd);
        assert_eq!(rig.service.clients.held(), 0, "{}: all is given back", entry.name);
    }
}

#[test]
fn who_fills_the_budget_of_unfinished_requests_shuts_nobody_out() {
    let rig = Rig::bounded(MIB);
    let mut greedy = rig.client();
    turn(&rig, &mut greedy, BEGINNING);
    while rig.service.clients.held() < MIB / 2 {
        assert!(turn(&rig, &mut greedy, &more()));
    }
    let mut honest = rig.client();
    let element = "y".repeat(900);
    let words: Vec<&str> = ["LPUSH", KEY].into_iter().chain([element.as_str(); 300]).collect();
    for piece in packed(&words).chunks(16 * 1024) {
        assert!(turn(&rig, &mut honest, piece));
        if greedy.session.eviction().get().is_some() {
            greedy = rig.client();
        }
    }
    assert_eq!(honest.answers(), ":300\r\n");
    assert_eq!(rig.taken().len(), 300);
}

#[test]
fn unfinished_requests_of_many_share_the_bound() {
    let rig = Rig::bounded(MIB);
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| rig.client()).collect();
    for client in &mut crowd {
        turn(&rig, client, BEGINNING);
        turn(&rig, client, &more());
    }
    let leave = crowd.iter().filter(|client| client.session.eviction().get().is_some());
    assert!(leave.count() > 0, "who holds most has to leave");
    assert_eq!(rig.client().call(&["LPUSH", KEY, "a"]), ":1\r\n");
}

#[test]
fn replies_to_a_transaction_are_made_as_they_are_read() {
    let rig = Rig::bounded(32 * MIB);
    let mut client = rig.client();
    client.give(&packed(&["MULTI"]));
    client.give(&[packed(&["COMMAND"]), packed(&["PING"])].concat().repeat(20_000));
    client.answers();
    let exec = packed(&["EXEC"]);
    let (mut used, mut length) = client.session.feed(&exec);
    let mut replies = 0;
    while length == Next::Send {
        let held = client.session.end_turn(length, 0);
        assert_eq!(held, Next::Send);
        assert!(rig.service.clients.held() < 3 * MIB, "{}", rig.service.clients.held());
        replies += client.answers().matches("+PONG\r\n").count();
        let (more, next) = client.session.feed(&exec[used..]);
        (used, length) = (used + more, next);
    }
    replies += client.answers().matches("+PONG\r\n").count();
    assert_eq!((replies, length), (20_000, Next::Read));
}

#[test]
fn a_transaction_without_end_is_refused_and_the_next_command_is_not() {
    let rig = Rig::bounded(MIB);
    let mut client = rig.client();
    client.call(&["MULTI"]);
    for _ in 0..200 {
        client.give(&packed(&["PING", "hello"]).repeat(200));
        client.answers();
    }
    assert!(client.call(&["EXEC"]).starts_with("-EXECABORT "));
    assert_eq!(client.call(&["PING"]), "+PONG\r\n");
    client.call(&["MULTI"]);
    let words = packed(&["LPUSH", KEY, &"x".repeat(900)]);
    for _ in 0..2000 {
        client.give(&words);
        client.answers();
    }
    assert!(client.call(&["EXEC"]).starts_with("-EXECABORT "));
    assert!(rig.taken().is_empty());
    assert_eq!(client.call(&["LPUSH", KEY, "a"]), ":1\r\n");
}

#[test]
fn a_push_that_waits_for_room_and_for_which_no_bytes_are_left_is_refused() {
    let rig = Rig::bounded(MIB);
    let mut greedy = rig.client();
    let _room = rig.service.queue.try_reserve(60 << 20).unwrap();
    let element = "y".repeat(900);
    let words: Vec<&str> = ["LPUSH", KEY].into_iter().chain([element.as_str(); 900]).collect();
    let mut refused = false;
    for piece in packed(&words).chunks(16 * 1024) {
        let (_, next) = greedy.session.feed(piece);
        refused |= greedy.session.end_turn(next, 0) != next;
        assert!(rig.service.clients.held() <= MIB);
    }
    assert!(refused || greedy.answers().starts_with("-OOM "));
    assert!(rig.taken().is_empty());
}

#[test]
fn subscriptions_and_names_are_charged() {
    let rig = Rig::bounded(8 * MIB);
    let mut client = rig.client();
    for number in 0..1000 {
        client.call(&["SUBSCRIBE", &format!("{number:01000}")]);
    }
    assert!(rig.service.clients.held() > 1_000_000);
    client.call(&["UNSUBSCRIBE"]);
    client.call(&["CLIENT", "SETNAME", &"n".repeat(1000)]);
    client.call(&["PING"]);
    let held = rig.service.clients.held();
    assert!((1000..20_000).contains(&held), "{held}");
}
