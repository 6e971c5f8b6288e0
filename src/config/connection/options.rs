//! StackExchange.Redis syntax: comma-separated parts, each an endpoint or,
//! where it holds `=`, an option. Later duplicates win.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use psg_actors::settings::{Endpoint, Login, RedisTarget, Secret, Unsent};
use psg_actors::source::redis::doctor::rights;

use super::{NamedDatabase, RedisConnection};
use crate::config::error::shown;

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_TLS_PORT: u16 = 6380;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Options that mean something to StackExchange.Redis, but nothing here.
const IGNORED: [&str; 21] = [
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

/// Commands that the gateway can do without.
const DISPENSABLE: [&str; 4] = ["CLIENT", "ROLE", "INFO", "BLMOVE"];

/// Parses the whole string; or says all that is wrong with it.
pub(super) fn parse(text: &str) -> Result<RedisConnection, Vec<String>> {
    let mut parts = OptionParser::default();
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
struct OptionParser {
    /// What the options have said so far.
    target: RedisTarget,
    endpoints: Vec<OpenEndpoint>,
    bad_endpoints: usize,
    ssl: bool,
    ssl_host: Option<String>,
    database: Option<i64>,
    sentinel_user: Option<String>,
    sentinel_password: Option<Secret>,
    is_proxy: bool,
    unsent: Vec<String>,
    /// Whether a password stood in an earlier part: it may have held a comma,
    /// then what follows is more of it.
    password_seen: bool,
    /// Whether the part before was a password, or what followed one.
    behind_password: bool,
    problems: Vec<String>,
}

impl OptionParser {
    fn add(&mut self, number: usize, part: &str) {
        match part.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                self.behind_password = false;
                self.option(number, name.trim(), value.trim());
            }
            Some(_) | None if part.is_empty() => {}
            Some(_) | None if self.behind_password && !self.is_first_endpoint(part) => {
                self.problem(number, "name=value, since endpoints stand before the password");
            }
            Some(_) | None => {
                self.behind_password = false;
                self.endpoint(number, part);
            }
        }
    }

    /// Whether a part right after a password is an endpoint rather than more of
    /// the password: there has to be one, and it says its port.
    fn is_first_endpoint(&self, part: &str) -> bool {
        self.endpoints.is_empty()
            && matches!(parse_endpoint(part), Some(OpenEndpoint::Tcp(_, Some(_))))
    }

    fn endpoint(&mut self, number: usize, part: &str) {
        match parse_endpoint(part) {
            Some(endpoint) if self.endpoints.contains(&endpoint) => {}
            Some(endpoint) => self.endpoints.push(endpoint),
            None => {
                self.bad_endpoints += 1;
                self.problem(number, "host, host:port, [v6]:port or !/path");
            }
        }
    }

    fn option(&mut self, number: usize, name: &str, value: &str) {
        let defaults = RedisTarget::default();
        match name.to_ascii_lowercase().as_str() {
            "user" => self.target.username = super::non_empty(value),
            "password" => {
                self.target.password = super::secret(value);
                self.a_password_ended();
            }
            "sentineluser" => self.sentinel_user = super::non_empty(value),
            "sentinelpassword" => {
                self.sentinel_password = super::secret(value);
                self.a_password_ended();
            }
            "ssl" => self.ssl = self.flag("ssl", value),
            "sslhost" => self.ssl_host = super::non_empty(value),
            "defaultdatabase" => {
                self.database = self.whole("defaultDatabase", value, -1).map(|given| given.max(0));
            }
            "name" => {
                self.target.client_name = super::non_empty(value).unwrap_or(defaults.client_name);
            }
            "connecttimeout" => {
                let given = self.whole("connectTimeout", value, 1);
                let given = given.map(|ms| Duration::from_millis(ms.unsigned_abs()));
                self.target.connect_timeout = given.unwrap_or(defaults.connect_timeout);
            }
            // 0 turns it off, -1 is the default, as for StackExchange.Redis.
            "keepalive" => {
                self.target.keep_alive = match self.whole("keepAlive", value, -1) {
                    None | Some(..0) => defaults.keep_alive,
                    Some(0) => None,
                    Some(seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
                };
            }
            "servicename" => self.target.service_name = super::non_empty(value),
            "proxy" => self.is_proxy = self.proxy(value),
            command if command.starts_with('$') => self.command(number, &command[1..], value),
            _ if IGNORED.iter().any(|known| known.eq_ignore_ascii_case(name)) => {}
            _ => self.unknown_option(number, name),
        }
    }

    fn a_password_ended(&mut self) {
        self.password_seen = true;
        self.behind_password = true;
    }

    fn proxy(&mut self, value: &str) -> bool {
        match value.to_ascii_lowercase().as_str() {
            "twemproxy" | "envoyproxy" => true,
            "none" | "" => false,
            _ => {
                let got = self.shown(value);
                self.problems
                    .push(format!("expected proxy=None, Twemproxy or Envoyproxy, got {got}"));
                false
            }
        }
    }

    /// `$NAME=`: the server has no such command, `$NAME=OTHER`: by another name.
    fn command(&mut self, number: usize, command: &str, value: &str) {
        if command.is_empty() || !command.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return self.problem(number, "a known option");
        }
        let name = command.to_ascii_uppercase();
        if !rights::is_sent(command) || value.eq_ignore_ascii_case(command) {
            return;
        }
        if !value.is_empty() {
            let message =
                format!("part {number} renames {name}, expected ${name}= or its own name");
            self.problems.push(message);
        } else if !DISPENSABLE.contains(&name.as_str()) {
            let message = format!("part {number} takes {name} away, which the gateway needs");
            self.problems.push(message);
        } else if !self.unsent.contains(&name) {
            self.unsent.push(name);
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

    fn finish(mut self) -> Result<RedisConnection, Vec<String>> {
        if self.endpoints.is_empty() && self.bad_endpoints == 0 {
            self.problems.push("expected at least one host:port, got none".into());
        }
        let has_socket = self.endpoints.iter().any(|one| matches!(one, OpenEndpoint::Unix(_)));
        if self.ssl && has_socket && self.ssl_host.is_none() {
            self.problems.push("expected sslHost with ssl on a Unix socket, got none".into());
        }
        let has_sentinel_login = self.sentinel_user.is_some() || self.sentinel_password.is_some();
        if self.sentinel_user.is_some() && self.sentinel_password.is_none() {
            self.problems.push("expected sentinelPassword with sentinelUser, got none".into());
        } else if has_sentinel_login && self.target.service_name.is_none() {
            self.problems.push("expected serviceName with sentinelPassword, got none".into());
        }
        if self.is_proxy && self.database.is_some_and(|database| database != 0) {
            self.problems.push("expected database 0 with a proxy, which knows no other".into());
        }
        if self.problems.is_empty() { Ok(self.connection()) } else { Err(self.problems) }
    }

    fn connection(self) -> RedisConnection {
        let default_port = match (&self.target.service_name, self.ssl) {
            (Some(_), _) => DEFAULT_SENTINEL_PORT,
            (None, true) => DEFAULT_TLS_PORT,
            (None, false) => DEFAULT_PORT,
        };
        let login = |password| Login { user: self.sentinel_user, password };
        let target = RedisTarget {
            endpoints: self.endpoints.into_iter().map(|one| one.close(default_port)).collect(),
            database: self.database.unwrap_or(self.target.database),
            tls: self.ssl.then(|| super::tls(self.ssl_host)),
            sentinel_login: self.sentinel_password.map(login),
            unsent: if self.is_proxy { Unsent::All } else { Unsent::These(self.unsent) },
            ..self.target
        };
        let database = self.database.map_or(NamedDatabase::None, NamedDatabase::ByOption);
        RedisConnection { target, database }
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
