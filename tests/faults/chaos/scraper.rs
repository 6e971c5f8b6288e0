//! The scraper: asks every gateway all the time, each on a thread of its own, and compares what it shows with
//! what was shown before the question.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use psg_testkit::totals::{Totals, fallen, shown};
use psg_testkit::{Exposition, Format, http};

/// A scraper at work.
pub struct Scraper {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The most that was shown of each; `None` while falling is no fault.
    floor: Mutex<Option<Totals>>,
    fault: Mutex<Option<String>>,
    scrapes: Mutex<u64>,
    stopped: AtomicBool,
    /// Whether each gateway shows a part of the series alone.
    is_partitioned: bool,
}

impl Scraper {
    /// One that asks the gateways on these ports.
    pub fn start(ports: Vec<u16>) -> Self {
        Self::with(Shared::default(), ports)
    }

    /// The same, where each gateway shows a part of the series alone.
    pub fn of_partitions(ports: Vec<u16>) -> Self {
        Self::with(Shared { is_partitioned: true, ..Shared::default() }, ports)
    }

    fn with(shared: Shared, ports: Vec<u16>) -> Self {
        let shared = Arc::new(shared);
        *shared.floor.lock().expect("no panic") = Some(Totals::new());
        let start = |port| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(port))
        };
        Self { threads: ports.into_iter().map(start).collect(), shared }
    }

    /// From here on falling is no fault: Redis itself loses data.
    pub fn expect_loss(&self) {
        *self.shared.floor.lock().expect("no panic") = None;
    }

    /// The loss is over: from here on nothing falls again.
    pub fn loss_is_over(&self) {
        *self.shared.floor.lock().expect("no panic") = Some(Totals::new());
    }

    /// Fails the test where a scrape showed less than one before.
    pub fn check(&self) {
        if let Some(fault) = &*self.shared.fault.lock().expect("no panic") {
            panic!("a total fell: {fault}");
        }
    }

    /// Ends it; how many scrapes showed totals.
    pub fn finish(mut self) -> u64 {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("the scraper does not panic");
        }
        self.check();
        *self.shared.scrapes.lock().expect("no panic")
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn run(&self, port: u16) {
        while !self.stopped.load(Ordering::Relaxed) {
            self.scrape(port);
            wait();
        }
    }

    fn scrape(&self, port: u16) {
        let before = self.floor.lock().expect("no panic").clone();
        let Some(totals) = totals_at(port) else { return };
        if totals.is_empty() {
            return;
        }
        *self.scrapes.lock().expect("no panic") += 1;
        let mut floor = self.floor.lock().expect("no panic");
        let (Some(mut before), Some(floor)) = (before, &mut *floor) else { return };
        if self.is_partitioned {
            before.retain(|key, _| totals.contains_key(key));
        }
        if let Some(fault) = fallen(&before, &totals) {
            self.fault.lock().expect("no panic").get_or_insert(format!("{fault} (port {port})"));
        }
        for (key, total) in totals {
            let most = floor.entry(key).or_insert(total);
            *most = most.max(total);
        }
    }
}

/// What the gateway there shows; `None` where it does not answer in full.
pub fn totals_at(port: u16) -> Option<Totals> {
    let reply = http::get(port, "/metrics", &[]).ok().filter(|reply| reply.status == 200)?;
    let seen = Exposition::parse(&reply.text(), Format::Text)
        .unwrap_or_else(|error| panic!("/metrics is not well-formed: {error}"));
    Some(shown(&seen))
}

#[expect(clippy::disallowed_methods, reason = "the pace of the scraper, not a wait of a test")]
fn wait() {
    std::thread::sleep(Duration::from_millis(10));
}
