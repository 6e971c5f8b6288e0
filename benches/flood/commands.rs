//! A flood of commands on the embedded queue: some clients send without a
//! pause, and it is measured how long another one waits for the answers to its
//! pushes.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream as Blocking};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::Failure;
use super::support::gateway::Gateway;

/// The key that gateways take from by default.
const QUEUE: &str = "prom-stream-gateway:metric-queue";
/// How often the honest client pushes.
const PAUSE: Duration = Duration::from_millis(5);
/// How often flooding clients look whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that they write at once.
const PIPELINE: usize = 64 * 1024;

/// Clients at work.
struct Flood {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// The table: each command in each manner, by a few clients and by more.
pub fn measure(binary: &Path, time: Duration) -> Result<(), Failure> {
    println!(
        "| clients that send | command | they read | pushes | p50, ms | p99, ms | longest, ms | MB/s \
         to the flood |\n| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    quiet(binary, time)?;
    for clients in [1, 8, 32] {
        for command in ["PING", "COMMAND", "INFO"] {
            for reads in [true, false] {
                let (gateway, port) = Gateway::start_embedded(binary, &[])?;
                let flood = Flood::begin(port, clients, command, reads);
                let waits = push(port, time)?;
                let bytes = flood.end();
                let rate = bytes as f64 / time.as_secs_f64() / 1e6;
                let reads = if reads { "yes" } else { "no" };
                println!("| {clients} | {command} | {reads} | {} | {rate:.0} |", row(&waits));
                drop(gateway);
            }
        }
    }
    println!();
    Ok(())
}

fn quiet(binary: &Path, time: Duration) -> Result<(), Failure> {
    let (_gateway, port) = Gateway::start_embedded(binary, &[])?;
    println!("| 0 | | | {} | |", row(&push(port, time)?));
    Ok(())
}

fn row(waits: &[Duration]) -> String {
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("{} | {:.2} | {:.2} | {:.1}", waits.len(), at(0.5), at(0.99), at(1.0))
}

/// Pushes 20 samples at a time; how long each push took, in order.
fn push(port: u16, time: Duration) -> Result<Vec<Duration>, Failure> {
    let mut client = BufReader::new(Blocking::connect((Ipv4Addr::LOCALHOST, port))?);
    client.get_mut().set_nodelay(true)?;
    client.get_mut().set_read_timeout(Some(Duration::from_secs(30)))?;
    let sample = r#"{"name":"requests_total","value":1,"labels":{"path":"/"}}"#;
    let words = [&["LPUSH", QUEUE][..], &[sample; 20]].concat();
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    let (began, mut waits) = (Instant::now(), Vec::new());
    while began.elapsed() < time || waits.len() < 2 {
        let sent = Instant::now();
        client.get_mut().write_all(request.as_bytes())?;
        let mut answer = String::new();
        client.read_line(&mut answer)?;
        if !answer.starts_with(':') {
            return Err(format!("expected the length of the queue, got {answer}").into());
        }
        waits.push(sent.elapsed());
        #[expect(clippy::disallowed_methods, reason = "the pace of an honest client")]
        thread::sleep(PAUSE.saturating_sub(sent.elapsed()));
    }
    waits.sort();
    Ok(waits)
}

impl Flood {
    fn begin(port: u16, clients: usize, command: &'static str, reads: bool) -> Self {
        let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let shared = (Arc::clone(&over), Arc::clone(&answered));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let local = tokio::task::LocalSet::new();
            for _ in 0..clients {
                let (over, answered) = shared.clone();
                local.spawn_local(async move {
                    while !over.load(Ordering::Relaxed) {
                        // Whoever is cut comes again.
                        let _ = send(port, command, reads, &over, &answered).await;
                    }
                });
            }
            runtime.expect("a runtime").block_on(local);
        });
        Self { over, answered, thread }
    }

    /// Ends it; how many bytes of answers it has read.
    fn end(self) -> u64 {
        let answered = self.answered.load(Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no client panics");
        answered
    }
}

async fn send(
    port: u16,
    command: &str,
    reads: bool,
    over: &AtomicBool,
    answered: &AtomicU64,
) -> std::io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let line = format!("{command}\r\n");
    let pipeline = line.repeat(PIPELINE / line.len());
    let (mut sent, mut buffer) = (0, vec![0; PIPELINE]);
    let interest = if reads { Interest::READABLE | Interest::WRITABLE } else { Interest::WRITABLE };
    while !over.load(Ordering::Relaxed) {
        let Ok(ready) = timeout(LOOK, stream.ready(interest)).await else { continue };
        let ready = ready?;
        if ready.is_readable() {
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(bytes) => answered.fetch_add(bytes as u64, Ordering::Relaxed),
                Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => 0,
                Err(cause) => return Err(cause),
            };
        }
        if ready.is_writable() {
            match stream.try_write(&pipeline.as_bytes()[sent..]) {
                Ok(bytes) => sent = (sent + bytes) % pipeline.len(),
                Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(cause) => return Err(cause),
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
