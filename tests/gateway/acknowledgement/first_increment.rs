//! `Metrics.FirstIncrement=exact`: a new series is shown once at its start to
//! each scraper that has been there before.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::scrape_as;
use crate::support::{Exposition, Rig, wait_for};

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

/// A scraper that hangs up before the end has seen nothing.
#[test]
fn half_a_scrape_does_not_count() {
    let mut rig = rig(&[]);
    // More than the buffers between two sockets hold.
    let pad = "x".repeat(2000);
    let large: Vec<String> = (0..12_000)
        .map(|n| {
            format!(r#"{{"type":"gauge","name":"g","value":1,"labels":{{"n":"{n}","p":"{pad}"}}}}"#)
        })
        .collect();
    rig.send(&large);
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

/// Sends a request for `/metrics` as scraper `a`.
fn raw(rig: &Rig, method: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens");
    let head = format!(
        "{method} /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("it reads");
    socket
}

fn read_all(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}
