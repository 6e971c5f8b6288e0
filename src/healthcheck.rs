//! `healthcheck`: whether the gateway on this machine answers, for a
//! container's HEALTHCHECK. It knows no password and has no certificate: a
//! gateway that asks for one is there too.

mod tls;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use psg_actors::http::access::web_config::WebConfig;
use psg_engine::printable::{SHORT, printable};

use crate::config::{Outcome, Problem};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the first listen address; 0 where it answers 200, else 1 and the
/// reason on standard error.
pub fn run(outcome: &Outcome) -> ExitCode {
    match check(outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("not healthy: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn check(outcome: &Outcome) -> Result<(), String> {
    let config = outcome.config.as_ref().map_err(|problems| told(problems))?;
    let listen = config.gateway.http.listen.first().ok_or("no listen address is configured")?;
    let address = reachable(*listen);
    let access = config.gateway.http.access.as_ref();
    let access = access.map(|access| WebConfig::load(&access.file, access.probes_are_free));
    let access = access.transpose()?;
    let is_tls = access.as_ref().is_some_and(|access| access.tls.is_some());
    let status_line = ask(address, is_tls).map_err(|error| format!("asking {address}: {error}"))?;
    let wants_login = access.is_some_and(|access| !access.users.is_empty());
    if is_status(&status_line, "200") || wants_login && is_status(&status_line, "401") {
        return Ok(());
    }
    let got = printable(&String::from_utf8_lossy(&status_line), SHORT);
    Err(format!("asking {address}: expected status 200, got {got}"))
}

/// What is wrong with the configuration, in one line.
fn told(problems: &[Problem]) -> String {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("the configuration has problems: {}", problems.join("; "))
}

/// Where a listener on all addresses is found from the same machine.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        // It takes IPv4 too, and there is a machine where IPv6 is off.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        specific @ (IpAddr::V4(_) | IpAddr::V6(_)) => specific,
    };
    SocketAddr::new(address, listen.port())
}

/// The first bytes of the answer: version and status.
fn ask(address: SocketAddr, is_tls: bool) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    if !is_tls {
        return converse(stream, address);
    }
    match converse(tls::over(stream, address)?, address) {
        // It asks for a certificate, so it is there.
        Err(error) if tls::wants_certificate(&error) => Ok(b"HTTP/1.1 200".to_vec()),
        answer => answer,
    }
}

fn converse(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<Vec<u8>> {
    let request =
        format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut status_line = Vec::new();
    stream.take("HTTP/1.1 200".len() as u64).read_to_end(&mut status_line)?;
    Ok(status_line)
}

fn is_status(status_line: &[u8], status: &str) -> bool {
    status_line.starts_with(b"HTTP/1.") && status_line.ends_with(format!(" {status}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one connection with `answer` and returns what it was asked.
    fn serve(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("sent");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (address, server)
    }

    fn healthy(answer: &'static str) -> bool {
        let (address, server) = serve(answer);
        let status_line = ask(address, false).expect("an answer");
        let request = server.join().expect("the server ends");
        assert!(request.starts_with("GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        is_status(&status_line, "200")
    }

    #[test]
    fn only_200_is_healthy() {
        assert!(healthy("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(!healthy("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
        assert!(!healthy("HTTP/1.1 404 200\r\n\r\n"));
        assert!(!healthy("SSH-2.0-x 200"));
        assert!(!healthy(""));
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        assert!(ask(address, false).is_err());
    }

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        let check = |listen: &str, expected: &str| {
            let listen = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), expected);
        };
        check("0.0.0.0:9091", "127.0.0.1:9091");
        check("[::]:9091", "127.0.0.1:9091");
        check("10.0.0.7:9091", "10.0.0.7:9091");
    }
}
