//! Pushing onto the list, as doors do: it is there when the answer comes, and whatever
//! the server does, an answer comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use psg_actors::error_kind::ErrorKind;
use psg_actors::self_metrics::QueueMetrics;
use psg_actors::settings::{Endpoint, QueueSettings};
use psg_actors::source::PushError;
use psg_actors::source::redis::ListPusher;

use super::connecting::reached_by;
use super::harness::{KEY, eventually, settings};
use super::peer::{self, Says, says};
use crate::server::{RedisServer, free_port};

/// More than a push may take.
const BOUND: Duration = Duration::from_secs(16);

fn pusher(settings: &QueueSettings) -> ListPusher {
    ListPusher::new(settings, Arc::new(QueueMetrics::default()))
}

fn to(endpoint: Endpoint) -> ListPusher {
    pusher(&settings(vec![endpoint]))
}

/// The list, first to be taken first.
fn queued(server: &RedisServer) -> Vec<String> {
    let range = redis::cmd("LRANGE").arg(KEY).arg(0).arg(-1).take();
    let mut list: Vec<String> = range.query(&mut server.connect()).unwrap();
    list.reverse();
    list
}

/// What a push of one element comes to, which it does in time.
async fn outcome(list: &ListPusher) -> Result<(), PushError> {
    let began = Instant::now();
    let outcome = list.push(&[b"x"]).await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    outcome
}

fn away(outcome: Result<(), PushError>) -> String {
    match outcome {
        Err(PushError::Away(words)) => words,
        other => panic!("expected that it is away, got {other:?}"),
    }
}

/// A peer that lets everyone log in, and does that with a push.
async fn pushed_to(push: impl Fn() -> Says + Send + Sync + 'static) -> Endpoint {
    peer::answering(move |words| match words[0].as_str() {
        "LPUSH" => push(),
        "ROLE" => says("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        _ => says("+OK\r\n"),
    })
    .await
}

#[tokio::test]
async fn all_of_it_is_there_in_order() {
    let server = RedisServer::start(&[]);
    let list = to(server.endpoint());
    assert_eq!(list.push(&[b"a", b"b"]).await, Ok(()));
    assert_eq!(queued(&server), ["a", "b"]);
    let more = join_all((0..50).map(|_| list.push(&[b"c", b"d"]))).await;
    assert!(more.iter().all(Result::is_ok), "{more:?}");
    assert_eq!(queued(&server).len(), 102);
    assert_eq!(server.calls("lpush"), 51);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let mut server = RedisServer::start(&[]);
    let list = to(server.endpoint());
    assert_eq!(outcome(&list).await, Ok(()));
    server.kill();
    // What is there has gone, and nobody listens.
    eventually("the loss is seen", || list.is_lost()).await;
    assert!(away(outcome(&list).await).contains("refused"));
    server.restart();
    assert_eq!(outcome(&list).await, Ok(()));
    assert_eq!(queued(&server), ["x"]);
}

#[tokio::test]
async fn refusals_say_what_is_wrong_and_leave_nothing() {
    let server = RedisServer::start(&[]);
    let run = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(*word));
        command.exec(&mut server.connect()).unwrap();
    };
    run(&["SET", KEY, "no list"]);
    let list = to(server.endpoint());
    assert!(away(outcome(&list).await).contains("WRONGTYPE"));
    run(&["DEL", KEY]);
    run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(outcome(&list).await, Err(PushError::Full));
    run(&["CONFIG", "SET", "maxmemory", "0"]);
    run(&["ACL", "SETUSER", "default", "-lpush"]);
    assert!(away(outcome(&list).await).contains("NOPERM"));
    run(&["ACL", "SETUSER", "default", "+lpush"]);
    assert_eq!(outcome(&list).await, Ok(()));
    assert_eq!(queued(&server), ["x"]);
}

#[tokio::test]
async fn at_the_cluster_node_that_owns_the_key() {
    let bus = format!("cluster-port {}", free_port());
    let owner = RedisServer::start(&["cluster-enabled yes", &bus]);
    let mut connection = owner.connect();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut connection).unwrap();
    let is_up = || {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut owner.connect()).unwrap();
        info.contains("cluster_state:ok")
    };
    eventually("the cluster is up", is_up).await;
    let Endpoint::Tcp(host, port) = owner.endpoint() else { unreachable!() };
    let moved = format!("-MOVED 1 {host}:{port}\r\n");
    let list = to(pushed_to(move || says(&moved)).await);
    assert_eq!(outcome(&list).await, Ok(()));
    assert_eq!(queued(&owner), ["x"], "it was sent to where it belongs, once");
}

#[tokio::test]
async fn nodes_that_point_at_each_other_are_left() {
    let port = free_port();
    let moved = format!("-MOVED 1 127.0.0.1:{port}\r\n");
    let list = to(pushed_to(move || says(&moved)).await);
    let words = away(outcome(&list).await);
    assert!(words.contains("refused") || words.contains("MOVED"), "{words}");
}

#[tokio::test]
async fn a_peer_that_swallows_is_not_waited_for() {
    let metrics = Arc::new(QueueMetrics::default());
    let silent = settings(vec![pushed_to(|| Says::Nothing).await]);
    let list = ListPusher::new(&silent, Arc::clone(&metrics));
    let outcome_of_push = outcome(&list).await;
    assert!(matches!(outcome_of_push, Err(PushError::Silent(_))), "{outcome_of_push:?}");
    let timeouts = &metrics.errors[ErrorKind::Timeout as usize];
    assert_eq!(timeouts.load(std::sync::atomic::Ordering::Relaxed), 1);

    let mute = reached_by(vec![peer::swallowing().await], |target| {
        target.connect_timeout = Duration::from_millis(300);
    });
    assert!(away(outcome(&pusher(&mute)).await).contains("no answer within 300 ms"));
}

#[tokio::test]
async fn what_is_under_way_has_a_bound() {
    let list = to(pushed_to(|| Says::Nothing).await);
    let large = vec![b'x'; 1 << 20];
    let began = Instant::now();
    let elements = [large.as_slice()];
    let outcomes = join_all((0..24).map(|_| list.push(&elements))).await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let full = outcomes.iter().filter(|outcome| **outcome == Err(PushError::Full)).count();
    let asked = outcomes.iter().filter(|outcome| matches!(outcome, Err(PushError::Silent(_))));
    assert!(full > 0 && full + asked.count() == outcomes.len(), "{outcomes:?}");
}
