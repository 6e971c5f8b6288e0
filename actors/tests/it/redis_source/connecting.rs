//! Finding the server and logging in.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::{Endpoint, QueueSettings, RedisTarget, Secret, TlsSettings};

use super::certificates::Certificates;
use super::harness::{
    Harness, KEY, element, eventually, expected, is_blocked, push, settings, take, take_many,
};
use super::log::Log;
use crate::server::{RedisServer, free_port};

/// The settings, with changes to how Redis is reached.
pub fn reached_by(
    endpoints: Vec<Endpoint>,
    change: impl FnOnce(&mut RedisTarget),
) -> QueueSettings {
    let mut settings = settings(endpoints);
    change(&mut settings.redis);
    settings
}

pub async fn takes_from(server: &RedisServer, settings: QueueSettings) {
    push(&mut server.connect(), 0..3000);
    let harness = Harness::with(settings);
    let mut source = harness.source();
    assert!(take_many(&mut source, 3000).await == expected(0..3000));
    // And again after waiting, which uses a connection of its own.
    let (taken, ()) = tokio::join!(take(&mut source), async {
        eventually("waits", || is_blocked(server)).await;
        push(&mut server.connect(), 3000..3001);
    });
    assert_eq!(taken.unwrap().unwrap().len(), 1);
    assert_eq!(harness.queue.trouble(), None);
}

pub async fn fails_with(settings: QueueSettings, kind: ErrorKind) -> String {
    let harness = Harness::with(settings);
    let failure = take(&mut harness.source()).await.unwrap_err();
    assert_eq!(failure.kind, kind, "{failure}");
    failure.message
}

#[tokio::test]
async fn over_a_unix_socket() {
    let server = RedisServer::start(&[]);
    takes_from(&server, settings(vec![Endpoint::Unix(server.socket())])).await;
}

#[tokio::test]
async fn with_a_password_and_as_a_user() {
    let server = RedisServer::start(&[
        "user gateway on >s3cret ~* &* +@all",
        "user open on nopass ~* &* +@all",
    ]);
    let endpoint = server.endpoint();
    let as_user = |user: Option<&str>, password: Option<&str>| {
        reached_by(vec![endpoint.clone()], |target| {
            target.username = user.map(str::to_owned);
            target.password = password.map(Secret::new);
        })
    };
    takes_from(&server, as_user(Some("gateway"), Some("s3cret"))).await;
    redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
    takes_from(&server, as_user(Some("open"), None)).await;
    // The default user has no password yet: a needless one is forgiven.
    redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
    takes_from(&server, as_user(None, Some("needless"))).await;
    let message = fails_with(as_user(Some("gateway"), Some("wr0ng")), ErrorKind::Auth).await;
    assert!(message.contains("WRONGPASS") && !message.contains("wr0ng"), "{message}");
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("other")
        .exec(&mut server.connect())
        .unwrap();
    fails_with(as_user(None, None), ErrorKind::Auth).await;
    fails_with(as_user(None, Some("needless")), ErrorKind::Auth).await;
}

#[tokio::test]
async fn in_a_database_and_under_a_name() {
    let server = RedisServer::start(&[]);
    let harness = Harness::with(reached_by(vec![server.endpoint()], |target| target.database = 7));
    let mut connection = server.connect();
    push(&mut connection, 0..1);
    redis::cmd("SELECT").arg(7).exec(&mut connection).unwrap();
    push(&mut connection, 1..2);
    assert_eq!(take_many(&mut harness.source(), 1).await, expected(1..2));
    let mut source = harness.source();
    let (_, ()) = tokio::join!(take(&mut source), async {
        eventually("waits", || is_blocked(&server)).await;
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        assert!(list.lines().filter(|line| line.contains("name=gateway")).count() >= 2, "{list}");
        harness.stopper.stop();
    });
    let absent = reached_by(vec![server.endpoint()], |target| target.database = 99);
    let message = fails_with(absent, ErrorKind::Other).await;
    assert!(message.contains("SELECT"), "{message}");
}

