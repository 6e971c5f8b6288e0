//! What is handed out: everything, once, in order, and nothing after the stop.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use psg_actors::error_kind::ErrorKind;

use super::harness::{
    Harness, KEY, eventually, expected, is_blocked, length, push, settings, take, take_many, whole,
};
use crate::server::RedisServer;

#[tokio::test]
async fn a_set_pop_count_is_kept() {
    let server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..10_000);
    let harness = Harness::with(psg_actors::settings::QueueSettings {
        pop_count: Some(100),
        ..settings(vec![server.endpoint()])
    });
    let before = server.calls("rpop");
    let taken = take_many(&mut harness.source(), 10_000).await;
    assert!(taken == expected(0..10_000));
    let pops = server.calls("rpop") - before;
    assert!((100..=100 + 64).contains(&pops), "{pops} pops");
}

#[test]
fn two_workers_share_a_backlog() {
    let server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..200_000);
    let harness = Harness::new(server.endpoint());
    let taken: Vec<Vec<String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let source = harness.queue.source(
                    worker,
                    harness.worker_metrics.clone(),
                    harness.stop.clone(),
                );
                scope.spawn(move || drain(source))
            })
            .collect();
        let runtime = runtime();
        runtime.block_on(eventually("drained", || length(&mut server.connect()) == 0));
        harness.stopper.stop();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let distinct: HashSet<&String> = taken.iter().flatten().collect();
    assert_eq!(distinct.len(), 200_000);
    assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 200_000);
    for (worker, elements) in taken.iter().enumerate() {
        assert!(!elements.is_empty(), "worker {worker} got nothing");
        assert!(elements.is_sorted(), "worker {worker} got elements out of order");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn drain(mut source: psg_actors::source::redis::RedisSource) -> Vec<String> {
    runtime().block_on(async {
        let mut taken = Vec::new();
        while let Some(elements) = take(&mut source).await.unwrap() {
            taken.extend(elements.into_iter().map(whole));
        }
        taken
    })
}

#[tokio::test]
async fn a_stop_ends_waiting_and_connecting_at_once() {
    let server = RedisServer::start(&[]);
    let idle = Harness::new(server.endpoint());
    // Connections are accepted by the kernel there, and nobody ever answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let lost = Harness::new(psg_actors::settings::Endpoint::Tcp("127.0.0.1".into(), port));
    let (mut idle_source, mut lost_source) = (idle.source(), lost.source());
    let stop = async {
        eventually("waits", || is_blocked(&server)).await;
        idle.stopper.stop();
        lost.stopper.stop();
        Instant::now()
    };
    let (idle_end, lost_end, stopped_at) =
        tokio::join!(take(&mut idle_source), take(&mut lost_source), stop);
    assert_eq!(idle_end.unwrap(), None);
    assert_eq!(lost_end.unwrap(), None);
    assert!(stopped_at.elapsed() < Duration::from_secs(1), "{:?}", stopped_at.elapsed());
}

#[tokio::test]
async fn a_wrong_type_is_told_and_got_over() {
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    redis::cmd("SET").arg(KEY).arg("a string").exec(&mut connection).unwrap();
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    for _ in 0..3 {
        assert_eq!(take(&mut source).await.unwrap_err().kind, ErrorKind::WrongType);
    }
    assert_eq!(harness.errors(ErrorKind::WrongType), 3);
    assert!(harness.queue.trouble().is_some());
    redis::cmd("DEL").arg(KEY).exec(&mut connection).unwrap();
    push(&mut connection, 0..10);
    assert_eq!(take_many(&mut source, 10).await, expected(0..10));
    assert_eq!(harness.queue.trouble(), None);
    assert_eq!(harness.metrics.reconnects.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_killed_server_is_told_and_a_new_one_found() {
    let mut server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..100);
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    assert_eq!(take_many(&mut source, 100).await, expected(0..100));
    server.kill();
    assert_eq!(take(&mut source).await.unwrap_err().kind, ErrorKind::Connection);
    assert_eq!(take(&mut source).await.unwrap_err().kind, ErrorKind::Connection);
    server.restart();
    push(&mut server.connect(), 100..200);
    assert_eq!(take_many(&mut source, 100).await, expected(100..200));
    assert_eq!(harness.metrics.reconnects.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refusal_amid_a_backlog_loses_nothing() {
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    push(&mut connection, 0..100_000);
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut allow = |rule: &str| {
        redis::cmd("ACL").arg("SETUSER").arg("default").arg(rule).exec(&mut connection).unwrap();
        length(&mut connection)
    };
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.extend(take_many(&mut source, 500).await);
        let left = allow("-rpop");
        let failure = loop {
            match take(&mut source).await {
                Ok(elements) => taken.extend(elements.unwrap().into_iter().map(whole)),
                Err(failure) => break failure,
            }
        };
        assert_eq!(failure.kind, ErrorKind::Permission);
        assert_eq!(taken.len() + left, 100_000);
        allow("+rpop");
    }
    assert!(taken == expected(0..taken.len()));
    assert_eq!(harness.metrics.reconnects.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// Lets a server hang amid a backlog, so that pops are in flight, and stops.
/// What was taken, and how it ended.
async fn stop_while_hanging(
    server: &RedisServer,
    then: impl AsyncFnOnce(),
) -> (Vec<String>, Option<ErrorKind>) {
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut taken = take_many(&mut source, 5000).await;
    server.suspend();
    let pages = Cell::new(0);
    let rest = async {
        loop {
            match take(&mut source).await {
                Ok(Some(elements)) => {
                    pages.set(pages.get() + 1);
                    taken.extend(elements.into_iter().map(whole));
                }
                Ok(None) => break None,
                Err(failure) => break Some(failure.kind),
            }
        }
    };
    let stop = async {
        // Between two looks the runtime takes in what has arrived.
        let mut seen = None;
        eventually("all that the server sent before is taken", || {
            server.is_suspended() && seen.replace(pages.get()) == Some(pages.get())
        })
        .await;
        harness.stopper.stop();
        then().await;
    };
    let (failure, ()) = tokio::join!(rest, stop);
    assert_eq!(take(&mut source).await.unwrap(), None);
    (taken, failure)
}

#[tokio::test]
async fn a_stop_waits_for_a_slow_server() {
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    push(&mut connection, 0..100_000);
    let resume = async || {
        // So slow is the server.
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.resume();
    };
    let (taken, failure) = stop_while_hanging(&server, resume).await;
    assert_eq!(failure, None);
    assert_eq!(taken.len() + length(&mut connection), 100_000);
    assert!(taken == expected(0..taken.len()));
}

#[tokio::test]
async fn a_stop_gives_a_hanging_server_up() {
    let server = RedisServer::start(&[]);
    push(&mut server.connect(), 0..100_000);
    let since = Instant::now();
    let (_, failure) = stop_while_hanging(&server, async || {}).await;
    assert_eq!(failure, Some(ErrorKind::Timeout));
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

/// A server that cuts connections for which it holds too much.
#[tokio::test]
async fn after_a_cut_for_too_large_replies_less_is_asked_for() {
    let server = RedisServer::start(&["client-output-buffer-limit normal 1mb 0 0"]);
    let mut connection = server.connect();
    let element = "x".repeat(1500);
    for _ in 0..20 {
        redis::cmd("LPUSH").arg(KEY).arg(vec![&element; 1000]).exec(&mut connection).unwrap();
    }
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut taken = 0;
    while length(&mut connection) > 0 {
        match take(&mut source).await {
            Ok(elements) => taken += elements.unwrap().len(),
            Err(failure) => assert_eq!(failure.kind, ErrorKind::Connection, "{failure}"),
        }
    }
    assert!(harness.errors(ErrorKind::Connection) <= 3, "cut time and again");
    assert!(taken > 15_000, "{taken} of 20,000");
}
