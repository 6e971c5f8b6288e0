//! The connection string: where Redis is and how to log in. Two syntaxes:
//! StackExchange.Redis' comma-separated one, and URLs. Or it says that the
//! gateway itself is the queue.
//!
//! No message of this module repeats what was given, but for the names of
//! options and the values of harmless ones: the rest may be a password.

pub mod embedded;
mod options;
mod url;

use std::fmt;

use self::embedded::EmbeddedLogin;
use psg_actors::settings::{Endpoint, RedisTarget, Secret, TlsSettings, Unsent};
use psg_engine::printable::{LONG, printable};

/// What a connection string looks like, for an error message.
pub const EXPECTED: &str =
    "host:port,option=value,… or a redis://, rediss:// or unix:// URL, or embedded";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionString {
    Redis(Box<RedisConnection>),
    Embedded(EmbeddedLogin),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConnection {
    /// The deployment; `database` is the one that the string names, or 0.
    pub target: RedisTarget,
    /// The database that the string names, and by which syntax.
    pub database: NamedDatabase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedDatabase {
    None,
    /// By `defaultDatabase`, which counts only where the setting says -1.
    ByOption(i64),
    /// By a URL, which counts unless the setting is set.
    ByUrl(i64),
}

impl NamedDatabase {
    pub fn number(self) -> Option<i64> {
        match self {
            NamedDatabase::None => None,
            NamedDatabase::ByOption(number) | NamedDatabase::ByUrl(number) => Some(number),
        }
    }
}

/// Parses a connection string; or says all that is wrong with it.
pub fn parse_string(text: &str) -> Result<ConnectionString, Vec<String>> {
    match embedded::options(text.trim()) {
        Some(options) => embedded::parse(options).map(ConnectionString::Embedded),
        None => parse(text).map(|found| ConnectionString::Redis(Box::new(found))),
    }
}

/// Parses a connection string to Redis of either syntax; or says all that is
/// wrong with it.
pub fn parse(text: &str) -> Result<RedisConnection, Vec<String>> {
    let text = text.trim();
    match text.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => url::parse(text).map_err(|problem| vec![problem]),
        Some(_) | None => options::parse(text),
    }
}

impl fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionString::Redis(connection) => connection.fmt(f),
            ConnectionString::Embedded(embedded) => embedded.fmt(f),
        }
    }
}

/// The connection as an operator may see it: the password masked, the user
/// too where there is no password, since it may have been meant as one.
impl fmt::Display for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        let endpoints: Vec<String> = target.endpoints.iter().map(shown_endpoint).collect();
        f.write_str(&endpoints.join(","))?;
        match (&target.username, &target.password) {
            (Some(user), Some(_)) => write!(f, ",user={},password=***", printable(user, LONG))?,
            (Some(_), None) => f.write_str(",user=***")?,
            (None, Some(_)) => f.write_str(",password=***")?,
            (None, None) => {}
        }
        if let Some(tls) = &target.tls {
            f.write_str(",ssl=true")?;
            if let Some(name) = &tls.server_name {
                write!(f, ",sslHost={}", printable(name, LONG))?;
            }
        }
        if let Some(name) = &target.service_name {
            write!(f, ",serviceName={}", printable(name, LONG))?;
        }
        if let Some(login) = &target.sentinel_login {
            if let Some(user) = &login.user {
                write!(f, ",sentinelUser={}", printable(user, LONG))?;
            }
            f.write_str(",sentinelPassword=***")?;
        }
        match &target.unsent {
            Unsent::All => f.write_str(",proxy=Twemproxy")?,
            Unsent::These(commands) => {
                commands.iter().try_for_each(|command| write!(f, ",${command}="))?;
            }
        }
        match self.database.number() {
            Some(number) => write!(f, ",defaultDatabase={number}"),
            None => Ok(()),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn shown_endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp(..) => endpoint.to_string(),
        Endpoint::Unix(_) => format!("!{endpoint}"),
    }
}

/// Whether `host` can be a host name or an IPv4 address. What is more than
/// that (an `@`, say) is a sign that a password strayed into the host.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Digits only: a port from 1 to 65535.
fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn secret(text: &str) -> Option<Secret> {
    (!text.is_empty()).then(|| Secret::new(text))
}

fn tls(server_name: Option<String>) -> TlsSettings {
    TlsSettings { server_name, ..TlsSettings::default() }
}

#[cfg(test)]
mod tests;
