//! `healthcheck`: whether the gateway on this machine answers, for a
//! container's HEALTHCHECK. It knows no password and has no certificate: a
//! gateway that asks for one is there too.

use std::process::ExitCode;
use std::time::Duration;

use psg_engine::printable::{LONG, printable};

use crate::config::{ConfigOutcome, Problem};
use crate::gateway_client::{GatewayClient, wants_certificate};
use crate::own_gateway::OwnGateway;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the first listen address; 0 where it answers 200, else 1 and the
/// reason on standard error.
pub fn run(outcome: &ConfigOutcome) -> ExitCode {
    match check(outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("not healthy: {}", printable(&reason, 2 * LONG));
            ExitCode::FAILURE
        }
    }
}

fn check(outcome: &ConfigOutcome) -> Result<(), String> {
    let config = outcome.config.as_ref().map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        format!("the configuration has problems: {}", problems.join("; "))
    })?;
    ask(&OwnGateway::find(&config.gateway.http)?)
}

fn ask(gateway: &OwnGateway) -> Result<(), String> {
    let (url, address) = (format!("{}/-/healthy", gateway.url()), gateway.address);
    match GatewayClient::local()?.status(&url, TIMEOUT) {
        Ok(200) => Ok(()),
        Ok(401) if gateway.wants_password => Ok(()),
        Ok(status) => Err(format!("asking {address}: expected status 200, got {status}")),
        Err(error) if wants_certificate(&error) => Ok(()),
        Err(error) => Err(format!("asking {address}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Whether a gateway is healthy that answers so.
    fn is_healthy(answer: &'static str, wants_password: bool) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("sent");
            String::from_utf8_lossy(&request[..length]).to_lowercase()
        });
        let outcome = ask(&OwnGateway { address, is_tls: false, wants_password });
        let request = server.join().expect("the server ends");
        assert!(request.starts_with("get /-/healthy http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nhost: {address}\r\n")), "{request}");
        outcome.is_ok()
    }

    #[test]
    fn only_200_is_healthy() {
        assert!(is_healthy("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false));
        for answer in [
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "HTTP/1.1 404 200\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
            "SSH-2.0-x 200",
            "",
        ] {
            assert!(!is_healthy(answer, false), "{answer:?}");
        }
    }

    #[test]
    fn one_that_asks_for_a_password_is_there() {
        assert!(is_healthy("HTTP/1.1 401 Unauthorized\r\n\r\n", true));
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        assert!(ask(&OwnGateway { address, is_tls: false, wants_password: false }).is_err());
    }
}
