//! Pushes by HTTP that are slow, huge, lying or too many: nothing of them is taken,
//! they are told so, the memory of the gateway has a bound, and the others go on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use psg_testkit::embedded::Embedded;
use psg_testkit::{Exposition, wait_until};

/// More than a body may take, and its answer.
const LONGEST: Duration = Duration::from_secs(25);

const MIB: usize = 1 << 20;

/// What a push may have here, and all of them together.
const SETTINGS: [(&str, &str); 3] = [
    ("Push__Enabled", "true"),
    ("Push__MaxBodyBytes", "1 MiB"),
    ("Push__MaxMemoryBytes", "16 MiB"),
];

/// What is said beside the budget: four decompressions of 8 MiB, and what the process
/// has anyway, with read-ahead of each connection.
const BESIDE: u64 = 112 << 20;

fn gateway() -> Embedded {
    Embedded::with("embedded", &SETTINGS)
}

fn connect(to: &Embedded) -> TcpStream {
    let connection = TcpStream::connect(("127.0.0.1", to.gateway.port())).expect("it listens");
    connection.set_read_timeout(Some(LONGEST)).expect("a time-out is set");
    connection.set_write_timeout(Some(LONGEST)).expect("a time-out is set");
    connection
}

fn head(length: usize, more: &str) -> Vec<u8> {
    format!("POST /metrics/job/j HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n")
        .into_bytes()
}

/// What is answered to these bytes until the connection is closed, which may be before
/// all of them are sent.
fn answer(to: &Embedded, bytes: &[u8]) -> String {
    let mut connection = connect(to);
    let _ = connection.write_all(bytes);
    rest(&mut connection)
}

fn rest(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn is_refused(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "expected {status}, got {answer}");
}

fn refused(seen: &Exposition, reason: &str) -> f64 {
    let labels = [("door", "pushgateway"), ("reason", reason)];
    let name = "prom_stream_gateway_door_refused_requests_total";
    seen.value(name, &labels).expect("the door is open")
}

/// A push still works, and is all that was ever taken.
#[track_caller]
fn nothing_else_was_taken(to: &Embedded) {
    let body = b"# TYPE n counter\nn 1\n";
    let all = [head(body.len(), "Connection: close\r\n").as_slice(), body].concat();
    let said = answer(to, &all);
    assert!(said.starts_with("HTTP/1.1 2"), "{said}");
    let seen = to.gateway.scrape_after(1);
    assert_eq!(seen.value("n", &[("job", "j")]), Some(1.0));
    assert_eq!(seen.totals(), (1, 0));
}

#[test]
fn a_body_that_stops_or_trickles_is_not_waited_for() {
    let gateway = gateway();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = connect(&gateway);
            connection.write_all(&head(1000, "")).expect("it reads");
            let began = Instant::now();
            is_refused(&rest(&mut connection), 408);
            assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
        });
        scope.spawn(|| {
            let mut connection = connect(&gateway);
            connection.set_read_timeout(Some(Duration::from_millis(100))).expect("it is set");
            connection.write_all(&head(100_000, "")).expect("it reads");
            let (began, mut said, mut buffer) = (Instant::now(), Vec::new(), [0; 1000]);
            while connection.write_all(b"#").is_ok() {
                assert!(began.elapsed() < LONGEST, "still connected");
                match connection.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(bytes) => said.extend_from_slice(&buffer[..bytes]),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            is_refused(&String::from_utf8_lossy(&said), 408);
        });
    });
    assert_eq!(refused(&gateway.gateway.scrape(), "too_slow"), 2.0);
    nothing_else_was_taken(&gateway);
}

#[test]
fn lengths_that_lie_take_nothing() {
    let gateway = gateway();
    let body = b"# TYPE n counter\nn 5\n";
    // Less than it says, and then an end.
    let mut connection = connect(&gateway);
    connection.write_all(&[&head(body.len() + 9, ""), body.as_slice()].concat()).expect("it reads");
    connection.shutdown(std::net::Shutdown::Write).expect("it is open");
    let said = rest(&mut connection);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    // More than it says: the rest is no request.
    let said = answer(&gateway, &[&head(0, ""), body.as_slice(), b"\r\n\r\n"].concat());
    assert_eq!(said.matches("HTTP/1.1 2").count(), 1, "{said}");
    for lie in ["-1", "1x", "18446744073709551616", ""] {
        let head =
            format!("POST /metrics/job/j HTTP/1.1\r\nHost: x\r\nContent-Length: {lie}\r\n\r\n");
        let said = answer(&gateway, &[head.as_bytes(), body].concat());
        is_refused(&said, 400);
    }
    // By two lengths a proxy and we could take it for two requests.
    let both = head(body.len(), "Transfer-Encoding: chunked\r\n");
    let said = answer(&gateway, &[&both, body.as_slice()].concat());
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    nothing_else_was_taken(&gateway);
}

#[test]
fn a_body_has_a_size_whether_or_not_it_says_so() {
    let gateway = gateway();
    is_refused(&answer(&gateway, &head(5 << 30, "")), 413);
    is_refused(&answer(&gateway, &[head(MIB + 1, ""), vec![b'#'; MIB + 1]].concat()), 413);
    let chunked = "POST /metrics/job/j HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut connection = connect(&gateway);
    connection.write_all(chunked.as_bytes()).expect("it reads");
    let chunk = [b"10000\r\n".as_slice(), &vec![b'#'; 65536], b"\r\n"].concat();
    let began = Instant::now();
    while connection.write_all(&chunk).is_ok() {
        assert!(began.elapsed() < LONGEST, "it takes more and more");
    }
    let said = rest(&mut connection);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(refused(&gateway.gateway.scrape(), "too_large") >= 1.0);
    let peak = gateway.gateway.peak_memory();
    assert!(peak < (16 << 20) + BESIDE, "{peak} bytes");
    nothing_else_was_taken(&gateway);
}

