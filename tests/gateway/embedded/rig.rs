//! A gateway with its own queue, and connections to that.

use redis::{Client, Connection};

use crate::support::process::free_port;
use crate::support::{Gateway, GatewayBuilder};

/// A running gateway that is its own queue.
#[derive(Debug)]
pub struct Embedded {
    /// The process.
    pub gateway: Gateway,
    /// Where producers connect to, on 127.0.0.1.
    pub port: u16,
}

impl Embedded {
    /// With default settings, but for ports.
    pub fn start() -> Self {
        Self::with("embedded", &[])
    }

    /// With that connection string and those settings, by their environment
    /// names.
    pub fn with(connection_string: &str, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut builder = GatewayBuilder::connecting(connection_string)
            .set("Embedded__ListenAddress", format!("127.0.0.1:{port}"));
        for (name, value) in settings {
            builder = builder.set(name, value);
        }
        Self { gateway: builder.start(), port }
    }

    /// A connection of a client that says nothing first.
    pub fn connect(&self) -> Connection {
        self.connect_as("")
    }

    /// The same with a login, such as `user:password@`.
    pub fn connect_as(&self, login: &str) -> Connection {
        let client = Client::open(format!("redis://{login}127.0.0.1:{}", self.port));
        client.and_then(|client| client.get_connection()).expect("the embedded queue answers")
    }
}
