//! Access: the ways to reach a Redis and to log in to it.

use psg_testkit::tls::Certificates;
use psg_testkit::{
    Gateway, GatewayBuilder, RedisOptions, RedisServer, Sentinel, wait_for, wait_until,
};

const SAMPLE: &str = r#"{"name":"reached_total","value":1}"#;

#[test]
fn a_password_from_the_connection_string() {
    let redis = RedisServer::with(RedisOptions { password: Some("hunter2"), ..Default::default() });
    for connection in [
        format!("{},password=hunter2", redis.address()),
        format!("password=hunter2 , {} , abortConnect=false", redis.address()),
        format!("redis://:hunter2@{}", redis.address()),
        format!("redis://default:hunter2@{}/0", redis.address()),
    ] {
        takes_from(&redis, &connection);
    }
}

#[test]
fn a_wrong_password_is_told_and_never_shown() {
    let redis = RedisServer::with(RedisOptions { password: Some("right"), ..Default::default() });
    redis.push(&[SAMPLE]);
    let connection = format!("{},password=hunter2", redis.address());
    let gateway =
        GatewayBuilder::connecting(&connection).set("Log__Level", "trace").start_unready();
    wait_for_error(&gateway, "auth");
    assert_eq!(gateway.scrape().value("prom_stream_gateway_redis_up", &[]), Some(0.0));
    let ready = gateway.must_get("/-/ready", &[]);
    assert_eq!(ready.status, 503);
    assert!(!ready.text().is_empty(), "the reason is told");
    let said = format!("{}\n{}\n{:?}", gateway.log().join("\n"), ready.text(), gateway.scrape());
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(redis.pending(), 1);
    // Put right on the server, it goes on by itself.
    redis.run::<()>(&["CONFIG", "SET", "requirepass", "hunter2"]);
    wait_until("the sample to be taken", || {
        gateway.scrape().value("reached_total", &[]) == Some(1.0)
    });
    assert!(!gateway.log().join("\n").contains("hunter2"), "the password is in the log");
}

