//! StackExchange.Redis syntax: comma-separated parts, each an endpoint or,
//! where it holds `=`, an option. Later duplicates win.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use psg_actors::settings::{Endpoint, RedisTarget, Secret};

use super::{Connection, NamedDatabase};
use crate::config::error::shown;

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_TLS_PORT: u16 = 6380;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Options that mean something to StackExchange.Redis, but nothing here.
const IGNORED: [&str; 22] = [
    "abortConnect",
    "allowAdmin",
    "asyncTimeout",
    "channelPrefix",
    "checkCertificateRevocation",
    "configChannel",
    "configCheckSeconds",
    "connectRetry",
    "highIntegrity",
    "highPriorityThreads",
    "preserveAsyncOrder",
    "protocol",
    "proxy",
    "resolveDns",
    "responseTimeout",
    "setlib",
    "sslProtocols",
    "syncTimeout",
    "tiebreaker",
    "tunnel",
    "version",
    "writeBuffer",
];

/// Parses the whole string; or says all that is wrong with it.
pub(super) fn parse(text: &str) -> Result<Connection, Vec<String>> {
    let mut parts = Parts::default();
    for (index, part) in text.split(',').map(str::trim).enumerate() {
        parts.add(index + 1, part);
    }
    parts.finish()
}

/// An endpoint whose port may still depend on options that follow.
#[derive(Debug, PartialEq)]
enum OpenEndpoint {
    Tcp(String, Option<u16>),
    Unix(PathBuf),
}

#[derive(Default)]
struct Parts {
    endpoints: Vec<OpenEndpoint>,
    bad_endpoints: usize,
    user: Option<String>,
    password: Option<Secret>,
    ssl: bool,
    ssl_host: Option<String>,
    database: Option<i64>,
    name: Option<String>,
    connect_timeout: Option<Duration>,
    keep_alive: Option<i64>,
    service_name: Option<String>,
    /// Whether a password stood in an earlier part: it may have held a comma,
    /// then what follows is more of it.
    password_seen: bool,
    problems: Vec<String>,
}