#[tokio::test]
async fn over_tls() {
    let certificates = Certificates::new(&["localhost", "127.0.0.1", "redis.example"]);
    let port = free_port();
    let options = certificates.options(port);
    let server = RedisServer::start(&options.iter().map(String::as_str).collect::<Vec<_>>());
    let tls = |host: &str, server_name: Option<&str>, ca_file: Option<PathBuf>| {
        let server_name = server_name.map(str::to_owned);
        let tls = TlsSettings { server_name, ca_file, ..TlsSettings::default() };
        reached_by(vec![Endpoint::Tcp(host.into(), port)], |target| target.tls = Some(tls))
    };
    let trusted = || Some(certificates.authority());
    takes_from(&server, tls("localhost", None, trusted())).await;
    redis::cmd("DEL").arg(KEY).exec(&mut server.connect()).unwrap();
    takes_from(&server, tls("127.0.0.1", Some("redis.example"), trusted())).await;
    let wrong_name = tls("127.0.0.1", Some("other.example"), trusted());
    fails_with(wrong_name, ErrorKind::Tls).await;
    let stranger = Certificates::new(&["localhost"]);
    fails_with(tls("localhost", None, Some(stranger.authority())), ErrorKind::Tls).await;
    fails_with(tls("localhost", None, Some("/nowhere/ca.pem".into())), ErrorKind::Tls).await;
    let Endpoint::Tcp(_, plain_port) = server.endpoint() else { unreachable!() };
    let plain = reached_by(vec![Endpoint::Tcp("127.0.0.1".into(), plain_port)], |target| {
        target.tls = Some(TlsSettings { ca_file: trusted(), ..TlsSettings::default() });
        target.connect_timeout = Duration::from_millis(300);
    });
    // A plain server takes the greeting for the beginning of a long command.
    let message = fails_with(plain, ErrorKind::Timeout).await;
    assert!(message.contains("TLS"), "{message}");
    let unencrypted = settings(vec![Endpoint::Tcp("127.0.0.1".into(), port)]);
    let failure = take(&mut Harness::with(unencrypted).source()).await.unwrap_err();
    assert!(matches!(failure.kind, ErrorKind::Connection | ErrorKind::Protocol), "{failure}");
}

#[tokio::test]
async fn at_the_first_endpoint_that_answers() {
    let server = RedisServer::start(&[]);
    let nobody = Endpoint::Tcp("127.0.0.1".into(), free_port());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Endpoint::Tcp("127.0.0.1".into(), silent_port(&silent));
    let endpoints = vec![nobody.clone(), silent.clone(), server.endpoint()];
    let short = |target: &mut RedisTarget| target.connect_timeout = Duration::from_millis(200);
    takes_from(&server, reached_by(endpoints, short)).await;
    fails_with(reached_by(vec![nobody], short), ErrorKind::Connection).await;
}

fn silent_port(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp("127.0.0.1".into(), silent_port(&silent));
    let settings = reached_by(vec![endpoint], |target| {
        target.connect_timeout = Duration::from_millis(100);
    });
    fails_with(settings, ErrorKind::Timeout).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_lost_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port());
    let answer = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut request = [0; 256];
        tokio::io::AsyncReadExt::read(&mut client, &mut request).await.unwrap();
    });
    fails_with(settings(vec![endpoint]), ErrorKind::Connection).await;
    answer.await.unwrap();
}

#[tokio::test]
async fn at_the_primary_of_a_replica() {
    let primary = RedisServer::start(&[]);
    let replica = replica_of(&primary);
    for endpoints in [vec![replica.endpoint(), primary.endpoint()], vec![replica.endpoint()]] {
        redis::cmd("DEL").arg(KEY).exec(&mut primary.connect()).unwrap();
        takes_from(&primary, settings(endpoints)).await;
    }
}

fn replica_of(primary: &RedisServer) -> RedisServer {
    let Endpoint::Tcp(host, port) = primary.endpoint() else { unreachable!() };
    RedisServer::start(&[&format!("replicaof {host} {port}")])
}

fn make_replica_of(server: &RedisServer, primary: &RedisServer) {
    let Endpoint::Tcp(host, port) = primary.endpoint() else { unreachable!() };
    redis::cmd("REPLICAOF").arg(host).arg(port).exec(&mut server.connect()).unwrap();
}

