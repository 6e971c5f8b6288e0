//! A proxy that loses replies to delivers: each reply that it loses ends its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use psg_actors::settings::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where it listens, and how many replies it has lost.
pub struct Proxy {
    pub endpoint: Endpoint,
    pub lost: Arc<AtomicU64>,
}

impl Proxy {
    /// Of that server; every other reply to a deliver is lost.
    pub async fn of(server: Endpoint) -> Self {
        let Endpoint::Tcp(host, port) = server else { unreachable!() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port());
        let (lost, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let count = lost.clone();
        tokio::task::spawn_local(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect((host.as_str(), port)).await.unwrap();
                tokio::task::spawn_local(pass_on(client, server, seen.clone(), count.clone()));
            }
        });
        Self { endpoint, lost }
    }
}

/// Requests are passed on as they come, one at a time.
async fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    seen: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
) {
    let (mut request, mut reply) = (vec![0; 1 << 20], vec![0; 1 << 16]);
    let mut is_deliver = false;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(read @ 1..) = read else { return };
                is_deliver |= request[..read].windows(5).any(|word| word == b"LPUSH");
                if server.write_all(&request[..read]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut reply) => {
                let Ok(read @ 1..) = read else { return };
                let is_odd = is_deliver && seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
                is_deliver = false;
                if is_odd {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if client.write_all(&reply[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
