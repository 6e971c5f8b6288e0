//! A server before 6.2, played by a proxy that refuses what those do not know.

use psg_actors::settings::Endpoint;
use redis::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, expected, length, push, take, take_many, whole};
use super::log::Log;
use crate::server::RedisServer;

/// Listens, and answers as the server at `socket` would if it were of 6.0.
async fn old_server(socket: std::path::PathBuf) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let address = redis::ConnectionAddr::Unix(socket.clone());
            let info = redis::IntoConnectionInfo::into_connection_info(address).unwrap();
            let server = redis::Client::open(info).unwrap().get_connection().unwrap();
            tokio::spawn(serve(client, server));
        }
    });
    Endpoint::Tcp("127.0.0.1".into(), port)
}

async fn serve(mut client: TcpStream, mut server: redis::Connection) {
    let mut decoder = Default::default();
    while let Ok(Value::Array(words)) =
        redis::parse_redis_value_async(&mut decoder, &mut client).await
    {
        let words: Vec<String> =
            words.iter().map(|word| redis::from_redis_value_ref(word).unwrap()).collect();
        let mut reply = Vec::new();
        match (words[0].as_str(), words.len()) {
            ("RPOP", 3) => {
                reply.extend_from_slice(b"-ERR wrong number of arguments for 'rpop' command\r\n")
            }
            ("BLMOVE", _) => reply.extend_from_slice(b"-ERR unknown command `BLMOVE`\r\n"),
            _ => {
                let mut command = redis::cmd(&words[0]);
                words[1..].iter().for_each(|word| {
                    command.arg(word);
                });
                encode(&command.query(&mut server).unwrap(), &mut reply);
            }
        }
        if client.write_all(&reply).await.is_err() {
            return;
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the crate's enum has many more")]
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.extend_from_slice(b"$-1\r\n"),
        Value::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Value::Okay => out.extend_from_slice(b"+OK\r\n"),
        Value::BulkString(bytes) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Array(values) => {
            out.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
            values.iter().for_each(|value| encode(value, out));
        }
        other => panic!("not a reply that is needed here: {other:?}"),
    }
}

#[tokio::test]
async fn plain_pops_are_used_where_rpop_takes_no_count() {
    let (log, _guard) = Log::catch();
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    push(&mut connection, 0..20_000);
    let harness = Harness::new(old_server(server.socket()).await);
    let mut source = harness.source();
    assert!(take_many(&mut source, 20_000).await == expected(0..20_000));
    assert_eq!(harness.queue.trouble(), None);
    // It polls now, and a pop of 25 commands that finds nothing counts once.
    let (taken, ()) = tokio::join!(take(&mut source), async {
        let before = harness.empty_pops();
        super::harness::eventually("polls", || harness.empty_pops() > before + 2).await;
        assert!(server.calls("rpop") > 20_000 + 25 * (harness.empty_pops() - before - 1));
        push(&mut connection, 20_000..20_001);
    });
    assert_eq!(taken.unwrap().unwrap().len(), 1);
    assert_eq!(log.count("polling for elements"), 1, "{}", log.text());
}

#[tokio::test]
async fn a_stop_loses_nothing_of_plain_pops() {
    let server = RedisServer::start(&[]);
    let mut connection = server.connect();
    push(&mut connection, 0..20_000);
    let harness = Harness::new(old_server(server.socket()).await);
    let mut source = harness.source();
    let mut taken = take_many(&mut source, 1000).await;
    harness.stopper.stop();
    while let Some(elements) = take(&mut source).await.unwrap() {
        taken.extend(elements.into_iter().map(whole));
    }
    assert_eq!(taken.len() + length(&mut connection), 20_000);
    assert!(taken == expected(0..taken.len()));
}
