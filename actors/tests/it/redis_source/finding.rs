//! Finding the server where others are in the way: Sentinels that know an old
//! master, peers that are silent, busy or no Redis at all, proxies, clusters
//! that move the slot.

use std::time::Duration;

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::{Endpoint, RedisTarget, Secret, TlsSettings, Unsent};

use super::connecting::{fails_with, reached_by, takes_from};
use super::harness::{Harness, KEY, eventually, expected, push, settings, take, take_many};
use super::log::Log;
use super::peer::{self, SHORT, Says, says};
use crate::server::{RedisServer, free_port};

fn by_sentinels(sentinels: Vec<Endpoint>) -> psg_actors::settings::QueueSettings {
    reached_by(sentinels, |target| {
        target.service_name = Some("mymaster".into());
        target.connect_timeout = SHORT;
    })
}

#[tokio::test]
async fn the_first_sentinel_that_knows_the_name_is_not_believed_for_ever() {
    let server = RedisServer::start(&[]);
    let knows = peer::sentinel_naming(server.endpoint()).await;
    // A real one that names a server where nobody listens; it says so first.
    let nobody = format!("sentinel monitor mymaster 127.0.0.1 {} 1", free_port());
    let stale = RedisServer::start(&["--sentinel", &nobody]);
    takes_from(&server, by_sentinels(vec![stale.endpoint(), knows.clone()])).await;
    for named in [peer::swallowing().await, peer::saying_only(b"HTTP/1.1 400 Bad\r\n\r\n").await] {
        let first = peer::sentinel_naming(named).await;
        redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
        takes_from(&server, by_sentinels(vec![first, knows.clone()])).await;
    }
    // A replica that lost its primary for good is none either.
    let orphan = RedisServer::start(&[&format!("replicaof 127.0.0.1 {}", free_port())]);
    let first = peer::sentinel_naming(orphan.endpoint()).await;
    redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
    takes_from(&server, by_sentinels(vec![first, knows])).await;
}

#[tokio::test]
async fn a_sentinel_that_swallows_the_question_is_passed_over() {
    let server = RedisServer::start(&[]);
    let knows = peer::sentinel_naming(server.endpoint()).await;
    let swallows = peer::swallowing().await;
    takes_from(&server, by_sentinels(vec![swallows.clone(), knows])).await;
    let message = fails_with(by_sentinels(vec![swallows]), ErrorKind::Timeout).await;
    assert!(message.starts_with("Sentinel 127.0.0.1:"), "{message}");
}

#[tokio::test]
async fn a_sentinel_has_a_password_of_its_own() {
    let primary = RedisServer::start(&["requirepass of-redis"]);
    let Endpoint::Tcp(host, port) = primary.endpoint() else { unreachable!() };
    let sentinel = RedisServer::start(&[
        "--sentinel",
        &format!("sentinel monitor mymaster {host} {port} 1"),
        "sentinel auth-pass mymaster of-redis",
        "requirepass of-sentinel",
    ]);
    let with = |password: &str| {
        let mut settings = by_sentinels(vec![sentinel.endpoint()]);
        settings.redis.connect_timeout = Duration::from_secs(5);
        settings.redis.password = Some(Secret::new("of-redis"));
        let password = Secret::new(password);
        settings.redis.sentinel_login = Some(psg_actors::settings::Login { user: None, password });
        settings
    };
    let mut connection = primary.connect();
    redis::cmd("AUTH").arg("of-redis").exec(&mut connection).unwrap();
    push(&mut connection, 0..10);
    let harness = Harness::with(with("of-sentinel"));
    assert_eq!(take_many(&mut harness.source(), 10).await, expected(0..10));
    let message = fails_with(with("wr0ng"), ErrorKind::Auth).await;
    assert!(message.starts_with("Sentinel ") && !message.contains("wr0ng"), "{message}");
    let mut same = with("of-sentinel");
    same.redis.sentinel_login = None;
    fails_with(same, ErrorKind::Auth).await;
}