#[tokio::test]
async fn follows_a_failover() {
    let first = RedisServer::start(&[]);
    let second = replica_of(&first);
    let harness = Harness::new(first.endpoint());
    let mut source = harness.source();
    push(&mut first.connect(), 0..10);
    assert_eq!(take_many(&mut source, 10).await, expected(0..10));
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut second.connect()).unwrap();
    make_replica_of(&first, &second);
    push(&mut second.connect(), 10..20);
    assert_eq!(take_many(&mut source, 10).await, expected(10..20));
    assert!(harness.errors(ErrorKind::NotPrimary) >= 1);
}

#[tokio::test]
async fn at_the_master_that_a_sentinel_names() {
    let primary = RedisServer::start(&["requirepass s3cret"]);
    let Endpoint::Tcp(host, port) = primary.endpoint() else { unreachable!() };
    let sentinel = RedisServer::start(&[
        "--sentinel",
        &format!("sentinel monitor the-service {host} {port} 1"),
        "sentinel auth-pass the-service s3cret",
    ]);
    let nobody = Endpoint::Tcp("127.0.0.1".into(), free_port());
    let by_name = |name: &str| {
        reached_by(vec![nobody.clone(), sentinel.endpoint()], |target| {
            target.service_name = Some(name.to_owned());
            target.password = Some(Secret::new("s3cret"));
        })
    };
    let mut connection = primary.connect();
    redis::cmd("AUTH").arg("s3cret").exec(&mut connection).unwrap();
    push(&mut connection, 0..100);
    let harness = Harness::with(by_name("the-service"));
    assert_eq!(take_many(&mut harness.source(), 100).await, expected(0..100));
    let message = fails_with(by_name("unknown"), ErrorKind::Other).await;
    assert!(message.contains("unknown"), "{message}");
    let forgotten = reached_by(vec![sentinel.endpoint()], |_| {});
    let message = fails_with(forgotten, ErrorKind::Other).await;
    assert!(message.contains("Sentinel"), "{message}");
}

#[tokio::test]
async fn at_the_cluster_node_that_owns_the_key() {
    let bus = format!("cluster-port {}", free_port());
    let owner = RedisServer::start(&["cluster-enabled yes", &bus]);
    let bus = format!("cluster-port {}", free_port());
    let other = RedisServer::start(&["cluster-enabled yes", &bus]);
    let mut connection = owner.connect();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut connection).unwrap();
    let Endpoint::Tcp(host, port) = other.endpoint() else { unreachable!() };
    let bus_port = bus.rsplit(' ').next().unwrap();
    redis::cmd("CLUSTER")
        .arg("MEET")
        .arg(host)
        .arg(port)
        .arg(bus_port)
        .exec(&mut connection)
        .unwrap();
    let is_up = |server: &RedisServer| {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut server.connect()).unwrap();
        info.contains("cluster_state:ok")
    };
    eventually("the cluster is up", || is_up(&owner) && is_up(&other)).await;
    push(&mut connection, 0..5000);
    let harness = Harness::new(other.endpoint());
    let mut source = harness.source();
    assert!(take_many(&mut source, 5000).await == expected(0..5000));
    assert_eq!(harness.errors(ErrorKind::NotPrimary), 1);
}

#[tokio::test]
async fn trouble_is_logged_once_for_all_workers() {
    let (log, _guard) = Log::catch();
    let port = free_port();
    let harness = Harness::new(Endpoint::Tcp("127.0.0.1".into(), port));
    let mut sources: Vec<_> = (0..5)
        .map(|worker| {
            harness.queue.source(worker, harness.worker_metrics.clone(), harness.stop.clone())
        })
        .collect();
    for _ in 0..3 {
        for source in &mut sources {
            assert_eq!(take(source).await.unwrap_err().kind, ErrorKind::Connection);
        }
    }
    assert_eq!(harness.errors(ErrorKind::Connection), 15);
    assert_eq!(log.count("redis is not reachable"), 1, "{}", log.text());
    let server = RedisServer::start_on(port, &[]);
    for (worker, source) in sources.iter_mut().enumerate() {
        assert_eq!(log.count("reconnected to Redis"), 0, "{}", log.text());
        push(&mut server.connect(), worker..worker + 1);
        assert_eq!(take_many(source, 1).await, [element(worker)]);
    }
    assert_eq!(log.count("reconnected to Redis"), 1, "{}", log.text());
    assert_eq!(harness.metrics.reconnects.load(Ordering::Relaxed), 0);
}
