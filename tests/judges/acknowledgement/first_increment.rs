//! `Metrics.FirstIncrement=exact`: a new series is shown once at its start to
//! each scraper that has been there before.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::scrape_as;
use psg_testkit::{Exposition, Rig, wait_for};

const COUNTER: &str = r#"{"name":"c_total","value":1}"#;
const HISTOGRAM: &str = r#"{"type":"histogram","name":"h","value":2,"buckets":[1,5]}"#;

fn rig(settings: &[(&str, &str)]) -> Rig {
    Rig::with(&[&[("Metrics__FirstIncrement", "exact")], settings].concat())
}

fn counter(seen: &Exposition) -> Option<f64> {
    seen.value("c_total", &[])
}

#[test]
fn a_new_series_is_shown_once_at_0_to_each_who_was_there_before() {
    let mut rig = rig(&[]);
    scrape_as(&rig.gateway, "a");
    rig.send(&[COUNTER, COUNTER, HISTOGRAM]);
    let of_histogram = |seen: &Exposition| {
        ["1", "5", "+Inf"].map(|le| seen.value("h_bucket", &[("le", le)]).expect("a bucket"))
    };
    let first = scrape_as(&rig.gateway, "a");
    assert_eq!(counter(&first), Some(0.0));
    assert_eq!((first.value("h_sum", &[]), first.value("h_count", &[])), (Some(0.0), Some(0.0)));
    assert_eq!(of_histogram(&first), [0.0; 3]);

    let newcomer = scrape_as(&rig.gateway, "b");
    assert_eq!(counter(&newcomer), Some(2.0), "a first scrape shows real values");
    rig.send(&[COUNTER]);
    for name in ["a", "b"] {
        let seen = scrape_as(&rig.gateway, name);
        assert_eq!((counter(&seen), seen.value("h_sum", &[])), (Some(3.0), Some(2.0)), "{name}");
        assert_eq!(of_histogram(&seen), [0.0, 1.0, 1.0]);
    }
    let both = scrape_as(&rig.gateway, "a").value("prom_stream_gateway_scrapers", &[]);
    // The test itself has scraped to know what was processed.
    assert_eq!(both, Some(3.0));
}

#[test]
fn it_is_off_unless_asked_for() {
    let mut rig = Rig::start();
    scrape_as(&rig.gateway, "a");
    rig.send(&[COUNTER]);
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(1.0));
}

/// HEAD, and GETs of other pages, fetch nothing.
#[test]
fn only_what_fetches_the_metrics_counts() {
    let mut rig = rig(&[]);
    for path in ["/-/ready", "/-/healthy", "/", "/api/v1/status"] {
        rig.gateway.must_get(path, &[("User-Agent", "a")]);
    }
    let head = raw(&rig, "HEAD");
    let answer = read_all(head);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    rig.send(&[COUNTER]);
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(1.0), "its first scrape");
}

/// More than the buffers between two sockets hold.
fn large() -> Vec<String> {
    let pad = "x".repeat(2000);
    let gauge = |n| {
        format!(r#"{{"type":"gauge","name":"g","value":1,"labels":{{"n":"{n}","p":"{pad}"}}}}"#)
    };
    (0..12_000).map(gauge).collect()
}

/// What Prometheus has after its timeout only, it throws away.
#[test]
fn a_scrape_that_is_whole_too_late_does_not_count() {
    let mut rig = rig(&[]);
    rig.send(&large());
    scrape_as(&rig.gateway, "a");
    rig.send(&[COUNTER]);
    let begin = Instant::now();
    let mut slow = send(&rig, "GET", "X-Prometheus-Scrape-Timeout-Seconds: 3\r\n");
    let mut first = [0; 1000];
    slow.read_exact(&mut first).expect("the answer begins");
    assert!(first.starts_with(b"HTTP/1.1 200"), "{}", first.escape_ascii());
    // The rest waits until it is too late.
    while begin.elapsed() < Duration::from_millis(3100) {
        rig.gateway.must_get("/-/healthy", &[]);
    }
    assert!(read_all(slow).ends_with("\n"));
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(0.0));
    let mut in_time = String::new();
    let patient = send(&rig, "GET", "X-Prometheus-Scrape-Timeout-Seconds: 60\r\n");
    { patient }.read_to_string(&mut in_time).expect("it answers");
    assert!(in_time.contains("\nc_total 1\n"));
}

/// A scraper that hangs up before the end has seen nothing.
#[test]
fn half_a_scrape_does_not_count() {
    let mut rig = rig(&[]);
    rig.send(&large());
    scrape_as(&rig.gateway, "a");
    rig.send(&[COUNTER]);
    for _ in 0..2 {
        let mut half = raw(&rig, "GET");
        let mut begin = [0; 1000];
        half.read_exact(&mut begin).expect("the answer begins");
        assert!(begin.starts_with(b"HTTP/1.1 200"));
        drop(half);
    }
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(0.0));
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(1.0));
}

#[test]
fn one_that_comes_back_is_shown_once_at_its_old_total() {
    let mut rig = rig(&[("Metrics__SeriesTtlSeconds", "1")]);
    rig.send(&[COUNTER, COUNTER]);
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(2.0));
    wait_for("the series to leave", || {
        let of_both = [scrape_as(&rig.gateway, "a"), rig.gateway.scrape()];
        let left = of_both.iter().all(|seen| counter(seen).is_none());
        if left { Ok(()) } else { Err("it is there".to_owned()) }
    });
    rig.send(&[COUNTER]);
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(2.0));
    assert_eq!(counter(&scrape_as(&rig.gateway, "a")), Some(3.0));
}

#[test]
fn a_visitor_that_came_once_holds_no_idle_series() {
    let mut rig = rig(&[("Metrics__SeriesTtlSeconds", "1")]);
    scrape_as(&rig.gateway, "visitor");
    scrape_as(&rig.gateway, "a");
    rig.send(&[COUNTER]);
    wait_for("the series to leave", || {
        let of_both = [scrape_as(&rig.gateway, "a"), rig.gateway.scrape()];
        let left = of_both.iter().all(|seen| counter(seen).is_none());
        let text = || format!("{:?}", of_both.each_ref().map(counter));
        // It may be passed over and still be there.
        let is_gone =
            of_both[1].value("prom_stream_gateway_expired_series_total", &[]) == Some(1.0);
        if left && is_gone { Ok(()) } else { Err(text()) }
    });
}

/// Sends a request for `/metrics` as scraper `a`.
fn raw(rig: &Rig, method: &str) -> TcpStream {
    send(rig, method, "")
}

/// The same with more header lines.
fn send(rig: &Rig, method: &str, lines: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens");
    let head = format!(
        "{method} /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n{lines}Connection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("it reads");
    socket
}

fn read_all(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}