#[tokio::test]
async fn a_host_that_can_be_none_is_refused_and_not_shown() {
    for host in ["evil\x1b[2J", "a\r\nok    all is well", &"x".repeat(5_000)] {
        let named = Endpoint::Tcp(host.to_owned(), 6379);
        let sentinel = peer::sentinel_naming(named.clone()).await;
        let message = fails_with(by_sentinels(vec![sentinel]), ErrorKind::Protocol).await;
        assert!(message.len() < 200 && !message.chars().any(char::is_control), "{message:?}");
        let master = format!("*3\r\n$5\r\nslave\r\n${}\r\n{host}\r\n:6379\r\n", host.len());
        let replica = peer::answering(move |words| match words[0].as_str() {
            "ROLE" => says(&master),
            _ => says("+OK\r\n"),
        });
        let message = fails_with(settings(vec![replica.await]), ErrorKind::NotPrimary).await;
        assert!(message.len() < 200 && !message.chars().any(char::is_control), "{message:?}");
    }
}

#[tokio::test]
async fn what_a_server_says_before_it_hangs_up_is_told() {
    let denied = b"-DENIED Redis is running in protected mode because protected mode is enabled \
                   and no password is set for the default user.\r\n";
    for user in [None, Some("somebody")] {
        let endpoint = peer::saying_only(denied).await;
        let denied = reached_by(vec![endpoint], |target| {
            target.username = user.map(str::to_owned);
            target.password = user.map(|_| Secret::new("s3cret"));
        });
        let message = fails_with(denied, ErrorKind::Permission).await;
        assert!(message.contains("DENIED Redis is running in protected mode"), "{message}");
    }
    let full = RedisServer::start(&["maxclients 1"]);
    let _one = full.connect();
    let message = fails_with(settings(vec![full.endpoint()]), ErrorKind::Busy).await;
    assert!(message.contains("max number of clients reached"), "{message}");
}

