//! Slow: clients of the HTTP side that take their time are cut off, whichever
//! part of the conversation they draw out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use psg_testkit::{Gateway, GatewayBuilder};

/// More than any turn of a conversation may take.
const LONGEST: Duration = Duration::from_secs(15);

/// Sends `begin`, then a byte of `more` again and again; what was answered by
/// the time at which the gateway cut the connection.
fn trickle(gateway: &Gateway, begin: &[u8], more: u8) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
    connection.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out is set");
    connection.write_all(begin).expect("it reads");
    let (began, mut answer, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
    loop {
        assert!(began.elapsed() < LONGEST, "still connected after {:?}", began.elapsed());
        if connection.write_all(&[more]).is_err() {
            break;
        }
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => answer.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn gateway() -> Gateway {
    GatewayBuilder::connecting("127.0.0.1:1").start_unready()
}

#[test]
fn a_head_that_trickles_in_is_not_waited_for() {
    let answer = trickle(&gateway(), b"GET /metrics HTTP/1.1\r\nX: ", b'a');
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn nor_is_the_head_of_a_second_request() {
    let begin = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/healthy HTTP/1.1\r\nX: ";
    let answer = trickle(&gateway(), begin, b'a');
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
}

#[test]
fn nor_a_body() {
    let begin = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    let answer = trickle(&gateway(), begin, b'a');
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn nor_a_body_in_chunks() {
    let begin = b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n";
    let answer = trickle(&gateway(), begin, b'a');
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_connection_that_was_used_is_not_kept_for_ever() {
    let gateway = gateway();
    let mut connection = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
    connection.set_read_timeout(Some(LONGEST)).expect("a time-out is set");
    connection.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an end");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn requests_have_a_size() {
    let gateway = gateway();
    let send = |request: &[u8]| {
        let mut connection = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
        connection.set_read_timeout(Some(LONGEST)).expect("a time-out is set");
        // It may be cut in the middle.
        let _ = connection.write_all(request);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let announced = b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n";
    assert!(send(announced).starts_with("HTTP/1.1 413"));
    let mut head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    head.resize(60_000, b'a');
    head.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    assert!(send(&head).starts_with("HTTP/1.1 200"));
    head.splice(40..40, vec![b'a'; 10_000]);
    let answer = send(&head);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}
