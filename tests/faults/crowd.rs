//! A crowd at the HTTP port, by the manners that were seen to keep others
//! waiting: probes are answered within a second all the same, whoever knows what
//! it wants gets a place, and memory stays bounded.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use psg_testkit::tls::Certificates;
use psg_testkit::{Exposition, Gateway, GatewayBuilder, Rig, wait_for, wait_until};

const HALF: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Half: ";
const WHOLE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BODY: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx";

/// Series of a page that no socket takes as a whole.
const SERIES: usize = 20_000;

/// Connections that say `what` and nothing more, each made anew when it is cut.
struct Crowd {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// From that address, 127.0.0.x.
    fn gather(port: u16, members: usize, from: u8, what: &'static [u8]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut all: Vec<Option<TcpStream>> = (0..members).map(|_| None).collect();
            while !is_over.load(Ordering::Relaxed) {
                for member in &mut all {
                    if member.as_ref().is_none_or(is_cut) {
                        *member = connect(port, from, what);
                    }
                }
                thread::yield_now();
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().expect("it ends once").join();
    }
}

fn connect(port: u16, from: u8, what: &[u8]) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let at = |last, port| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
    socket.bind(&at(from, 0).into()).ok()?;
    // So that who does not read takes nothing.
    socket.set_recv_buffer_size(4096).ok()?;
    socket.connect_timeout(&at(1, port).into(), Duration::from_millis(200)).ok()?;
    let mut stream: TcpStream = socket.into();
    stream.write_all(what).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn is_cut(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// How long probes took, most of them, from another address: on a machine that
/// is busy otherwise some take longer.
fn probes(gateway: &Gateway) -> Duration {
    let probe = |path| {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut stream = wait_for("a connection", || {
            connect(gateway.port(), 9, request.as_bytes()).ok_or_else(|| "none".to_owned())
        });
        stream.set_nonblocking(false).expect("it can wait");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out is set");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:?} {read:?}");
        began.elapsed()
    };
    let mut took: Vec<_> = (0..10).map(|_| probe("/-/healthy").max(probe("/-/ready"))).collect();
    took.sort();
    took[took.len() / 2]
}

#[test]
fn silent_half_and_endless_requests_keep_no_probe_waiting() {
    let rig = Rig::with(&[("Http__MaxConnections", "256")]);
    for what in [b"".as_slice(), HALF, BODY] {
        let _crowd = Crowd::gather(rig.gateway.port(), 400, 2, what);
        wait_until("the crowd to be there", || open_sockets(&rig.gateway) > 250);
        let took = probes(&rig.gateway);
        assert!(took < Duration::from_secs(1), "{took:?} beside {:?}", what.len());
        // And a scrape gets a place among them.
        wait_for("a scrape to be answered", || rig.gateway.try_scrape());
    }
}

#[test]
fn silent_connections_over_tls_keep_no_probe_waiting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::create(folder.path(), &["localhost"]);
    let file = folder.path().join("web.yml");
    let text = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    std::fs::write(&file, text).expect("written");
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Http__ConfigFile", &file)
        .set("Http__MaxConnections", "256")
        .start_listening();
    let _crowd = Crowd::gather(gateway.port(), 400, 2, b"\x16\x03");
    wait_until("the crowd to be there", || open_sockets(&gateway) > 250);
    let client = psg_testkit::https::Https::new(gateway.port(), &certificates.authority, None);
    let mut took: Vec<Duration> = (0..9)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(client.status("/-/healthy", &[]), Ok(200));
            began.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[4] < Duration::from_secs(1), "{took:?}");
}

#[test]
fn slow_readers_in_every_place_keep_no_probe_waiting_and_give_way_to_a_scrape() {
    let mut rig = Rig::with(&[("Http__MaxConnections", "64")]);
    rig.send(&wide(SERIES));
    let _crowd = Crowd::gather(rig.gateway.port(), 100, 2, WHOLE);
    wait_until("the crowd to be there", || open_sockets(&rig.gateway) > 60);
    let took = probes(&rig.gateway);
    assert!(took < Duration::from_secs(1), "{took:?}");
    // Turned away only as long as nobody is known to be slow.
    wait_for("a scrape to be answered", || rig.gateway.try_scrape());
}

#[test]
fn a_proxy_in_front_has_as_many_places_as_there_are() {
    let gateway =
        GatewayBuilder::connecting("127.0.0.1:1").set("Http__MaxConnections", "64").start_unready();
    let mut all: Vec<TcpStream> = (0..40)
        .map(|_| {
            let stream = connect(gateway.port(), 3, b"").expect("it listens");
            stream.set_nonblocking(false).expect("it can wait");
            stream
        })
        .collect();
    for stream in &mut all {
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

#[test]
fn slow_readers_that_come_one_after_the_other_share_renderings() {
    const READERS: usize = 50;
    let mut rig = Rig::start();
    rig.send(&wide(SERIES));
    let page = figure(&rig.gateway.scrape(), "exposition_bytes");
    let mut readers = Vec::new();
    for number in 0..READERS {
        readers.push(connect(rig.gateway.port(), 2, WHOLE).expect("it listens"));
        wait_until("the answer to begin", || {
            readers[number].peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
        });
    }
    // Who scrapes again and again sees what came before all the same.
    let after = rig.send(&[r#"{"name":"late_total","value":1}"#]);
    assert_eq!(after.value("late_total", &[]), Some(1.0));
    let unsent = figure(&after, "unsent_bytes");
    assert!(unsent > page / 2.0, "they hold {unsent} bytes, a page has {page}");
    assert!(unsent < 10.0 * page, "{READERS} readers hold {unsent} bytes, a page has {page}");
    assert!(readers.iter().all(|reader| !is_cut(reader)), "none of them was in the way");
}

#[test]
fn what_clients_do_not_take_has_a_bound() {
    const BOUND: f64 = 16_777_216.0;
    let mut rig = Rig::with(&[("Http__MaxUnsentBytes", "16 MiB")]);
    rig.send(&wide(SERIES));
    let (mut readers, mut most) = (Vec::new(), 0.0_f64);
    for number in 0..40 {
        // Each asks for something else, so that nothing can be shared.
        let request = format!("GET /metrics?name[]=g&name[]=x{number} HTTP/1.1\r\nHost: x\r\n\r\n");
        readers.push(connect(rig.gateway.port(), 2, request.as_bytes()).expect("it listens"));
        wait_until("an answer to begin", || {
            readers[number].peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
        });
        let reply = rig.gateway.must_get("/metrics?name[]=prom_stream_gateway_unsent_bytes", &[]);
        if let Some((_, bytes)) = reply.text().rsplit_once("unsent_bytes ") {
            most = most.max(bytes.trim().parse().expect("a number"));
        }
    }
    assert!((BOUND / 2.0..=BOUND).contains(&most), "{most} bytes are held");
    // Those that are slow have to go for who comes.
    wait_for("a scrape to be answered", || rig.gateway.try_scrape());
}

/// Gauges of some 290 bytes each.
fn wide(series: usize) -> Vec<String> {
    let label = "x".repeat(270);
    (0..series)
        .map(|i| {
            format!(r#"{{"type":"gauge","name":"g","value":1,"labels":{{"s":"{label}{i}"}}}}"#)
        })
        .collect()
}

fn open_sockets(gateway: &Gateway) -> usize {
    gateway.descriptors()
}

fn figure(seen: &Exposition, name: &str) -> f64 {
    seen.value(&format!("prom_stream_gateway_{name}"), &[]).expect("it is told")
}
