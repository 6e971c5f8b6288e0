//! What makes a Prometheus without a setting for it ask for the text format: it
//! stands before the gateway and asks without `Accept`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use psg_testkit::http;

/// It listens until the test process ends.
pub struct TextOnly {
    port: u16,
}

impl TextOnly {
    /// In front of the gateway on that port.
    pub fn before(gateway: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // One that leaves early has itself to blame.
                let _ = answer(client, gateway);
            }
        });
        Self { port }
    }

    /// `host:port`, as a target of Prometheus.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Takes one request, and ends the connection where the gateway gives no answer.
fn answer(mut client: TcpStream, gateway: u16) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let asked = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = asked.split(' ').nth(1).unwrap_or("/");
    let reply = http::get(gateway, path, &[]).map_err(std::io::Error::other)?;
    let kind = reply.header("content-type").unwrap_or("text/plain");
    write!(
        client,
        "HTTP/1.1 {} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.body.len()
    )?;
    client.write_all(&reply.body)
}
