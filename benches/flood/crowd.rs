//! The crowd: connections that say nothing or ask without a pause, all on one
//! thread.

use std::net::{Ipv4Addr, TcpStream as Held};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::Failure;

/// How long until the crowd has gathered, or shows that it can't.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often its members look whether it is over.
const LOOK: Duration = Duration::from_millis(500);
/// What is asked, and how what is answered ends.
const QUESTION: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
const ANSWER_END: &[u8] = b"healthy\n";

/// What its members do.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Nothing, until they are cut; then they come again.
    Silent,
    /// They ask, and ask again.
    Asking,
}

/// Members at work.
pub struct Crowd {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Crowd {
    /// Starts `members` connections to that port.
    pub fn gather(port: u16, members: usize, manner: Manner) -> Self {
        let (over, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let shared = (Arc::clone(&over), Arc::clone(&answers));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let local = tokio::task::LocalSet::new();
            for _ in 0..members {
                let (over, answers) = shared.clone();
                local.spawn_local(async move {
                    while !over.load(Ordering::Relaxed) {
                        // Whoever is cut or refused comes again.
                        let _ = visit(port, manner, &over, &answers).await;
                    }
                });
            }
            runtime.expect("a runtime").block_on(local);
        });
        Self { over, answers, thread }
    }

    /// Ends it; how many answers it got.
    pub fn disperse(self) -> u64 {
        let answers = self.answers.load(Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no member panics");
        answers
    }
}

async fn visit(
    port: u16,
    manner: Manner,
    over: &AtomicBool,
    answers: &AtomicU64,
) -> std::io::Result<()> {
    let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let Ok(connected) = timeout(LOOK, connecting).await else { return Ok(()) };
    let stream = connected?;
    let mut buffer = [0; 1024];
    while !over.load(Ordering::Relaxed) {
        if matches!(manner, Manner::Asking) {
            stream.writable().await?;
            stream.try_write(QUESTION)?;
        }
        let mut got = Vec::new();
        while !got.ends_with(ANSWER_END) && !over.load(Ordering::Relaxed) {
            if timeout(LOOK, stream.readable()).await.is_err() {
                continue;
            }
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(bytes) => got.extend_from_slice(&buffer[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Connects so often and holds on until `all_are_in` says so.
pub fn hold(
    port: u16,
    connections: usize,
    mut all_are_in: impl FnMut() -> Result<bool, Failure>,
) -> Result<Vec<Held>, Failure> {
    let connect = |_| Held::connect((Ipv4Addr::LOCALHOST, port));
    let held = (0..connections).map(connect).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    while !all_are_in()? {
        if began.elapsed() > PATIENCE {
            return Err(format!("expected {connections} connections, got fewer").into());
        }
    }
    Ok(held)
}

/// Raises the limit of open files.
pub fn make_room_for(connections: usize) -> Result<(), Failure> {
    let (limits, needed) = (getrlimit(Resource::Nofile), connections as u64 + 256);
    if limits.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limits.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|cause| format!("expected room for {needed} open files: {cause}").into())
}
