//! Redirects: servers that other servers name, in words that are judged before
//! anything is made of them.

use std::net::IpAddr;

use crate::settings::Endpoint;

/// The longest name that DNS has.
const LONGEST_NAME: usize = 253;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub endpoint: Endpoint,
    /// Whether each command has to say `ASKING` first: a cluster is moving the
    /// slot there.
    pub is_asking: bool,
}

impl Redirect {
    pub fn at(endpoint: Endpoint) -> Self {
        Self { endpoint, is_asking: false }
    }
}

/// The server that another one names; `None` where that can be no server.
pub fn named(host: &str, port: u16) -> Option<Endpoint> {
    let is_name = host.len() <= LONGEST_NAME
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_host = !host.is_empty() && (is_name || host.parse::<IpAddr>().is_ok());
    (is_host && port != 0).then(|| Endpoint::Tcp(host.to_owned(), port))
}

/// Where `MOVED <slot> <host>:<port>` or `ASK <slot> <host>:<port>` points;
/// without a host it is `from`'s.
pub fn redirect_of(from: &Endpoint, words: &str) -> Option<Redirect> {
    let mut parts = words.split_ascii_whitespace();
    let is_asking = match parts.next()? {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    let (host, port) = parts.nth(1)?.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let endpoint = match (host.trim_start_matches('[').trim_end_matches(']'), from) {
        ("", Endpoint::Tcp(host, _)) => Endpoint::Tcp(host.clone(), port),
        ("", Endpoint::Unix(_)) => return None,
        (host, _) => named(host, port)?,
    };
    Some(Redirect { endpoint, is_asking })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_and_ask_name_the_next_node() {
        let from = Endpoint::Tcp("here".into(), 1);
        let check = |words: &str, expected: Option<(&str, u16)>| {
            let expected = expected.map(|(host, port)| Redirect {
                endpoint: Endpoint::Tcp(host.into(), port),
                is_asking: words.starts_with("ASK"),
            });
            assert_eq!(redirect_of(&from, words), expected, "{words}");
        };
        check("MOVED 3999 127.0.0.1:6381", Some(("127.0.0.1", 6381)));
        check("ASK 3999 127.0.0.1:6381", Some(("127.0.0.1", 6381)));
        check("MOVED 3999 redis-2.local:6381", Some(("redis-2.local", 6381)));
        check("MOVED 3999 2001:db8::1:6381", Some(("2001:db8::1", 6381)));
        check("MOVED 3999 [2001:db8::1]:6381", Some(("2001:db8::1", 6381)));
        check("MOVED 3999 :6381", Some(("here", 6381)));
        check("MOVED 3999", None);
        check("MOVED 3999 host:port", None);
        check("READONLY You can't write against a read only replica.", None);
    }

    #[test]
    fn a_host_with_escape_sequences_or_line_ends_is_none() {
        let long = "a".repeat(5_000);
        for host in ["a\x1b[2Jb", "a\r\nb", "a\nb", "a b", "\u{9b}31m", "a\u{202e}b", "", &long] {
            assert_eq!(named(host, 6379), None, "{host:?}");
            assert_eq!(
                redirect_of(&Endpoint::Unix("/s".into()), &format!("MOVED 1 {host}:1")),
                None
            );
        }
        assert_eq!(named("redis", 0), None);
        assert!(named("fe80::1", 6379).is_some() && named("redis_1.a-b", 6379).is_some());
    }
}