fn gzip_of_nothing(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..bytes / MIB {
        encoder.write_all(&vec![b'\n'; MIB]).expect("memory takes all");
    }
    encoder.finish().expect("memory takes all")
}

#[test]
fn bombs_go_off_within_their_bound() {
    let gateway = gateway();
    let gzip = gzip_of_nothing(64 * MIB);
    let zeros = vec![0; 64 * MIB];
    let zstd = zstd::encode_all(zeros.as_slice(), 3).expect("memory takes all");
    // A block of snappy that says to become 4 GiB.
    let snappy = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0].to_vec();
    let bombs = [("gzip", &gzip), ("zstd", &zstd), ("snappy", &snappy)];
    thread::scope(|scope| {
        for (coding, bomb) in bombs.into_iter().cycle().take(24) {
            let gateway = &gateway;
            scope.spawn(move || {
                let head = head(bomb.len(), &format!("Content-Encoding: {coding}\r\n"));
                let said = answer(gateway, &[head, bomb.clone()].concat());
                let is_fine =
                    ["413", "503"].iter().any(|status| said[..40.min(said.len())].contains(status));
                assert!(is_fine, "{coding}: {said}");
            });
        }
    });
    assert!(refused(&gateway.gateway.scrape(), "too_large") >= 1.0);
    let peak = gateway.gateway.peak_memory();
    assert!(peak < (16 << 20) + BESIDE, "{peak} bytes");
    nothing_else_was_taken(&gateway);
}

#[test]
fn many_at_once_share_a_budget_and_the_others_are_told_to_come_again() {
    let gateway = gateway();
    let mut waiting: Vec<TcpStream> = (0..60).map(|_| connect(&gateway)).collect();
    let most_of_it = [head(MIB, ""), vec![b'#'; MIB - 1]].concat();
    for connection in &mut waiting {
        // Who is refused may be cut before all is sent.
        let _ = connection.write_all(&most_of_it);
    }
    wait_until("the budget to be used up", || refused(&gateway.gateway.scrape(), "busy") > 0.0);
    let peak = gateway.gateway.peak_memory();
    assert!(peak < (16 << 20) + BESIDE, "{peak} bytes");
    let said: Vec<String> = waiting
        .iter_mut()
        .map(|connection| {
            let _ = connection.write_all(b"\n");
            let _ = connection.shutdown(std::net::Shutdown::Write);
            rest(connection)
        })
        .collect();
    let count = |status: &str| said.iter().filter(|said| said.contains(status)).count();
    assert!(count("HTTP/1.1 503") > 0, "{said:?}");
    assert!(said.iter().all(|said| !said.contains("HTTP/1.1 503") || said.contains("retry-after")));
    nothing_else_was_taken(&gateway);
}

#[test]
fn what_is_answered_with_success_is_all_that_counts() {
    let gateway = gateway();
    let lines: String = (0..3000).map(|row| format!("m{{row=\"{row}\"}} 1\n")).collect();
    let body = format!("# TYPE m counter\n{lines}");
    let push = [&head(body.len(), "Connection: close\r\n"), body.as_bytes()].concat();
    let statuses: Vec<String> = thread::scope(|scope| {
        let pushing: Vec<_> = (0..24).map(|_| scope.spawn(|| answer(&gateway, &push))).collect();
        pushing.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    let taken = statuses.iter().filter(|said| said.starts_with("HTTP/1.1 2")).count();
    let busy = statuses.iter().filter(|said| said.starts_with("HTTP/1.1 503")).count();
    assert_eq!(taken + busy, statuses.len(), "{statuses:?}");
    assert!(taken > 0, "{statuses:?}");
    let seen = gateway.gateway.scrape_after(taken as u64 * 3000);
    assert_eq!(seen.sum("m"), taken as f64 * 3000.0);
    assert_eq!(refused(&seen, "busy"), busy as f64);
}

#[test]
fn a_web_page_and_an_unknown_coding_are_refused() {
    let gateway = gateway();
    let page = head(2, "Origin: https://example.com\r\nConnection: close\r\n");
    is_refused(&answer(&gateway, &[page, b"\n\n".to_vec()].concat()), 403);
    let page = head(2, "Sec-Fetch-Site: same-origin\r\nConnection: close\r\n");
    is_refused(&answer(&gateway, &[page, b"\n\n".to_vec()].concat()), 403);
    let brotli = head(2, "Content-Encoding: br\r\nConnection: close\r\n");
    is_refused(&answer(&gateway, &[brotli, b"\n\n".to_vec()].concat()), 415);
    let by_name = b"POST /metrics/job/j HTTP/1.1\r\nHost: gateway.example.com\r\n\
                    Content-Length: 0\r\nConnection: close\r\n\r\n";
    let said = answer(&gateway, by_name);
    assert!(said.starts_with("HTTP/1.1 2"), "programs know it by any name: {said}");
    nothing_else_was_taken(&gateway);
}
