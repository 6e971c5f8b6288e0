//! Waiting for elements: soon seen, nothing taken, nothing spent.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::harness::{
    Element, Harness, KEY, element, eventually, expected, is_blocked, push, settings, take,
    take_many,
};
use super::log::Log;
use crate::server::RedisServer;

#[tokio::test]
async fn an_element_is_seen_soon() {
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut delays = Vec::new();
    for number in 0..30 {
        let (taken, (pushed_at, seen_by)) = tokio::join!(
            async {
                let taken = take(&mut source).await.unwrap();
                (taken, Instant::now())
            },
            async {
                eventually("waits", || is_blocked(&server)).await;
                let pushed_at = Instant::now();
                push(&mut server.connect(), number..number + 1);
                (pushed_at, ())
            }
        );
        let ((taken, taken_at), ()) = (taken, seen_by);
        assert_eq!(taken, Some(vec![Element::Whole(element(number))]));
        delays.push(taken_at.duration_since(pushed_at));
    }
    delays.sort();
    println!("LPUSH to take: median {:?}, largest {:?}", delays[15], delays[29]);
    assert!(delays[15] < Duration::from_millis(20), "median {:?}", delays[15]);
}

#[tokio::test]
async fn many_idle_workers_cost_one_blocked_command() {
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let mut sources: Vec<_> = (0..30).map(|_| harness.source()).collect();
    let idle = async {
        eventually("all have looked", || harness.empty_pops() == 30).await;
        eventually("one waits", || is_blocked(&server)).await;
        let count = || server.calls("rpop") + server.calls("blmove");
        let before = count();
        // The time in which nothing may happen.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(count(), before, "an idle gateway asks for something");
        harness.stopper.stop();
    };
    let takes = join_all(sources.iter_mut().map(take));
    let (ends, ()) = tokio::join!(takes, idle);
    assert!(ends.into_iter().all(|end| end.unwrap().is_none()));
}

#[tokio::test]
async fn a_single_element_wakes_one_worker_and_much_work_wakes_others() {
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let work = |worker: usize| {
        let metrics = harness.worker_metrics.clone();
        let mut source = harness.queue.source(worker, metrics.clone(), harness.stop.clone());
        async move {
            let mut taken = Vec::new();
            while let Some(elements) = take(&mut source).await.unwrap() {
                taken.push(elements.len());
                // Work that one worker does not get through alone, as of arrays of a
                // hundred samples that have to be parsed.
                let samples = 100 * elements.len() as u64;
                metrics.routed.fetch_add(samples, Ordering::Relaxed);
                metrics.parsed.fetch_add(samples, Ordering::Relaxed);
                let work = Duration::from_micros(5) * elements.len() as u32;
                let since = Instant::now();
                while since.elapsed() < work {}
            }
            taken
        }
    };
    let feed = async {
        eventually("all have looked", || harness.empty_pops() == 10).await;
        eventually("one waits", || is_blocked(&server)).await;
        push(&mut server.connect(), 0..1);
        eventually("taken, and waits again", || server.calls("rpop") >= 11 && is_blocked(&server))
            .await;
        assert_eq!(server.calls("rpop"), 11, "more than one worker woke up");
        for page in 0..20 {
            push(&mut server.connect(), page * 5000..(page + 1) * 5000);
            tokio::task::yield_now().await;
        }
        let mut connection = server.connect();
        eventually("drained", || super::harness::length(&mut connection) == 0).await;
        harness.stopper.stop();
    };
    let (taken, ()) = tokio::join!(join_all((0..10).map(work)), feed);
    assert_eq!(taken.iter().flatten().sum::<usize>(), 100_001);
    let busy = taken.iter().filter(|pages| pages.iter().sum::<usize>() > 1).count();
    assert!(busy > 1, "{busy} workers shared the backlog");
}

#[tokio::test]
async fn polls_where_blmove_is_denied() {
    let (log, _guard) = Log::catch();
    let server =
        RedisServer::start(&["user gateway on >pass ~* &* -@all +rpop +llen", "maxclients 100"]);
    let mut settings = settings(vec![server.endpoint()]);
    settings.redis.username = Some("gateway".into());
    settings.redis.password = Some(psg_actors::settings::Secret::new("pass"));
    let harness = Harness::with(settings);
    let mut source = harness.source();
    let mut connection = server.connect();
    for number in 0..20 {
        push(&mut connection, number..number + 1);
        assert_eq!(take_many(&mut source, 1).await, expected(number..number + 1));
    }
    assert_eq!(server.calls("rpop"), 20 + harness.empty_pops());
    assert_eq!(log.count("polling for elements"), 1, "{}", log.text());
    assert!(!log.text().contains("pass"), "{}", log.text());
}

#[tokio::test]
async fn polls_where_the_memory_is_full_and_stops_polling_later() {
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").exec(&mut connection).unwrap();
    let (log, _guard) = Log::catch();
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let (taken, ()) = tokio::join!(take(&mut source), async {
        eventually("polls", || harness.empty_pops() > 3).await;
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("0").exec(&mut connection).unwrap();
        push(&mut connection, 0..1);
    });
    assert_eq!(taken.unwrap(), Some(vec![Element::Whole(element(0))]));
    assert_eq!(log.count("refuses BLMOVE: OOM"), 1, "{}", log.text());
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closes_is_no_error() {
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut connection = server.connect();
    let (taken, ()) = tokio::join!(take(&mut source), async {
        eventually("waits", || is_blocked(&server)).await;
        // A connection that was in use within the last second is no idle one.
        eventually("idle", || {
            let idle = server.idle_seconds("gateway");
            !idle.is_empty() && idle.iter().all(|seconds| *seconds >= 1)
        })
        .await;
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut connection).unwrap();
        eventually("waits again", || is_blocked(&server)).await;
        push(&mut connection, 0..1);
    });
    assert_eq!(taken.unwrap(), Some(vec![Element::Whole(element(0))]));
    assert_eq!(harness.queue.trouble(), None);
}

#[tokio::test]
async fn waiting_leaves_the_list_as_it_is() {
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let mut source = harness.source();
    let mut connection = server.connect();
    // The waiting reader is woken, but may not pop: order and content must stay.
    let (outcome, ()) = tokio::join!(take(&mut source), async {
        eventually("waits", || is_blocked(&server)).await;
        redis::pipe()
            .atomic()
            .cmd("ACL")
            .arg("SETUSER")
            .arg("default")
            .arg("-rpop")
            .cmd("LPUSH")
            .arg(KEY)
            .arg("a")
            .arg("b")
            .arg("c")
            .exec(&mut connection)
            .unwrap();
    });
    assert_eq!(outcome.unwrap_err().kind, psg_actors::error_kind::ErrorKind::Permission);
    let list: Vec<String> =
        redis::cmd("LRANGE").arg(KEY).arg(0).arg(-1).query(&mut connection).unwrap();
    assert_eq!(list, ["c", "b", "a"]);
}
