//! What is believed and what is shown: certificates that are rotated or their
//! own authority, certificates of the gateway, passwords in files.

use std::fs;

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::{Endpoint, QueueSettings, TlsSettings};

use super::certificates::Certificates;
use super::connecting::{fails_with, reached_by, takes_from};
use super::harness::{Harness, KEY, expected, push, take_many};
use crate::server::{RedisServer, free_port};

fn server_with(certificates: &Certificates, port: u16, more: &[&str]) -> RedisServer {
    let options = certificates.options(port);
    let all: Vec<&str> = options.iter().map(String::as_str).chain(more.iter().copied()).collect();
    RedisServer::start(&all)
}

fn trusting(port: u16, tls: TlsSettings) -> QueueSettings {
    reached_by(vec![Endpoint::Tcp("localhost".into(), port)], |target| target.tls = Some(tls))
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_its_own_authority_is_good() {
    let (own, port) = (Certificates::self_signed(&["localhost"]), free_port());
    let server = server_with(&own, port, &[]);
    let trusted = |ca: &Certificates| {
        let ca_file = Some(ca.authority());
        trusting(port, TlsSettings { ca_file, ..TlsSettings::default() })
    };
    takes_from(&server, trusted(&own)).await;
    fails_with(trusted(&Certificates::self_signed(&["localhost"])), ErrorKind::Tls).await;
    let mut misnamed = trusted(&own);
    misnamed.redis.endpoints = vec![Endpoint::Tcp("127.0.0.1".into(), port)];
    fails_with(misnamed, ErrorKind::Tls).await;
}

#[tokio::test]
async fn certificate_authorities_that_are_added_need_no_restart() {
    let (old, new) = (Certificates::new(&["localhost"]), Certificates::new(&["localhost"]));
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.pem");
    fs::copy(old.authority(), &both).unwrap();
    let port = free_port();
    let mut server = server_with(&old, port, &[]);
    let tls = TlsSettings { ca_file: Some(both.clone()), ..TlsSettings::default() };
    let harness = Harness::with(trusting(port, tls));
    let mut source = harness.source();
    push(&mut server.connect(), 0..10);
    assert_eq!(take_many(&mut source, 10).await, expected(0..10));
    let texts = [old.authority(), new.authority()].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&both, texts.concat()).unwrap();
    server.kill();
    let server = server_with(&new, port, &[]);
    push(&mut server.connect(), 10..20);
    assert_eq!(take_many(&mut source, 10).await, expected(10..20));
    assert!(harness.errors(ErrorKind::Tls) == 0, "it was read for the first connection");
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let (certificates, port) = (Certificates::new(&["localhost"]), free_port());
    let mut options = certificates.options(port);
    options.retain(|option| option != "tls-auth-clients no");
    let all: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = RedisServer::start(&all);
    let tls = |identity| {
        let ca_file = Some(certificates.authority());
        trusting(port, TlsSettings { ca_file, identity, ..TlsSettings::default() })
    };
    takes_from(&server, tls(Some(certificates.identity()))).await;
    let message = fails_with(tls(None), ErrorKind::Tls).await;
    assert!(message.contains("client certificate (Redis.TlsCertificateFile"), "{message}");
    let stranger = Certificates::new(&["localhost"]);
    let message = fails_with(tls(Some(stranger.identity())), ErrorKind::Tls).await;
    assert!(message.contains("the certificate that it is shown"), "{message}");
}

#[tokio::test]
async fn a_password_in_a_file_that_is_rotated_needs_no_restart() {
    let server = RedisServer::start(&["requirepass old"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "old\n").unwrap();
    let harness = Harness::with(reached_by(vec![server.endpoint()], |target| {
        target.password_file = Some(file.clone());
    }));
    let mut source = harness.source();
    let mut connection = server.connect();
    redis::cmd("AUTH").arg("old").exec(&mut connection).unwrap();
    push(&mut connection, 0..10);
    assert_eq!(take_many(&mut source, 10).await, expected(0..10));
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("new").exec(&mut connection).unwrap();
    fs::write(&file, "new\n").unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut connection).unwrap();
    push(&mut connection, 10..20);
    assert_eq!(take_many(&mut source, 10).await, expected(10..20));
    fs::remove_file(&file).unwrap();
    let gone = reached_by(vec![server.endpoint()], |target| target.password_file = Some(file));
    let message = fails_with(gone, ErrorKind::Auth).await;
    assert!(message.contains("Redis.PasswordFile"), "{message}");
    redis::cmd("DEL").arg(KEY).exec(&mut connection).unwrap();
}
