//! A path that goes dead without a word: what lies between gateway and Redis
//! goes on acknowledging and passes nothing on, while new connections work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, expected, length, push, take_many};
use crate::server::RedisServer;

/// What makes every connection that is open go dead.
#[derive(Clone, Copy)]
enum Trap {
    /// The first pop.
    Pop,
    /// So many bytes of replies.
    Bytes(usize),
}

struct Path {
    trap: Trap,
    opened: AtomicU64,
    /// Connections with a lower number are dead.
    dead: AtomicU64,
}

impl Path {
    /// Where the path to `server` begins.
    async fn start(server: Endpoint, trap: Trap) -> Endpoint {
        let Endpoint::Tcp(host, port) = server else { panic!("a TCP endpoint is given") };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let begin = listener.local_addr().unwrap().port();
        let path = Arc::new(Path { trap, opened: AtomicU64::new(0), dead: AtomicU64::new(0) });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((host.as_str(), port)).await.unwrap();
                let number = path.opened.fetch_add(1, Ordering::SeqCst);
                let (requests, answers) = client.into_split();
                let (replies, orders) = server.into_split();
                tokio::spawn(Arc::clone(&path).pass_on(number, requests, orders, true));
                tokio::spawn(Arc::clone(&path).pass_on(number, replies, answers, false));
            }
        });
        Endpoint::Tcp("127.0.0.1".into(), begin)
    }

    async fn pass_on(
        self: Arc<Self>,
        number: u64,
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
        is_request: bool,
    ) {
        let (mut buffer, mut passed) = (vec![0; 64 * 1024], 0);
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..count];
            passed += count;
            let springs = match self.trap {
                Trap::Pop => is_request && bytes.windows(4).any(|word| word == b"RPOP"),
                Trap::Bytes(most) => !is_request && passed > most,
            };
            if springs && self.dead.load(Ordering::SeqCst) == 0 {
                self.dead.store(self.opened.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            if number >= self.dead.load(Ordering::SeqCst) && to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_pop_that_is_not_answered_is_given_up_while_others_are_answered() {
    let server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..10);
    let harness = Harness::new(Path::start(server.endpoint(), Trap::Pop).await);
    let mut source = harness.source();
    let take = async {
        let taken = take_many(&mut source, 10).await;
        harness.stopper.stop();
        taken
    };
    let (taken, ()) = tokio::join!(take, harness.queue.monitor(harness.stop.clone()));
    assert_eq!(taken, expected(0..10), "the pop never came to Redis");
    assert!(harness.errors(ErrorKind::Timeout) >= 1, "it is told");
}

#[tokio::test]
async fn a_reply_that_ends_in_its_middle_is_given_up_while_others_are_answered() {
    let server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..100_000);
    let harness = Harness::new(Path::start(server.endpoint(), Trap::Bytes(200_000)).await);
    let mut source = harness.source();
    let take = async {
        let mut taken = take_many(&mut source, 1000).await;
        while length(&mut server.connect()) > 0 {
            taken.extend(take_many(&mut source, 1).await);
        }
        harness.stopper.stop();
        taken
    };
    let (taken, ()) = tokio::join!(take, harness.queue.monitor(harness.stop.clone()));
    assert!(taken.is_sorted(), "in the order of the queue, without what the path has lost");
    assert!(harness.errors(ErrorKind::Timeout) >= 1);
}