#[tokio::test]
async fn another_protocol_is_named() {
    let check = async |says: &'static [u8], part: &str| {
        let settings = settings(vec![peer::saying_only(says).await]);
        let message = fails_with(settings, ErrorKind::Protocol).await;
        assert!(message.contains(part), "{message}");
    };
    check(b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP").await;
    check(b"SSH-2.0-OpenSSH_9.2p1\r\n", "speaks SSH").await;
    check(b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS").await;
    check(b"hello\r\n", "expected a reply of Redis").await;
    // Without a word: as a server does that expects TLS.
    let message = fails_with(settings(vec![peer::saying_only(b"").await]), ErrorKind::Connection);
    assert!(message.await.contains("ssl=true"));
}

#[tokio::test]
async fn each_silence_is_bounded_and_told_by_where_it_began() {
    let silent = peer::swallowing().await;
    let check = async |endpoint: Endpoint, change: fn(&mut RedisTarget), part: &str| {
        let settings = reached_by(vec![endpoint], |target| {
            target.connect_timeout = SHORT;
            change(target);
        });
        let message = fails_with(settings, ErrorKind::Timeout).await;
        assert!(message.contains("no answer within 300 ms"), "{message}");
        assert!(message.contains(part), "{message}");
    };
    let tls = |target: &mut RedisTarget| target.tls = Some(TlsSettings::default());
    check(silent.clone(), |_| {}, "or one that expects TLS").await;
    check(silent, tls, "a server that does not speak TLS").await;
    // One that speaks first and then hangs.
    let half = peer::answering(|words| match words[0].as_str() {
        "CLIENT" => says("+OK\r\n"),
        _ => Says::Nothing,
    });
    check(half.await, |_| {}, "a server that hangs").await;
}

#[tokio::test]
async fn an_endless_answer_at_login_is_cut() {
    let check = async |begin: &'static [u8], more: &'static [u8]| {
        let endpoint = peer::endless(begin, more).await;
        let settings = reached_by(vec![endpoint], |target| {
            target.password = Some(Secret::new("s3cret"));
        });
        let message = fails_with(settings, ErrorKind::Protocol).await;
        assert!(message.contains("at most 65536 bytes"), "{message}");
    };
    check(b"+", b"xxxxxxxxxx").await;
    check(b"-", b"xxxxxxxxxx").await;
    check(b"$500000000\r\n", b"xxxxxxxxxx").await;
    check(b"*500000000\r\n", b":1\r\n").await;
}

#[tokio::test]
async fn a_proxy_that_hangs_up_at_what_it_does_not_know_is_read() {
    let server = RedisServer::start(&[]);
    let known = &["AUTH", "RPOP", "LLEN", "HMGET"];
    for unsent in [Unsent::All, Unsent::These(Vec::new())] {
        let proxy = peer::proxy_of(&server.endpoint(), known).await;
        let settings = reached_by(vec![proxy], |target| target.unsent = unsent.clone());
        redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
        push(&mut server.connect(), 0..100);
        let harness = Harness::with(settings);
        let mut source = harness.source();
        assert_eq!(take_many(&mut source, 100).await, expected(0..100));
        // And after waiting, for which it can't ask.
        push(&mut server.connect(), 100..101);
        assert_eq!(take_many(&mut source, 1).await, expected(100..101));
        assert_eq!(harness.queue.trouble(), None, "{unsent:?}");
    }
    let sent = Unsent::These(vec!["CLIENT".into(), "ROLE".into(), "INFO".into()]);
    let proxy = peer::proxy_of(&server.endpoint(), &["RPOP", "LLEN", "HMGET", "BLMOVE"]).await;
    takes_from(&server, reached_by(vec![proxy], |target| target.unsent = sent)).await;
}

#[tokio::test]
async fn a_slot_that_is_being_moved_is_followed_by_asking() {
    let node = || {
        let bus = free_port();
        let options = [String::from("cluster-enabled yes"), format!("cluster-port {bus}")];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        (RedisServer::start(&options), bus)
    };
    let ((owner, _), (target, bus)) = (node(), node());
    let run = |server: &RedisServer, words: &[&str]| -> redis::Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut server.connect()).unwrap()
    };
    let text = |value| -> String { redis::from_redis_value(value).unwrap() };
    run(&owner, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let Endpoint::Tcp(_, port) = target.endpoint() else { unreachable!() };
    run(&owner, &["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]);
    let is_up = |server| text(run(server, &["CLUSTER", "INFO"])).contains("cluster_state:ok");
    eventually("the cluster is up", || is_up(&owner) && is_up(&target)).await;
    let id = |server| text(run(server, &["CLUSTER", "MYID"]));
    let slot: i64 = redis::from_redis_value(run(&owner, &["CLUSTER", "KEYSLOT", KEY])).unwrap();
    run(&target, &["CLUSTER", "SETSLOT", &slot.to_string(), "IMPORTING", &id(&owner)]);
    run(&owner, &["CLUSTER", "SETSLOT", &slot.to_string(), "MIGRATING", &id(&target)]);

    // As clients of a cluster do: the list is made where the slot moves to.
    let push_there = |number: usize| {
        let mut both = redis::pipe();
        both.cmd("ASKING").ignore().cmd("LPUSH").arg(KEY).arg(super::harness::element(number));
        both.exec(&mut target.connect()).unwrap();
    };
    (0..50).for_each(push_there);
    let harness = Harness::new(owner.endpoint());
    let mut source = harness.source();
    assert_eq!(take_many(&mut source, 50).await, expected(0..50));
    tokio::spawn(harness.queue.monitor(harness.stop.clone()));
    let is_known = || harness.metrics.pending.load(std::sync::atomic::Ordering::Relaxed) == 0;
    eventually("the monitor asks too", is_known).await;
    // It waits there as elsewhere, and stays when the slot has moved.
    let (taken, ()) = tokio::join!(take(&mut source), async {
        eventually("waits", || super::harness::is_blocked(&target)).await;
        push_there(50);
    });
    assert_eq!(taken.unwrap().unwrap().len(), 1);
    for node in [&target, &owner] {
        run(node, &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id(&target)]);
    }
    push(&mut target.connect(), 51..60);
    assert_eq!(take_many(&mut source, 9).await, expected(51..60));
}

#[tokio::test]
async fn a_cluster_whose_owner_is_away_is_told_once() {
    let nobody = free_port();
    let other = peer::answering(move |words| match words[0].as_str() {
        "ROLE" => says("*1\r\n$6\r\nmaster\r\n"),
        "RPOP" => says(format!("-MOVED 1 127.0.0.1:{nobody}\r\n")),
        "HMGET" => says("*2\r\n$-1\r\n$-1\r\n"),
        _ => says("+OK\r\n"),
    });
    let (log, _guard) = Log::catch();
    let harness = Harness::new(other.await);
    let mut source = harness.source();
    for _ in 0..10 {
        assert!(take(&mut source).await.is_err());
    }
    assert!(log.count("taking from redis") <= 1, "{}", log.text());
    assert_eq!(log.count("this node has the queue"), 1, "{}", log.text());
}