impl Parts {
    fn add(&mut self, number: usize, part: &str) {
        match part.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                self.option(number, name.trim(), value.trim());
            }
            Some(_) | None if part.is_empty() => {}
            Some(_) | None => match parse_endpoint(part) {
                Some(endpoint) if self.endpoints.contains(&endpoint) => {}
                Some(endpoint) => self.endpoints.push(endpoint),
                None => {
                    self.bad_endpoints += 1;
                    self.problem(number, "host, host:port, [v6]:port or !/path");
                }
            },
        }
    }

    fn option(&mut self, number: usize, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "user" => self.user = super::non_empty(value),
            "password" => {
                self.password = super::secret(value);
                self.password_seen = true;
            }
            "ssl" => self.ssl = self.flag("ssl", value),
            "sslhost" => self.ssl_host = super::non_empty(value),
            "defaultdatabase" => {
                self.database = self.whole("defaultDatabase", value, -1).map(|given| given.max(0));
            }
            "name" => self.name = super::non_empty(value),
            "connecttimeout" => {
                self.connect_timeout = self.whole("connectTimeout", value, 1).map(milliseconds);
            }
            "keepalive" => self.keep_alive = self.whole("keepAlive", value, -1),
            "servicename" => self.service_name = super::non_empty(value),
            _ if IGNORED.iter().any(|known| known.eq_ignore_ascii_case(name)) => {}
            _ => self.unknown_option(number, name),
        }
    }

    fn flag(&mut self, name: &str, value: &str) -> bool {
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                let got = self.shown(value);
                self.problems.push(format!("expected {name}=true or {name}=false, got {got}"));
                false
            }
        }
    }

    fn whole(&mut self, name: &str, value: &str, least: i32) -> Option<i64> {
        let number = value.parse().ok().filter(|number: &i32| *number >= least);
        if number.is_none() {
            let (most, got) = (i32::MAX, self.shown(value));
            self.problems.push(format!(
                "expected {name} to be a whole number from {least} to {most}, got {got}"
            ));
        }
        number.map(i64::from)
    }

    fn unknown_option(&mut self, number: usize, name: &str) {
        let is_harmless = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if is_harmless && !self.password_seen {
            self.problems.push(format!("part {number} is the unknown option {name}"));
        } else {
            self.problem(number, "a known option");
        }
    }

    /// A harmless option's value, unless it may be the rest of a password.
    fn shown(&self, value: &str) -> String {
        if self.password_seen { "something else".to_owned() } else { shown(value) }
    }

    /// Says which part is wrong without repeating it.
    fn problem(&mut self, number: usize, expected: &str) {
        let hint = if self.password_seen { " (a password can't hold a comma)" } else { "" };
        self.problems
            .push(format!("expected part {number} to be {expected}, got something else{hint}"));
    }

    fn finish(mut self) -> Result<Connection, Vec<String>> {
        if self.endpoints.is_empty() && self.bad_endpoints == 0 {
            self.problems.push("expected at least one host:port, got none".into());
        }
        let has_socket = self.endpoints.iter().any(|one| matches!(one, OpenEndpoint::Unix(_)));
        if self.ssl && has_socket && self.ssl_host.is_none() {
            self.problems.push("expected sslHost with ssl on a Unix socket, got none".into());
        }
        if self.problems.is_empty() { Ok(self.connection()) } else { Err(self.problems) }
    }

    fn connection(self) -> Connection {
        let default_port = match (&self.service_name, self.ssl) {
            (Some(_), _) => DEFAULT_SENTINEL_PORT,
            (None, true) => DEFAULT_TLS_PORT,
            (None, false) => DEFAULT_PORT,
        };
        let defaults = super::default_target();
        let target = RedisTarget {
            endpoints: self.endpoints.into_iter().map(|one| one.close(default_port)).collect(),
            username: self.user,
            password: self.password,
            database: self.database.unwrap_or(defaults.database),
            tls: self.ssl.then(|| super::tls(self.ssl_host)),
            client_name: self.name.unwrap_or(defaults.client_name),
            connect_timeout: self.connect_timeout.unwrap_or(defaults.connect_timeout),
            keep_alive: keep_alive(self.keep_alive, defaults.keep_alive),
            service_name: self.service_name,
        };
        let database = self.database.map_or(NamedDatabase::None, NamedDatabase::ByOption);
        Connection { target, database }
    }
}

impl OpenEndpoint {
    fn close(self, default_port: u16) -> Endpoint {
        match self {
            OpenEndpoint::Tcp(host, port) => Endpoint::Tcp(host, port.unwrap_or(default_port)),
            OpenEndpoint::Unix(path) => Endpoint::Unix(path),
        }
    }
}

/// 0 turns it off, -1 is the default, as for StackExchange.Redis.
fn keep_alive(seconds: Option<i64>, default: Option<Duration>) -> Option<Duration> {
    match seconds {
        None | Some(..0) => default,
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
    }
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

/// `!/path`, `[v6]`, `[v6]:port`, a bare IPv6 address, `host`, `host:port`.
fn parse_endpoint(part: &str) -> Option<OpenEndpoint> {
    if let Some(path) = part.strip_prefix('!') {
        return (!path.is_empty()).then(|| OpenEndpoint::Unix(path.into()));
    }
    if let Some(rest) = part.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(super::parse_port(port)?),
            None if port.is_empty() => None,
            None => return None,
        };
        return v6_endpoint(address, port);
    }
    match part.split_once(':') {
        None => host_endpoint(part, None),
        Some((_, rest)) if rest.contains(':') => v6_endpoint(part, None),
        Some((host, port)) => host_endpoint(host, Some(super::parse_port(port)?)),
    }
}

fn v6_endpoint(address: &str, port: Option<u16>) -> Option<OpenEndpoint> {
    let address: Ipv6Addr = address.parse().ok()?;
    Some(OpenEndpoint::Tcp(address.to_string(), port))
}

fn host_endpoint(host: &str, port: Option<u16>) -> Option<OpenEndpoint> {
    super::is_host(host).then(|| OpenEndpoint::Tcp(host.to_owned(), port))
}
