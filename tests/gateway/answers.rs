//! Answers by the letter of HTTP: in a form that old clients can read, and such
//! that no browser takes a refusal for a page.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use psg_testkit::{Gateway, GatewayBuilder, Rig};

/// Sends `request` as it is; head and body of the answer.
fn ask(gateway: &Gateway, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out is set");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an end");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), answer.split_off(end))
}

#[test]
fn http_1_0_gets_no_transfer_encoding() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..2_000)
        .map(|i| format!(r#"{{"name":"n_total","value":1,"labels":{{"i":"{i}"}}}}"#))
        .collect();
    rig.send(&payloads);
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status", "/nothing-here"] {
        for encoding in ["gzip", "deflate", "zstd", "gzip, deflate, br, zstd", "*"] {
            let request = format!(
                "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n"
            );
            let (head, body) = ask(&rig.gateway, &request);
            assert!(!head.contains("transfer-encoding"), "{path} {encoding}: {head}");
            assert!(!head.contains("content-encoding: g"), "{path} {encoding}: {head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            assert_eq!(length.and_then(|length| length.parse().ok()), Some(body.len()), "{head}");
        }
    }
}

#[test]
fn every_refusal_says_that_it_is_plain_text() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let cases = [
        ("GET /metrics?shard=<script>", 400),
        ("GET /metrics?shard=1", 400),
        ("GET /api/v1/series?limit=<b>", 400),
        ("POST /metrics", 403),
        ("DELETE /metrics", 405),
        ("POST /-/healthy", 405),
        ("GET /api/v1/metrics/<b>", 405),
        ("DELETE /api/v1/metrics/x", 403),
        ("GET /nothing-here", 404),
        ("GET /-/ready", 503),
    ];
    for (line, status) in cases {
        let line = line.replace('<', "%3C").replace('>', "%3E");
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let (head, _) = ask(&gateway, &request);
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{line}: {head}");
        assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"), "{line}: {head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{line}: {head}");
    }
    let page =
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    let (head, _) = ask(&gateway, page);
    assert_eq!(head.matches("content-type:").count(), 1, "{head}");
    assert!(head.contains("content-type: text/html"), "{head}");
}
