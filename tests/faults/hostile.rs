//! Hostile: who speaks no HTTP, or too much of it, does not harm the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use psg_testkit::Rig;

#[test]
fn nonsense_on_the_http_port_harms_nobody() {
    let mut rig = Rig::start();
    let mut long_header = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    long_header.extend(vec![b'a'; 2_000_000]);
    let requests: [&[u8]; 7] = [
        b"",
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"LPUSH key value\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: \xff\xfe\r\nHost: x\r\nConnection: close\r\n\r\n",
        &long_header,
    ];
    for request in requests {
        let mut connection =
            TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens");
        connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out is set");
        // The gateway may close in the middle of the request: that is an answer.
        let _ = connection.write_all(request);
        let _ = connection.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer}");
    }
    let seen = rig.send(&[r#"{"name":"n","value":1}"#]);
    assert_eq!(seen.value("n", &[]), Some(1.0));
}

#[test]
fn connections_that_say_nothing_hold_up_nobody() {
    let mut rig = Rig::start();
    let idle: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens"))
        .collect();
    let seen = rig.send(&[r#"{"name":"n","value":1}"#]);
    assert_eq!(seen.value("n", &[]), Some(1.0));
    rig.gateway.signal("TERM");
    let status = rig.gateway.wait_at_most(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "with {} idle connections", idle.len());
}

#[test]
fn a_scraper_that_does_not_read_holds_up_nobody() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..50_000)
        .map(|i| {
            format!(r#"{{"type":"gauge","name":"g","value":1,"labels":{{"series":"number {i}"}}}}"#)
        })
        .collect();
    rig.send(&payloads);
    let stuck: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut connection =
                TcpStream::connect(("127.0.0.1", rig.gateway.port())).expect("it listens");
            let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
            connection.write_all(request.as_bytes()).expect("it reads");
            connection
        })
        .collect();
    let seen = rig.send(&[r#"{"name":"n","value":1}"#]);
    assert_eq!(seen.value("n", &[]), Some(1.0));
    drop(stuck);
}

#[test]
fn payloads_of_random_bytes_are_all_accounted_for() {
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let model =
        br#"{"type":"histogram","name":"h","value":1.5,"buckets":[1,2],"labels":{"a":"x"}}"#;
    let payloads: Vec<Vec<u8>> = (0..5_000)
        .map(|_| {
            let mut payload = model.to_vec();
            for _ in 0..random.random_range(1..4) {
                let place = random.random_range(0..payload.len());
                payload[place] = random.random();
            }
            payload
        })
        .collect();
    let mut rig = Rig::start();
    let seen = rig.send(&payloads);
    let (processed, rejected) = seen.totals();
    assert_eq!(processed + rejected, 5_000);
    assert!(rejected > 1_000, "{rejected} rejected");
    let openmetrics = rig.gateway.scrape_openmetrics();
    assert_eq!(openmetrics.totals(), (processed, rejected));
}
