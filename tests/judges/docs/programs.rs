//! The producers of the pages, each in its language, with real clients: they push,
//! they go on after a connection was cut, and whatever becomes of the push, they
//! neither wait nor throw, and say once what went wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::languages::{self, Driven, Language, Producer, Pushed, Timeouts};
use psg_testkit::pages::Block;
use psg_testkit::process::free_port;
use psg_testkit::programs::stdout;
use psg_testkit::{GatewayBuilder, RedisServer, Rig};

/// What the pages promise: how long a push takes at most, whatever Redis does.
/// What is more, a busy machine has taken: of several pushes one keeps to it.
const PROMISED: Duration = Duration::from_millis(300);
const TRIES: usize = 8;

/// Where nothing holds a push up but its time-outs: far less than what clients
/// wait by themselves, which is 5 seconds or a minute.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a program says, once, of samples that did not go away.
const NOT_SENT: &str = "metrics were not sent";

/// Each language's programs do what they say.
pub fn push_and_do_not_wait(blocks: &[Block]) {
    for block in blocks {
        let Some(language) = languages::of(block) else { continue };
        let case = Case { language, block };
        case.samples_arrive();
        case.a_kept_connection_that_was_cut_is_replaced();
        case.a_refused_push_is_told();
        let refusing = free_port();
        case.nothing_holds_it_up("a port that refuses", refusing);
        case.nothing_holds_it_up("a server that says nothing", peer(hold));
        case.nothing_holds_it_up("a server that cuts", peer(cut));
    }
}

struct Case<'a> {
    language: &'static Language,
    block: &'a Block,
}

impl Case<'_> {
    fn producer(&self, port: u16, timeouts: Timeouts) -> Producer {
        Producer::new(self.language, self.block, port, timeouts)
    }

    /// As the program stands there, run once.
    fn samples_arrive(&self) {
        let rig = Rig::start();
        let producer = self.producer(rig.redis.port(), Timeouts::Long);
        assert_eq!(stdout(&mut producer.alone()), "", "the program has nothing to say");
        let seen = rig.gateway.scrape_after(2);
        assert_eq!(seen.totals(), (2, 0));
        let labels = [("queue", "mail"), ("runtime", self.language.name)];
        assert_eq!(seen.value("jobs_total", &labels), Some(1.0));
        assert_eq!(seen.value("job_seconds_sum", &labels[1..]), Some(0.21));

        let output = self.producer(free_port(), Timeouts::AsPrinted).alone().output();
        let output = output.expect("it has just run");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains(NOT_SENT), "{said}");
    }

    /// In a process that lives on, as a function's does between invocations. What
    /// JSON can't write keeps nothing else back.
    fn a_kept_connection_that_was_cut_is_replaced(&self) {
        let redis = RedisServer::start();
        let mut driven = self.producer(redis.port(), Timeouts::Long).drive();
        let already = redis.pending();
        let quiet = |pushed: Pushed| assert!(pushed.said.is_empty(), "{}: {pushed:?}", self.name());
        quiet(driven.push("fine"));
        let before = connections(&redis);
        quiet(driven.push("fine"));
        assert_eq!(connections(&redis), before + 1, "{}: it does not keep it", self.name());
        for _ in 0..3 {
            let cut = || assert!(redis.run::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]) > 0);
            quiet(driven.push_after(cut));
        }
        let odd = driven.push("odd");
        assert!(odd.said.iter().any(|line| line.contains("a sample was not sent")), "{odd:?}");
        assert!(!odd.said.iter().any(|line| line.contains(NOT_SENT)), "{odd:?}");
        // Python's `Decimal` is one that can be written.
        let odd = if self.language.name == "python" { 2 } else { 1 };
        assert_eq!(redis.pending() - already, 5 * 2 + odd, "{}", self.name());
    }

    /// By a gateway whose queue has another key: an answer, but an error.
    fn a_refused_push_is_told(&self) {
        let port = free_port();
        let gateway = GatewayBuilder::connecting("embedded")
            .set("Embedded__ListenAddress", format!("127.0.0.1:{port}"))
            .set("Redis__MetricQueueKey", "another-queue");
        let _gateway = gateway.start();
        let mut driven = self.producer(port, Timeouts::Long).drive();
        for _ in 0..2 {
            let pushed = driven.push("fine");
            self.is_told_once(&pushed);
            assert!(pushed.said[0].contains("another-queue"), "{pushed:?}");
        }
    }

    fn nothing_holds_it_up(&self, peer: &str, port: u16) {
        let mut driven: Driven = self.producer(port, Timeouts::AsPrinted).drive();
        let mut times = Vec::new();
        for _ in 0..TRIES {
            let pushed = driven.push("fine");
            self.is_told_once(&pushed);
            times.push(pushed.took);
            if pushed.took < PROMISED {
                break;
            }
        }
        let shortest = times.iter().min().expect("it was tried");
        assert!(*shortest < PROMISED, "{}, {peer}: it took {times:?}", self.name());
        let large = driven.push("large");
        assert!(large.took < PATIENCE, "{}, {peer}: {large:?}", self.name());
    }

    fn is_told_once(&self, pushed: &Pushed) {
        let lines = pushed.said.iter().filter(|line| line.contains(NOT_SENT)).count();
        assert!(lines == 1 && pushed.said.len() == 1, "{}: {pushed:?}", self.name());
        assert!(pushed.took < PATIENCE, "{}: {pushed:?}", self.name());
    }

    fn name(&self) -> &str {
        &self.block.place
    }
}

/// How many connections a server has had.
fn connections(redis: &RedisServer) -> u64 {
    let about: String = redis.run(&["INFO", "stats"]);
    let line = about.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.parse().ok()).expect("it tells")
}

/// A server that does that to each connection.
fn peer(serve: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(connection));
        }
    });
    port
}

/// Takes what comes until nothing fits any more, and is silent.
fn hold(mut connection: TcpStream) {
    let mut first = [0; 1];
    let _ = connection.read(&mut first);
    loop {
        thread::park();
    }
}

/// Ends the connection in the middle of an answer.
fn cut(mut connection: TcpStream) {
    let _ = connection.read(&mut [0; 1]);
    let _ = connection.write_all(b"$");
}
