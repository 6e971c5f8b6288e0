//! A peer that is no Redis, and means ill: answers without an end, and answers
//! that are lies. None of it takes memory or processor time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::Endpoint;
use redis::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, eventually, take};
use super::log::Log;

/// Answers that go on until the other side has left; their beginning, and what
/// follows time and again.
const ENDLESS: [(&str, &str); 4] =
    [("+", "x"), ("$536870912\r\n", "x"), ("*1000000000\r\n", "$1\r\nx\r\n"), ("-ERR ", "x")];

/// How a peer behaves.
#[derive(Clone)]
struct Peer {
    /// The command that is answered without an end, and how.
    endless: Option<(&'static str, (&'static str, &'static str))>,
    /// What BLMOVE is answered with; nothing where it hangs up there.
    blmove: Option<&'static str>,
    /// How often BLMOVE was asked, and bytes that were taken of endless answers.
    blmoves: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
}

impl Peer {
    fn new() -> Self {
        let (blmoves, taken) = Default::default();
        Self { endless: None, blmove: Some("$-1\r\n"), blmoves, taken }
    }

    async fn listen(&self) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(peer.clone().serve(client));
            }
        });
        Endpoint::Tcp("127.0.0.1".into(), port)
    }

    async fn serve(self, mut client: TcpStream) {
        let mut decoder = Default::default();
        while let Ok(Value::Array(words)) =
            redis::parse_redis_value_async(&mut decoder, &mut client).await
        {
            let name: String = redis::from_redis_value_ref(&words[0]).unwrap();
            if let Some((_, answer)) = self.endless.filter(|(command, _)| *command == name) {
                return self.go_on(client, answer).await;
            }
            let reply = match name.as_str() {
                "RPOP" => "*-1\r\n",
                "HMGET" => "*2\r\n$-1\r\n$-1\r\n",
                "ROLE" => "*1\r\n$6\r\nmaster\r\n",
                "LLEN" => ":0\r\n",
                "BLMOVE" => {
                    self.blmoves.fetch_add(1, Ordering::Relaxed);
                    let Some(reply) = self.blmove else { return };
                    reply
                }
                _ => "-ERR unknown command\r\n",
            };
            if client.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn go_on(self, mut client: TcpStream, (beginning, more): (&str, &str)) {
        let mut bytes = beginning.as_bytes().to_vec();
        let more = more.repeat(16 * 1024);
        while client.write_all(&bytes).await.is_ok() {
            self.taken.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            bytes = more.as_bytes().to_vec();
        }
    }
}

/// What the kernels on both sides hold of what nobody has read.
const IN_KERNELS: u64 = 16 << 20;

#[tokio::test]
async fn an_answer_without_an_end_is_not_taken_in() {
    for command in ["CLIENT", "ROLE", "HMGET", "LLEN"] {
        for answer in ENDLESS {
            let peer = Peer { endless: Some((command, answer)), ..Peer::new() };
            let harness = Harness::new(peer.listen().await);
            let mut source = harness.source();
            let watch = async {
                let (taken, kinds) = (&peer.taken, [ErrorKind::Protocol, ErrorKind::Connection]);
                let failures = || kinds.map(|kind| harness.errors(kind)).iter().sum::<u64>();
                eventually("it is told", || failures() > 0).await;
                let bytes = taken.load(Ordering::Relaxed) / failures().max(1);
                assert!(bytes < IN_KERNELS, "{command} {answer:?}: {bytes} bytes");
                harness.stopper.stop();
            };
            let read = async { while take(&mut source).await.is_err() {} };
            tokio::join!(watch, read, harness.queue.monitor(harness.stop.clone()));
        }
    }
}

#[tokio::test]
async fn elements_that_are_told_of_and_not_there_are_not_looked_for_without_a_pause() {
    let peer = Peer { blmove: Some("$1\r\nx\r\n"), ..Peer::new() };
    let harness = Harness::new(peer.listen().await);
    let mut source = harness.source();
    let watch = async {
        let since = tokio::time::Instant::now();
        eventually("fifty looks", || peer.blmoves.load(Ordering::Relaxed) >= 50).await;
        assert!(since.elapsed().as_millis() > 500, "{:?}", since.elapsed());
        harness.stopper.stop();
    };
    let (taken, ()) = tokio::join!(take(&mut source), watch);
    assert_eq!(taken.unwrap(), None);
}

#[tokio::test]
async fn a_peer_that_hangs_up_at_blmove_is_polled() {
    let (log, _guard) = Log::catch();
    let peer = Peer { blmove: None, ..Peer::new() };
    let harness = Harness::new(peer.listen().await);
    let mut source = harness.source();
    let watch = async {
        eventually("polls", || harness.empty_pops() > 20).await;
        harness.stopper.stop();
    };
    let (taken, ()) = tokio::join!(take(&mut source), watch);
    assert_eq!(taken.unwrap(), None);
    assert_eq!(peer.blmoves.load(Ordering::Relaxed), 3);
    assert_eq!(log.count("polling for elements"), 1, "{}", log.text());
}
