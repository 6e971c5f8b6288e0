//! `Host`: by which names the status page and the API may be asked for.
//!
//! A web page that somebody opens may let its own name lead to this address, and
//! its script then asks here as if it were at home. What such a request can't
//! hide is the name. So it has to be one that no stranger can have: an address,
//! `localhost`, a name without a dot (which no public DNS knows), that of this
//! machine, or one of the operator's list. `/metrics` and the probes are answered
//! under any name: what scrapes them is no browser.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HOST};
use psg_engine::printable::printable;
use rustix::system::uname;

use super::negotiate::wants_page;
use super::probes;

/// The setting that names more of them.
const SETTING: &str = "Http.AllowedHosts";

/// Names that the gateway goes by.
#[derive(Debug)]
pub struct Hosts {
    allowed: Vec<String>,
    own: String,
}

impl Hosts {
    /// These and its own; see [`is_pattern`].
    pub fn new(allowed: &[String]) -> Self {
        let allowed = allowed.iter().map(|name| name.to_ascii_lowercase()).collect();
        let own = uname().nodename().to_string_lossy().to_ascii_lowercase();
        Self { allowed, own }
    }

    /// What is said to a request under a name that is none of ours; `None` where
    /// it may be answered.
    pub fn refusal(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        if is_for_everyone(request) {
            return None;
        }
        let named = request.headers().get_all(HOST).map(|value| value.to_str().unwrap_or("?"));
        // A target may name it too.
        let mut named = named.chain(request.uri().authority().map(|authority| authority.as_str()));
        let stranger = named.find(|named| !self.are_of(named))?;
        let body = format!(
            "expected an address, localhost or a name of this gateway in Host, got {}: if it is one, \
             add it to {SETTING}\n",
            printable(stranger, LONGEST_SHOWN)
        );
        Some(HttpResponse::build(StatusCode::MISDIRECTED_REQUEST).body(body))
    }

    fn are_of(&self, named: &str) -> bool {
        let name = without_port(named).trim_end_matches('.').to_ascii_lowercase();
        let is_address = name.parse::<Ipv4Addr>().is_ok()
            || name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(is_ipv6);
        let is_local = !name.contains('.') || name.ends_with(".localhost");
        let is_allowed = |pattern: &String| match pattern.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == *pattern,
        };
        is_address
            || is_local && is_name(&name)
            || name == self.own
            || self.allowed.iter().any(is_allowed)
    }
}

/// Whether that is a name, `*.` and one, or `*`.
pub fn is_pattern(text: &str) -> bool {
    text == "*" || is_name(text.strip_prefix("*.").unwrap_or(text))
}

/// Characters of a name that are shown.
const LONGEST_SHOWN: usize = 100;

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(fits))
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn without_port(named: &str) -> &str {
    match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => named,
    }
}

/// What programs ask for; whatever else there is may be for browsers.
fn is_for_everyone(request: &ServiceRequest) -> bool {
    match request.path() {
        "/metrics" | "/metrics/" => true,
        "/" => {
            let accept = request.headers().get_all(ACCEPT);
            !wants_page(accept.filter_map(|value| value.to_str().ok()))
        }
        path => probes::is_probe(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_stranger_can_have_are_none_of_ours() {
        let hosts = Hosts::new(&["metrics.example.com".into(), "*.fleet.Example".into()]);
        for ours in [
            "127.0.0.1",
            "127.0.0.1:9091",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:9091",
            "[2001:db8::1]:1",
            "localhost",
            "LOCALHOST:9091",
            "localhost.",
            "a.localhost",
            "gateway",
            "gateway:9091",
            "prom-stream-gateway_1",
            "metrics.example.com",
            "Metrics.Example.com:443",
            "a.fleet.example",
            "a.b.fleet.example:9091",
        ] {
            assert!(hosts.are_of(ours), "{ours}");
        }
        for strange in [
            "evil.example",
            "evil.example:9091",
            "127.0.0.1.evil.example",
            "1.2.3",
            "1.2.3.4.5",
            "localhost.evil.example",
            "metrics.example.com.evil.example",
            "fleet.example",
            "xfleet.example",
            "other.example.com",
            "",
            ":9091",
            "[evil.example]",
            "a b",
            "::1",
        ] {
            assert!(!hosts.are_of(strange), "{strange}");
        }
        assert!(Hosts::new(&["*".into()]).are_of("whatever.example"));
        let own = hosts.own.clone();
        assert!(hosts.are_of(&own) && hosts.are_of(&format!("{own}:9091")), "{own}");
    }

    #[test]
    fn patterns() {
        for good in ["*", "a", "a.b", "*.a.b", "a-b_c.d"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "a:80", "http://a", "a.*", "**", "*a", "a..b", "a b", "*."] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
