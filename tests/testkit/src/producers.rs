//! Producers: each pushes batch after batch, a batch and its number in one
//! transaction, and reads the number before it repeats one whose outcome it
//! does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::{Client, Connection};

use super::totals::{Totals, add, batch};
use crate::redis::QUEUE;
use crate::wait_for;

/// Producers at work.
pub struct Producers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<u64>>,
}

/// Where one producer pushes to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Key of the list.
    pub queue: String,
    /// Ports of the servers of which one has it, or knows who has.
    pub ports: Vec<u16>,
}

struct Shared {
    seed: u64,
    /// Of each producer.
    targets: Vec<Target>,
    /// The port that all go to from now on, if it is not 0.
    moved_to: AtomicU16,
    paused: AtomicBool,
    stopped: AtomicBool,
    /// How many are between two batches while paused.
    resting: AtomicU64,
    pushed: AtomicU64,
    /// The number of each producer's last batch that is known to be there.
    done: Vec<AtomicU64>,
    pace: Duration,
}

/// Why a batch is not known to be there.
enum Doubt {
    /// Redis said that it did not take it.
    Refused,
    Unknown,
}

/// The seed of this run: told on standard error, and taken from the environment
/// where it is to be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("PSG_CHAOS_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("PSG_CHAOS_SEED={seed}");
    seed
}

impl Producers {
    /// So many producers that push to the default queue of the server on that port.
    pub fn start(seed: u64, port: u16, count: usize) -> Self {
        Self::at(seed, vec![Target { queue: QUEUE.to_owned(), ports: vec![port] }; count])
    }

    /// A producer for each target.
    pub fn at(seed: u64, targets: Vec<Target>) -> Self {
        let count = targets.len();
        let shared = Arc::new(Shared {
            seed,
            targets,
            moved_to: AtomicU16::new(0),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            resting: AtomicU64::new(0),
            pushed: AtomicU64::new(0),
            done: (0..count).map(|_| AtomicU64::new(0)).collect(),
            pace: Duration::from_millis(2),
        });
        let start = |producer| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(producer))
        };
        Self { threads: (0..count).map(start).collect(), shared }
    }

    /// Batches so far.
    pub fn pushed(&self) -> u64 {
        self.shared.pushed.load(Ordering::Relaxed)
    }

    /// From now on they push to another server.
    pub fn go_to(&self, port: u16) {
        self.shared.moved_to.store(port, Ordering::Relaxed);
    }

    /// Waits until none has a batch under way.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
        wait_for("all producers to rest", || {
            let resting = self.shared.resting.load(Ordering::Relaxed);
            if resting == self.threads.len() as u64 { Ok(()) } else { Err(format!("{resting}")) }
        });
    }

    /// How many elements were pushed in all; while they pause.
    pub fn elements(&self) -> u64 {
        let of_producer = |(producer, done): (usize, &AtomicU64)| {
            let numbers = 1..=done.load(Ordering::Relaxed);
            numbers
                .map(|number| batch(self.shared.seed, producer, number).len() as u64)
                .sum::<u64>()
        };
        self.shared.done.iter().enumerate().map(of_producer).sum()
    }

    /// Ends the pause.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Ends them; what all batches make together, and the last number of each.
    pub fn finish(self) -> (Totals, Vec<u64>) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.resume();
        let last: Vec<u64> =
            self.threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let mut totals = Totals::new();
        for (producer, last) in last.iter().enumerate() {
            for number in 1..=*last {
                for payload in batch(self.shared.seed, producer, number) {
                    add(&mut totals, &payload, 1.0);
                }
            }
        }
        (totals, last)
    }
}

impl Shared {
    /// Pushes until it is stopped; the number of the last batch that is there.
    fn run(&self, producer: usize) -> u64 {
        let mut link = Link { target: &self.targets[producer], producer, next: 0, open: None };
        let mut done = 0;
        loop {
            if self.paused.load(Ordering::Relaxed) {
                self.rest();
            }
            if self.stopped.load(Ordering::Relaxed) {
                return done;
            }
            let number = done + 1;
            match link.push(batch(self.seed, producer, number), number) {
                Ok(()) => done = number,
                Err(Doubt::Refused) => {}
                Err(Doubt::Unknown) => done = self.last_there(&mut link),
            }
            self.done[producer].store(done, Ordering::Relaxed);
            self.pushed.fetch_add(1, Ordering::Relaxed);
            self.wait();
        }
    }

    fn rest(&self) {
        self.resting.fetch_add(1, Ordering::Relaxed);
        while self.paused.load(Ordering::Relaxed) && !self.stopped.load(Ordering::Relaxed) {
            self.wait();
        }
        self.resting.fetch_sub(1, Ordering::Relaxed);
    }

    #[expect(clippy::disallowed_methods, reason = "the pace of a producer, not a wait of a test")]
    fn wait(&self) {
        std::thread::sleep(self.pace);
    }

    /// The number of the last batch that is there, as soon as anybody tells.
    fn last_there(&self, link: &mut Link) -> u64 {
        loop {
            let moved_to = self.moved_to.load(Ordering::Relaxed);
            if let Some(number) = link.read_number(moved_to) {
                return number;
            }
            self.wait();
        }
    }
}

/// A producer's way to its queue.
struct Link<'a> {
    target: &'a Target,
    producer: usize,
    /// Which of the ports is tried next.
    next: usize,
    open: Option<Connection>,
}

impl Link<'_> {
    fn push(&mut self, batch: Vec<String>, number: u64) -> Result<(), Doubt> {
        let key = self.number_key();
        let Some(open) = &mut self.open else { return Err(Doubt::Unknown) };
        let mut transaction = redis::pipe();
        transaction.atomic().cmd("LPUSH").arg(&self.target.queue).arg(batch);
        transaction.ignore().cmd("SET").arg(key).arg(number).ignore();
        transaction.query::<()>(open).map_err(|failure| {
            let is_refused = failure.to_string().contains("OOM");
            if is_refused {
                return Doubt::Refused;
            }
            self.open = None;
            Doubt::Unknown
        })
    }

    fn read_number(&mut self, moved_to: u16) -> Option<u64> {
        if self.open.is_none() {
            let ports = &self.target.ports;
            let port = if moved_to == 0 { ports[self.next % ports.len()] } else { moved_to };
            self.open = connect(port);
        }
        let key = self.number_key();
        let found = self.open.as_mut().map(|open| redis::cmd("GET").arg(key).query(open));
        if let Some(Ok(number)) = found {
            return Some(number).map(|number: Option<u64>| number.unwrap_or(0));
        }
        // Another server may have it, or know who has.
        self.next += 1;
        self.open = None;
        None
    }

    /// Beside the queue, in its slot of a cluster.
    fn number_key(&self) -> String {
        format!("{{{}}}:batch:{}", self.target.queue, self.producer)
    }
}

fn connect(port: u16) -> Option<Connection> {
    let url = format!("redis://127.0.0.1:{port}/");
    let open = Client::open(url).ok()?.get_connection_with_timeout(PATIENCE).ok()?;
    open.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(open)
}

/// How long a producer waits for an answer before it takes it for lost.
const PATIENCE: Duration = Duration::from_secs(3);
