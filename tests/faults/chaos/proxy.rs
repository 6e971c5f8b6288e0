//! A proxy between gateway and Redis that cuts connections, also at the very
//! moment when a certain script goes by.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What each script says of itself; only these words are known here.
pub const COMMIT: &[u8] = b"Makes a checkpoint valid";
pub const STAGE: &[u8] = b"Writes segments of a checkpoint ahead";
pub const CLAIM: &[u8] = b"Sets the backlog aside";

/// What happens when the words go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets them.
    Before,
    /// It gets them, and its answer is lost.
    Behind,
    /// It gets them, but only after the gateway had time to come back.
    Late,
    /// They go on as they are; that they went by is told.
    Never,
}

/// A proxy that listens.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    target: AtomicU16,
    trap: Mutex<Option<(&'static [u8], Cut)>>,
    /// Whether the trap has snapped.
    sprung: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// In front of the server on that port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        shared.target.store(target, Ordering::Relaxed);
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || listener.incoming().flatten().for_each(|client| shared.accept(client))
        });
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` of the proxy.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sets a trap for the next time that these words go by.
    pub fn trap(&self, words: &'static [u8], cut: Cut) {
        self.shared.sprung.store(false, Ordering::Relaxed);
        *self.shared.trap.lock().expect("no panic") = Some((words, cut));
    }

    /// Whether the trap has snapped.
    pub fn has_sprung(&self) -> bool {
        self.shared.sprung.load(Ordering::Relaxed)
    }

    /// Cuts every connection.
    pub fn cut_all(&self) {
        for stream in self.shared.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target.load(Ordering::Relaxed)))
        else {
            return;
        };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
            let stream = stream.try_clone().expect("a socket can be cloned");
            self.open.lock().expect("no panic").push(stream);
        }
        let answers = (server.try_clone(), client.try_clone());
        if let (Ok(from), Ok(to)) = answers {
            std::thread::spawn(move || copy(from, to));
        }
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.pass_on(client, server));
    }

    /// Requests, with an eye on the trap. Its words stand in one packet with all
    /// of their script, or at worst the cut comes inside of it.
    fn pass_on(&self, mut client: TcpStream, mut server: TcpStream) {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let bytes = &buffer[..count];
            match self.sprung_by(bytes) {
                None => {
                    if server.write_all(bytes).is_err() {
                        break;
                    }
                }
                Some(Cut::Never) => {
                    let _ = server.write_all(bytes);
                    self.sprung.store(true, Ordering::Relaxed);
                }
                Some(Cut::Before) => {
                    close(&client, &server);
                    self.sprung.store(true, Ordering::Relaxed);
                }
                Some(Cut::Behind) => {
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = server.write_all(bytes);
                    wait(Duration::from_millis(50));
                    self.sprung.store(true, Ordering::Relaxed);
                }
                Some(Cut::Late) => {
                    let _ = client.shutdown(Shutdown::Both);
                    self.sprung.store(true, Ordering::Relaxed);
                    wait(Duration::from_millis(500));
                    let _ = server.write_all(bytes);
                }
            }
        }
        close(&client, &server);
    }

    fn sprung_by(&self, bytes: &[u8]) -> Option<Cut> {
        let mut trap = self.trap.lock().expect("no panic");
        let (words, cut) = (*trap)?;
        let has = bytes.windows(words.len()).any(|window| window == words);
        has.then(|| *trap = None).map(|()| cut)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    close(&from, &to);
}

fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

#[expect(clippy::disallowed_methods, reason = "a network that is late")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
