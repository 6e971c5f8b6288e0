//! A gateway with its own queue, and connections to that.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis::{Client, Connection};

use crate::process::free_port;
use crate::wait::PATIENCE;
use crate::{Gateway, GatewayBuilder};

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

    /// A connection on which nothing was said yet.
    pub fn line(&self) -> Line {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        stream.set_nodelay(true).expect("an option can be set");
        Line { stream: BufReader::with_capacity(512, stream) }
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

/// A connection on which a test says its own words.
#[derive(Debug)]
pub struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    /// A command as clients send it.
    pub fn pack<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
        let mut packed = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            packed.extend(format!("${}\r\n", word.len()).into_bytes());
            packed.extend(word);
            packed.extend(b"\r\n");
        }
        packed
    }

    /// Sends a command.
    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        self.send_bytes(&Self::pack(words));
    }

    /// Sends any bytes.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        assert!(self.try_send_bytes(bytes), "the embedded queue does not take bytes");
    }

    /// The same, unless nothing is taken any more.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).is_ok()
    }

    /// Waits no longer than that for what is sent to be taken.
    pub fn give_up_after(&mut self, patience: Duration) {
        self.stream.get_ref().set_write_timeout(Some(patience)).expect("a time-out can be set");
    }

    /// The next whole reply.
    pub fn receive(&mut self) -> Vec<u8> {
        self.try_receive().expect("a reply")
    }

    /// All that comes until the connection is closed.
    pub fn receive_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        // A reset is an end too.
        let _ = self.stream.read_to_end(&mut all);
        all
    }

    /// The reply to a command.
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Vec<u8> {
        self.send(words);
        self.receive()
    }

    /// The reply to a command, unless the connection is closed.
    pub fn try_call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Option<Vec<u8>> {
        self.try_send_bytes(&Self::pack(words)).then(|| self.try_receive())?
    }

    /// Fails unless exactly that is replied.
    #[track_caller]
    pub fn check(&mut self, words: &[&str], expected: &str) {
        let reply = self.call(words);
        assert_eq!(String::from_utf8_lossy(&reply), expected, "{words:?}");
    }

    /// Fails unless the reply begins with that.
    #[track_caller]
    pub fn check_start(&mut self, words: &[&str], expected: &str) {
        let reply = self.call(words);
        let reply = String::from_utf8_lossy(&reply);
        assert!(reply.starts_with(expected), "{words:?}: {reply}");
    }

    /// Fails unless that is in the reply.
    #[track_caller]
    pub fn check_part(&mut self, words: &[&str], expected: &str) {
        let reply = self.call(words);
        let reply = String::from_utf8_lossy(&reply);
        assert!(reply.contains(expected), "{words:?}: {reply}");
    }

    /// Waits for the end of the connection; false where bytes come instead.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(cause) => cause.kind() == ErrorKind::ConnectionReset,
        }
    }

    fn try_receive(&mut self) -> Option<Vec<u8>> {
        let mut reply = Vec::new();
        let mut owed = 1;
        while owed > 0 {
            owed += self.take_part(&mut reply)?;
            owed -= 1;
        }
        Some(reply)
    }

    /// Takes one value, without those in it; how many these are.
    fn take_part(&mut self, reply: &mut Vec<u8>) -> Option<usize> {
        let begins = reply.len();
        self.stream.read_until(b'\n', reply).ok().filter(|read| *read > 0)?;
        let line = String::from_utf8_lossy(&reply[begins..]).trim_end().to_owned();
        let (kind, rest) = line.split_at(1);
        let count: i64 = rest.parse().unwrap_or(0);
        let count = usize::try_from(count).unwrap_or(0);
        match kind {
            "*" | ">" | "~" => Some(count),
            "%" => Some(count * 2),
            "$" | "=" if rest != "-1" => {
                let begins = reply.len();
                reply.resize(begins + count + 2, 0);
                self.stream.read_exact(&mut reply[begins..]).ok()?;
                Some(0)
            }
            _ => Some(0),
        }
    }
}