#[test]
fn a_user_with_few_rights_is_enough() {
    let redis = RedisServer::start();
    let rights = "ACL SETUSER shipper on >hunter2 ~prom-stream-gateway:* +rpop +llen";
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    let connection = format!("{},user=shipper,password=hunter2", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start();
    for taken in 1..=3 {
        redis.push(&[SAMPLE]);
        gateway.scrape_after(taken);
    }
    assert_eq!(gateway.scrape().value("reached_total", &[]), Some(3.0));
    assert_eq!(gateway.scrape().value("prom_stream_gateway_redis_up", &[]), Some(1.0));
}

#[test]
fn a_user_without_rights_is_told() {
    let redis = RedisServer::start();
    let rights = "ACL SETUSER nobody on >hunter2 ~other:* +ping";
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    redis.push(&[SAMPLE]);
    let connection = format!("{},user=nobody,password=hunter2", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start_unready();
    wait_for_error(&gateway, "permission");
    redis.run::<()>(&["ACL", "SETUSER", "nobody", "~*", "+rpop", "+llen"]);
    gateway.scrape_after(1);
}

#[test]
fn tls_with_its_own_authority() {
    let redis = RedisServer::with(RedisOptions {
        tls_names: &["localhost", "127.0.0.1"],
        ..Default::default()
    });
    let authority = redis.certificates().authority.clone();
    for connection in [
        format!("localhost:{},ssl=true", redis.tls_port()),
        format!("127.0.0.1:{},ssl=True,sslHost=localhost", redis.tls_port()),
        format!("rediss://localhost:{}", redis.tls_port()),
    ] {
        for variable in ["Redis__TlsCaFile", "SSL_CERT_FILE"] {
            let gateway = GatewayBuilder::connecting(&connection).set(variable, &authority).start();
            redis.push(&[SAMPLE]);
            gateway.scrape_after(1);
        }
    }
}

#[test]
fn tls_with_an_authority_that_is_not_the_servers() {
    let redis = RedisServer::with(RedisOptions { tls_names: &["localhost"], ..Default::default() });
    redis.push(&[SAMPLE]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = Certificates::create(folder.path(), &["localhost"]);
    let connection = format!("localhost:{},ssl=true", redis.tls_port());
    let gateway = GatewayBuilder::connecting(&connection)
        .set("Redis__TlsCaFile", &other.authority)
        .start_unready();
    wait_for_error(&gateway, "tls");
    assert_eq!(redis.pending(), 1);
}

#[test]
fn tls_with_a_certificate_for_another_name() {
    let redis =
        RedisServer::with(RedisOptions { tls_names: &["redis.example"], ..Default::default() });
    redis.push(&[SAMPLE]);
    let authority = redis.certificates().authority.clone();
    let connection = format!("localhost:{},ssl=true", redis.tls_port());
    let gateway =
        GatewayBuilder::connecting(&connection).set("Redis__TlsCaFile", &authority).start_unready();
    wait_for_error(&gateway, "tls");
    assert_eq!(redis.pending(), 1);
    let named = GatewayBuilder::connecting(&format!("{connection},sslHost=redis.example"))
        .set("Redis__TlsCaFile", &authority)
        .start();
    named.scrape_after(1);
}

#[test]
fn a_unix_socket() {
    let redis = RedisServer::with(RedisOptions { unix_socket: true, ..Default::default() });
    let socket = redis.socket();
    for connection in [format!("!{}", socket.display()), format!("unix://{}", socket.display())] {
        takes_from(&redis, &connection);
    }
}

#[test]
fn the_database_is_the_queues_or_the_connections() {
    let redis = RedisServer::start();
    let address = redis.address();
    let cases = [
        (format!("{address},defaultDatabase=3"), None, 0),
        (format!("{address},defaultDatabase=3"), Some("2"), 2),
        (format!("{address},defaultDatabase=3"), Some("-1"), 3),
        (address.clone(), Some("5"), 5),
        (format!("redis://{address}/4"), None, 4),
    ];
    for (row, (connection, database, expected)) in cases.into_iter().enumerate() {
        let queue = format!("queue-{row}");
        let mut builder =
            GatewayBuilder::connecting(&connection).set("Redis__MetricQueueKey", &queue);
        if let Some(database) = database {
            builder = builder.set("Redis__MetricQueueDatabase", database);
        }
        redis.push_to(expected, &queue, &[SAMPLE]);
        builder.start().scrape_after(1);
    }
}

#[test]
fn a_sentinel_tells_where_the_master_is() {
    let redis = RedisServer::start();
    let sentinel = Sentinel::watching(&redis);
    takes_from(&redis, &format!("{},serviceName=mymaster", sentinel.address()));
}

#[test]
fn a_replica_named_first_is_passed_over() {
    let master = RedisServer::start();
    let replica =
        RedisServer::with(RedisOptions { replica_of: Some(master.port()), ..Default::default() });
    wait_for("the replica to follow", || {
        let state: String = replica.run(&["INFO", "replication"]);
        if state.contains("master_link_status:up") { Ok(()) } else { Err(state) }
    });
    takes_from(&master, &format!("{},{}", replica.address(), master.address()));
}

#[test]
fn an_address_where_nobody_listens_is_passed_over() {
    let redis = RedisServer::start();
    takes_from(&redis, &format!("127.0.0.1:1,{}", redis.address()));
}

/// A gateway with that connection string takes a sample from `redis`.
fn takes_from(redis: &RedisServer, connection: &str) {
    let gateway = GatewayBuilder::connecting(connection).start();
    redis.push(&[SAMPLE]);
    gateway.scrape_after(1);
}

fn wait_for_error(gateway: &Gateway, kind: &str) {
    wait_until(&format!("a redis error of kind {kind}"), || {
        let seen = gateway.scrape();
        let name = "prom_stream_gateway_redis_errors_total";
        seen.value(name, &[("kind", kind)]).unwrap_or(0.0) >= 1.0
    });
}
