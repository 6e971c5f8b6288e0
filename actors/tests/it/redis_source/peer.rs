//! Peers that are no Redis, or one with a mind of its own.

use std::sync::Arc;
use std::time::Duration;

use psg_actors::settings::Endpoint;
use redis::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a peer does with a command: its words, the answer.
pub type Answer = Arc<dyn Fn(&[String]) -> Says + Send + Sync>;

/// What it says.
pub enum Says {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, for as long as it is asked.
    Nothing,
}

/// Bytes that a peer says.
pub fn says(text: impl AsRef<[u8]>) -> Says {
    Says::Bytes(text.as_ref().to_vec())
}

/// One that answers each command.
pub async fn answering(answer: impl Fn(&[String]) -> Says + Send + Sync + 'static) -> Endpoint {
    let answer: Answer = Arc::new(answer);
    on_each_connection(move |stream| converse(stream, Arc::clone(&answer))).await
}

/// One that says something as soon as it is asked anything, and hangs up.
pub async fn saying_only(words: &'static [u8]) -> Endpoint {
    on_each_connection(move |mut stream| async move {
        let _ = stream.read(&mut [0; 1]).await;
        let _ = stream.write_all(words).await;
    })
    .await
}

/// One that accepts and says nothing.
pub async fn swallowing() -> Endpoint {
    on_each_connection(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await
}

/// One that answers the first command and never ends.
pub async fn endless(begin: &'static [u8], more: &'static [u8]) -> Endpoint {
    on_each_connection(move |mut stream| async move {
        let _ = stream.read(&mut [0; 1]).await;
        let _ = stream.write_all(begin).await;
        while stream.write_all(&more.repeat(1000)).await.is_ok() {}
    })
    .await
}

/// A Sentinel of which every service is at that endpoint.
pub async fn sentinel_naming(master: Endpoint) -> Endpoint {
    let Endpoint::Tcp(host, port) = master else { unreachable!() };
    let named = [host, port.to_string()];
    answering(move |words| match words[0].as_str() {
        "SENTINEL" => {
            let [host, port] = &named;
            says(format!("*2\r\n${}\r\n{host}\r\n${}\r\n{port}\r\n", host.len(), port.len()))
        }
        _ => says("+OK\r\n"),
    })
    .await
}

/// One that passes those commands on to a server, and hangs up at others.
pub async fn proxy_of(server: &Endpoint, known: &'static [&'static str]) -> Endpoint {
    let Endpoint::Tcp(host, port) = server.clone() else { unreachable!() };
    on_each_connection(move |client| pass_on(client, host.clone(), port, known)).await
}

async fn pass_on(
    mut client: TcpStream,
    host: String,
    port: u16,
    known: &'static [&'static str],
) -> Option<()> {
    let mut server = TcpStream::connect((host, port)).await.ok()?;
    let mut decoder = Default::default();
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = client.split();
    let answers = tokio::io::copy(&mut from_server, &mut to_client);
    let commands = async {
        loop {
            let words =
                words(redis::parse_redis_value_async(&mut decoder, &mut from_client).await)?;
            if !known.contains(&words[0].as_str()) {
                return None::<()>;
            }
            let mut command = redis::cmd(&words[0]);
            command.arg(&words[1..]);
            to_server.write_all(&command.get_packed_command()).await.ok()?;
        }
    };
    tokio::select! {
        _ = answers => None,
        ended = commands => ended,
    }
}

async fn converse(mut stream: TcpStream, answer: Answer) -> Option<()> {
    let mut decoder = Default::default();
    loop {
        let words = words(redis::parse_redis_value_async(&mut decoder, &mut stream).await)?;
        match answer(&words) {
            Says::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
            Says::Nothing => {}
        }
    }
}

fn words(command: redis::RedisResult<Value>) -> Option<Vec<String>> {
    redis::from_redis_value(command.ok()?).ok()
}

async fn on_each_connection<F, R>(serve: F) -> Endpoint
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Endpoint::Tcp("127.0.0.1".into(), port)
}

/// A time-out that tests of silence wait for in full.
pub const SHORT: Duration = Duration::from_millis(300);
