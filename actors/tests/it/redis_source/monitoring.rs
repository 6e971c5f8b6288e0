//! The monitor: the length of the queue, and whether Redis is there.

use std::sync::atomic::Ordering;

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::Secret;

use super::harness::{Harness, KEY, eventually, push, settings};
use super::log::Log;
use crate::server::RedisServer;

fn pending(harness: &Harness) -> i64 {
    harness.metrics.pending.load(Ordering::Relaxed)
}

fn is_up(harness: &Harness) -> bool {
    harness.metrics.up.load(Ordering::Relaxed)
}

#[tokio::test]
async fn publishes_the_length_and_whether_redis_is_there() {
    let mut server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let watch = async {
        eventually("up", || is_up(&harness)).await;
        assert_eq!(pending(&harness), 0);
        push(&mut server.connect(), 0..42);
        eventually("42 pending", || pending(&harness) == 42).await;
        server.kill();
        eventually("down", || !is_up(&harness)).await;
        assert!(harness.queue.trouble().is_some());
        server.restart();
        eventually("up again", || is_up(&harness) && pending(&harness) == 0).await;
        assert_eq!(harness.queue.trouble(), None);
        assert_eq!(harness.metrics.reconnects.load(Ordering::Relaxed), 1);
        redis::cmd("SET").arg(KEY).arg("x").exec(&mut server.connect()).unwrap();
        eventually("a wrong type", || harness.errors(ErrorKind::WrongType) > 0).await;
        eventually("down, since the queue can't be read", || !is_up(&harness)).await;
        assert!(harness.queue.trouble().unwrap().contains("WRONGTYPE"));
        harness.stopper.stop();
    };
    tokio::join!(harness.queue.monitor(harness.stop.clone()), watch);
}

#[tokio::test]
async fn a_length_that_may_not_be_asked_is_unknown() {
    let (log, _guard) = Log::catch();
    let server = RedisServer::start(&["user gateway on >pass ~* &* -@all +rpop"]);
    let mut settings = settings(vec![server.endpoint()]);
    settings.redis.username = Some("gateway".into());
    settings.redis.password = Some(Secret::new("pass"));
    let harness = Harness::with(settings);
    let watch = async {
        eventually("up", || is_up(&harness)).await;
        assert_eq!(pending(&harness), -1);
        eventually("asked again", || server.calls("llen") > 1).await;
        harness.stopper.stop();
    };
    tokio::join!(harness.queue.monitor(harness.stop.clone()), watch);
    assert_eq!(log.count("stays unknown"), 1, "{}", log.text());
}

/// As one that the user may not ask.
#[tokio::test]
async fn a_length_that_the_server_does_not_know_is_unknown() {
    let (log, _guard) = Log::catch();
    let server = RedisServer::start(&["rename-command LLEN \"\"", "rename-command TIME \"\""]);
    let harness = Harness::new(server.endpoint());
    let watch = async {
        eventually("up", || is_up(&harness)).await;
        assert_eq!(pending(&harness), -1);
        assert_eq!(harness.queue.trouble(), None);
        harness.stopper.stop();
    };
    tokio::join!(harness.queue.monitor(harness.stop.clone()), watch);
    assert_eq!(log.count("stays unknown"), 1, "{}", log.text());
}

#[tokio::test]
async fn a_redis_that_may_throw_the_queue_away_is_told_once() {
    let (log, _guard) = Log::catch();
    let server = RedisServer::start(&["maxmemory 100mb", "maxmemory-policy allkeys-lru"]);
    let harness = Harness::new(server.endpoint());
    let watch = async {
        eventually("told", || log.count("throws the whole queue away") == 1).await;
        eventually("asked again", || server.calls("llen") > 2).await;
        harness.stopper.stop();
    };
    tokio::join!(harness.queue.monitor(harness.stop.clone()), watch);
    assert_eq!(log.count("throws the whole queue away"), 1, "{}", log.text());
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_opened_again_without_a_word() {
    let (log, _guard) = Log::catch();
    let server = RedisServer::start(&[]);
    let harness = Harness::new(server.endpoint());
    let watch = async {
        eventually("up", || is_up(&harness)).await;
        let kill = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").take();
        kill.exec(&mut server.connect()).unwrap();
        let reconnects = || harness.metrics.reconnects.load(Ordering::Relaxed);
        eventually("connected again", || reconnects() == 1).await;
        eventually("asked again", || server.calls("llen") >= 2).await;
        assert!(is_up(&harness));
        harness.stopper.stop();
    };
    tokio::join!(harness.queue.monitor(harness.stop.clone()), watch);
    assert_eq!(harness.errors(ErrorKind::Connection), 0);
    assert_eq!(log.count("WARN"), 0, "{}", log.text());
}
