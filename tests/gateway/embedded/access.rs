//! Who may push, and on which ways.

use std::fs;
use std::process::Command;

use redis::cmd;

use psg_testkit::embedded::Embedded;
use psg_testkit::programs::stdout;
use psg_testkit::redis::QUEUE;
use psg_testkit::tls::Certificates;

const SAMPLE: &str = r#"{"name":"n_total","value":1}"#;

#[test]
fn a_login_is_asked_for() {
    let embedded = Embedded::with("embedded,user=u,password=p,", &[]);
    let refused = cmd("LPUSH").arg(QUEUE).arg(SAMPLE).exec(&mut embedded.connect());
    assert_eq!(refused.unwrap_err().code(), Some("NOAUTH"));
    let client = redis::Client::open(format!("redis://u:wrong@127.0.0.1:{}", embedded.port));
    assert!(client.unwrap().get_connection().is_err());
    cmd("LPUSH").arg(QUEUE).arg(SAMPLE).exec(&mut embedded.connect_as("u:p@")).unwrap();
    let seen = embedded.gateway.scrape_after(1);
    assert_eq!(seen.value("n_total", &[]), Some(1.0));
    let errors = "prom_stream_gateway_redis_errors_total";
    assert!(seen.value(errors, &[("kind", "auth")]) >= Some(1.0));
    assert_eq!(seen.value("prom_stream_gateway_redis_up", &[]), Some(1.0));
    let log = embedded.gateway.log().join("\n");
    assert!(!log.contains("password"), "{log}");
}

#[test]
fn tls_by_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = Certificates::create(folder.path(), &["localhost"]);
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let settings = [("Embedded__TlsCertificateFile", certificate), ("Embedded__TlsKeyFile", key)];
    let embedded = Embedded::with("embedded,password=p", &settings);
    let port = embedded.port.to_string();
    let mut push = Command::new("redis-cli");
    push.args(["-h", "localhost", "-p", &port, "--tls", "--cacert"]).arg(&files.authority);
    push.args(["--pass", "p", "--no-auth-warning", "LPUSH", QUEUE, SAMPLE]);
    assert_eq!(stdout(&mut push).trim(), "1");
    // Who does not speak TLS costs one connection.
    let mut plain = embedded.line();
    plain.send(&["PING"]);
    let said = plain.receive_all();
    assert!(!said.windows(4).any(|part| part == b"PONG"), "{}", said.escape_ascii());
    assert_eq!(stdout(&mut push).trim(), "1");
    let seen = embedded.gateway.scrape_after(2);
    let errors = "prom_stream_gateway_redis_errors_total";
    assert_eq!(seen.value(errors, &[("kind", "tls")]), Some(1.0));
}

#[test]
fn who_does_not_finish_a_handshake_makes_room_for_producers() {
    let folder = tempfile::tempdir().unwrap();
    let files = Certificates::create(folder.path(), &["localhost"]);
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let settings = [
        ("Embedded__TlsCertificateFile", certificate),
        ("Embedded__TlsKeyFile", key),
        ("Embedded__MaxConnections", "5"),
    ];
    let embedded = Embedded::with("embedded,password=p", &settings);
    let _strangers: Vec<_> = (0..20).map(|_| embedded.line()).collect();
    let port = embedded.port.to_string();
    let mut push = Command::new("redis-cli");
    push.args(["-h", "localhost", "-p", &port, "--tls", "--cacert"]).arg(&files.authority);
    push.args(["--pass", "p", "--no-auth-warning", "LPUSH", QUEUE, SAMPLE]);
    assert_eq!(stdout(&mut push).trim(), "1");
    embedded.gateway.scrape_after(1);
}

#[test]
fn a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("queue.sock");
    let address = format!("unix:{}", socket.display());
    let settings = [("Embedded__ListenAddress", address.as_str())];
    let push = || {
        let mut push = Command::new("redis-cli");
        push.arg("-s").arg(&socket).args(["LPUSH", QUEUE, SAMPLE]);
        assert_eq!(stdout(&mut push).trim(), "1");
    };
    let mut embedded = Embedded::with("embedded", &settings);
    push();
    let mode = embedded.gateway.log().into_iter().find(|line| line.contains("created the socket"));
    assert!(mode.is_some_and(|line| line.contains("\"mode\":\"7")), "its mode is told");
    embedded.gateway.scrape_after(1);
    embedded.gateway.signal("KILL");
    embedded.gateway.wait_at_most(psg_testkit::wait::PATIENCE);
    assert!(socket.exists(), "it was killed");
    let mut embedded = Embedded::with("embedded", &settings);
    push();
    embedded.gateway.scrape_after(1);
    embedded.gateway.signal("TERM");
    let status = embedded.gateway.wait_at_most(psg_testkit::wait::PATIENCE);
    assert_eq!(status.code(), Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the socket is gone");
}

/// What is there and is no socket is somebody else's.
#[test]
fn a_file_in_the_place_of_the_socket_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("file"), "dear").unwrap();
    fs::create_dir(place("folder")).unwrap();
    std::os::unix::fs::symlink(place("file"), place("link")).unwrap();
    stdout(Command::new("mkfifo").arg(place("fifo")));
    let taken = std::os::unix::net::UnixListener::bind(place("taken")).unwrap();
    for (name, got) in [
        ("file", "got a file"),
        ("folder", "got a folder"),
        ("link", "got a link"),
        ("fifo", "got a pipe"),
        ("taken", "somebody listens there already"),
    ] {
        let finished = psg_testkit::GatewayBuilder::connecting("embedded")
            .set("Embedded__ListenAddress", format!("unix:{}", place(name).display()))
            .finish();
        assert_eq!(finished.code(), 1, "{name}");
        let output = finished.output();
        assert!(output.contains("Embedded.ListenAddress") && output.contains(got), "{output}");
        assert!(fs::symlink_metadata(place(name)).is_ok(), "{name} is gone");
    }
    assert_eq!(fs::read_to_string(place("file")).unwrap(), "dear");
    drop(taken);
}

#[test]
fn an_address_in_use_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = psg_testkit::GatewayBuilder::connecting("embedded")
        .set("Embedded__ListenAddress", address.as_str())
        .finish();
    assert_eq!(finished.code(), 1);
    assert!(finished.output().contains(&address), "{}", finished.output());
}
