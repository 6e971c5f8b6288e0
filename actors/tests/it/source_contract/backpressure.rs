//! A full embedded queue: who waits, for how long, and what becomes of those
//! who leave.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::queues::{Embedded, KEY, TestQueue, take_many};
use crate::server::PATIENCE;

/// Large enough that two do not fit the queue.
const LARGE: usize = 3000;
const QUEUE_BYTES: usize = 4096;

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(3600);

struct Client(TcpStream);

impl Client {
    fn connect(queue: &Embedded) -> Self {
        let stream = TcpStream::connect(queue.queue.address().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn push(&mut self, element: &[u8]) {
        let head = format!("*3\r\n$5\r\nLPUSH\r\n${}\r\n{KEY}\r\n", KEY.len());
        let bytes =
            [head.as_bytes(), format!("${}\r\n", element.len()).as_bytes(), element, b"\r\n"]
                .concat();
        self.0.write_all(&bytes).unwrap();
    }

    /// The next line of a reply.
    fn answer(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Whether nothing is answered for a moment.
    fn waits(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let read = self.0.read(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        read.is_err_and(|cause| matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

/// A full queue: one large element of `a`.
fn full(push_timeout: Duration) -> (Embedded, Client) {
    let queue = Embedded::with(QUEUE_BYTES, push_timeout);
    let mut client = Client::connect(&queue);
    client.push(&[b'a'; LARGE]);
    assert_eq!(client.answer(), ":1\r\n");
    (queue, client)
}

#[tokio::test]
async fn a_push_waits_for_room_and_gets_it() {
    let (queue, mut client) = full(FOR_EVER);
    client.push(&[b'b'; LARGE]);
    assert!(client.waits());
    assert_eq!(queue.left(), 1);
    let mut source = queue.source(0);
    let taken = take_many(&mut source, 2).await;
    assert_eq!(taken, [[b'a'; LARGE].to_vec(), [b'b'; LARGE].to_vec()]);
    assert_eq!(client.answer(), ":1\r\n");
}

#[tokio::test]
async fn a_push_gives_up_after_its_time() {
    let patience = Duration::from_millis(300);
    let (queue, mut client) = full(patience);
    let since = Instant::now();
    client.push(&[b'b'; LARGE]);
    assert!(client.answer().starts_with("-OOM "));
    assert!(since.elapsed() >= patience, "{:?}", since.elapsed());
    let mut source = queue.source(0);
    assert_eq!(take_many(&mut source, 1).await, [[b'a'; LARGE].to_vec()]);
    let mut third = Client::connect(&queue);
    third.push(b"c");
    assert_eq!(take_many(&mut source, 1).await, [b"c".to_vec()], "nothing of b was taken");
}

#[tokio::test]
async fn those_behind_it_do_not_wait_once_more() {
    let (_queue, mut client) = full(Duration::from_millis(500));
    let since = Instant::now();
    for _ in 0..20 {
        client.push(&[b'b'; LARGE]);
    }
    for _ in 0..20 {
        assert!(client.answer().starts_with("-OOM "));
    }
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}

/// Whether a push is in the queue after its client has left while it waited,
/// with that much more sent behind it.
async fn left_behind(more: usize) -> bool {
    let (queue, _first) = full(FOR_EVER);
    let mut leaving = Client::connect(&queue);
    leaving.push(&[b'b'; LARGE]);
    assert!(leaving.waits());
    leaving.0.write_all(&b"PING\r\n".repeat(more)).unwrap();
    drop(leaving);
    let mut source = queue.source(0);
    assert_eq!(take_many(&mut source, 1).await, [[b'a'; LARGE].to_vec()]);
    let (next, ()) = tokio::join!(take_many(&mut source, 1), async {
        let mut last = Client::connect(&queue);
        last.push(b"c");
    });
    next != [b"c".to_vec()]
}

#[tokio::test]
async fn a_push_whose_client_has_left_takes_nothing() {
    assert!(!left_behind(0).await);
    assert!(!left_behind(20_000).await, "the end is behind bytes that nobody has read");
}

#[tokio::test]
async fn what_can_never_fit_is_refused_at_once() {
    let queue = Embedded::with(QUEUE_BYTES, FOR_EVER);
    let mut client = Client::connect(&queue);
    client.push(&[b'a'; QUEUE_BYTES]);
    assert!(client.answer().starts_with("-OOM "));
    client.push(b"b");
    assert_eq!(client.answer(), ":1\r\n");
}

#[tokio::test]
async fn a_stop_ends_those_who_wait() {
    let (queue, mut client) = full(FOR_EVER);
    client.push(&[b'b'; LARGE]);
    assert!(client.waits());
    queue.stop();
    let mut rest = Vec::new();
    client.0.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "it was not acknowledged");
    let mut source = queue.source(0);
    assert_eq!(take_many(&mut source, 1).await, [[b'a'; LARGE].to_vec()]);
    assert!(super::queues::take(&mut source).await.unwrap().is_none());
}
