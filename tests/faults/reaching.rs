//! Reaching Redis, as an operator sees it where it does not work: in the log, in
//! `/-/ready`, by the doctor.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use psg_testkit::process::free_port;
use psg_testkit::{Finished, Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

const GOOD: &str = r#"{"name":"a_total","value":1}"#;

fn ready_says(gateway: &Gateway, part: &str) {
    wait_for("the reason to be told", || {
        let ready = gateway.must_get("/-/ready", &[]);
        let is_told = ready.status == 503 && ready.text().contains(part);
        if is_told { Ok(()) } else { Err(ready.text().to_owned()) }
    });
}

fn log_says(gateway: &Gateway, part: &str) {
    wait_for("a line of the log", || {
        let log = gateway.log().join("\n");
        if log.contains(part) { Ok(()) } else { Err(log) }
    });
}

#[test]
fn a_wrong_password_is_not_called_unreachable() {
    let redis = RedisServer::with(RedisOptions { password: Some("right"), ..Default::default() });
    let connection = format!("{},password=hunter2", redis.address());
    let gateway = GatewayBuilder::connecting(&connection).start_unready();
    ready_says(&gateway, "redis refuses the login: ");
    log_says(&gateway, "redis refuses the login: ");
    let status = gateway.must_get("/api/v1/status", &[]).text().to_owned();
    assert!(status.contains("redis refuses the login: "), "{status}");
    let said = format!("{status}{}", gateway.log().join("\n"));
    assert!(!said.contains("unreachable") && !said.contains("not reachable"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_redis_that_is_away_at_the_start_is_told_with_the_setting_that_says_where_it_is() {
    let port = free_port();
    let gateway = GatewayBuilder::connecting(&format!("127.0.0.1:{port}")).start_unready();
    ready_says(&gateway, &format!("redis is not reachable: 127.0.0.1:{port}"));
    log_says(&gateway, "Redis.ConnectionString says where it is; with embedded");
}

/// What the doctor finds wrong with Redis, and what it advises.
#[track_caller]
fn wrong(of: &Finished) -> (String, String) {
    assert_eq!(of.code(), 1, "{}", of.output());
    let at = of.lines.iter().position(|line| line.starts_with("fail  redis"));
    let at = at.unwrap_or_else(|| panic!("nothing is wrong: {}", of.output()));
    (of.lines[at].clone(), of.lines[at + 1].clone())
}

#[test]
fn the_doctor_tells_tls_where_there_is_none_and_none_where_there_is() {
    let redis = RedisServer::with(RedisOptions { tls_names: &["127.0.0.1"], ..Default::default() });
    let examined = |connection: String| {
        let connection = format!("{connection},connectTimeout=500");
        GatewayBuilder::connecting(&connection).arguments(&["doctor"]).finish()
    };
    let (line, advice) = wrong(&examined(format!("{},ssl=true", redis.address())));
    assert!(line.contains("does not speak TLS"), "{line}");
    assert!(advice.contains("take ssl=true or rediss:// out"), "{advice}");
    let (line, _) = wrong(&examined(format!("127.0.0.1:{}", redis.tls_port())));
    assert!(line.contains("ssl=true"), "{line}");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let (line, advice) = wrong(&examined(address.to_string()));
    assert!(line.contains("the server speaks HTTP"), "{line}");
    assert!(advice.contains("Redis.ConnectionString"), "{advice}");
}

#[test]
fn by_tls_a_server_that_another_one_names_has_to_fit_what_the_operator_named() {
    let server = |name| RedisServer::with(RedisOptions { tls_names: name, ..Default::default() });
    let (replica, primary) = (server(&["127.0.0.1"]), server(&["localhost"]));
    replica.run::<()>(&["REPLICAOF", "localhost", &primary.tls_port().to_string()]);
    // Authorities of the system: anybody gets a certificate of theirs.
    let folder = tempfile::tempdir().expect("a folder");
    let system = folder.path().join("system.pem");
    let authorities = [&replica, &primary]
        .map(|server| fs::read_to_string(&server.certificates().authority).expect("an authority"));
    fs::write(&system, authorities.concat()).expect("written");
    let builder = || {
        GatewayBuilder::connecting(&format!("127.0.0.1:{},ssl=true", replica.tls_port()))
            .set("SSL_CERT_FILE", &system)
    };
    let gateway = builder().start_unready();
    ready_says(&gateway, "another server named this one");
    let gateway = builder().set("Redis__TrustRedirects", "true").start();
    primary.push(&[GOOD]);
    gateway.scrape_after(1);
    let by_authority = builder().set("Redis__TlsCaFile", &system).start();
    primary.push(&[GOOD]);
    wait_for("either of them to take it", || {
        let seen = [&gateway, &by_authority].map(|one| one.scrape().value("a_total", &[]));
        match seen.iter().flatten().sum::<f64>() {
            2.0 => Ok(()),
            _ => Err(format!("{seen:?}")),
        }
    });
}
