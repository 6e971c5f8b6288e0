//! Servers that break off or break the protocol: what came before is handed out,
//! and the error has its kind.

use psg_actors::error_kind::ErrorKind;
use psg_actors::settings::Endpoint;
use redis::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Harness, take, whole};

/// Answers each RPOP with those bytes and hangs up after the first.
async fn server_that_answers(bytes: &'static [u8]) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, bytes));
        }
    });
    Endpoint::Tcp("127.0.0.1".into(), port)
}

async fn serve(mut client: TcpStream, answer: &'static [u8]) {
    let mut decoder = Default::default();
    while let Ok(Value::Array(words)) =
        redis::parse_redis_value_async(&mut decoder, &mut client).await
    {
        let name: String = redis::from_redis_value_ref(&words[0]).unwrap();
        let reply = match name.as_str() {
            "RPOP" => answer,
            // No list is claimed.
            "HMGET" => b"*2\r\n$-1\r\n$-1\r\n",
            "ROLE" => b"*1\r\n$6\r\nmaster\r\n",
            _ => b"+OK\r\n",
        };
        if client.write_all(reply).await.is_err() || name == "RPOP" {
            return;
        }
    }
}

#[tokio::test]
async fn what_came_before_the_break_is_handed_out() {
    let check = async |answer: &'static [u8], expected: &[&str], kind: ErrorKind| {
        let harness = Harness::new(server_that_answers(answer).await);
        let mut source = harness.source();
        let mut taken = Vec::new();
        let failure = loop {
            match take(&mut source).await {
                Ok(elements) => taken.extend(elements.unwrap().into_iter().map(whole)),
                Err(failure) => break failure,
            }
        };
        assert_eq!(taken, expected, "{answer:?}");
        assert_eq!(failure.kind, kind, "{failure}");
        assert_eq!(harness.errors(kind), 1);
    };
    check(b"", &[], ErrorKind::Connection).await;
    check(b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$5\r\nhal", &["a", "b"], ErrorKind::Connection).await;
    check(b"*2\r\n$1\r\na\r\n:1\r\n", &["a"], ErrorKind::Protocol).await;
    check(b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", &["a", "b"], ErrorKind::Protocol).await;
    check(b"HTTP/1.1 400 Bad Request\r\n\r\n", &[], ErrorKind::Protocol).await;
    check(b"*1\r\n$-7\r\n", &[], ErrorKind::Protocol).await;
    check(b"-OOM command not allowed\r\n", &[], ErrorKind::Busy).await;
    check(b"-LOADING Redis is loading\r\n", &[], ErrorKind::Busy).await;
    check(b"-NOAUTH Authentication required.\r\n", &[], ErrorKind::Auth).await;
    check(b"-MOVED 1 127.0.0.1:1\r\n", &[], ErrorKind::NotPrimary).await;
    check(b"-UNHEARD of\r\n", &[], ErrorKind::Other).await;
}

#[tokio::test]
async fn a_password_is_in_no_message() {
    // A server without AUTH repeats the arguments in its refusal.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let words = b"-ERR unknown command `AUTH`, with args beginning with: `hunter2`, \r\n";
        client.write_all(words).await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut client, &mut rest).await;
    });
    let mut settings = super::harness::settings(vec![Endpoint::Tcp("127.0.0.1".into(), port)]);
    settings.redis.password = Some(psg_actors::settings::Secret::new("hunter2"));
    let (log, _guard) = super::log::Log::catch();
    let harness = Harness::with(settings);
    let failure = take(&mut harness.source()).await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Auth);
    let said = format!("{failure} {failure:?} {:?} {}", harness.queue, log.text());
    assert!(!said.contains("hunter2"), "{said}");
}
