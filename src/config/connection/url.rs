//! URLs: `redis://[user[:password]@]host[:port][/db]`, `rediss://` likewise
//! with TLS, `valkey://` and `valkeys://` as these, and `unix:///path?db=N&user=U&pass=P` (also `redis+unix://`).
//! Everything is percent-decoded; a `+` stays a `+`.

use std::path::PathBuf;

use ::url::{Host, Url};
use percent_encoding::percent_decode_str;
use psg_actors::settings::{Endpoint, RedisTarget};

use super::{NamedDatabase, RedisConnection};

/// The port of `redis://` and of `rediss://` URLs: other clients take the
/// same for both, unlike StackExchange.Redis with `ssl`.
const DEFAULT_PORT: u16 = 6379;

const EXPECTED: &str = "expected redis://[user[:password]@]host[:port][/db] with special \
                        characters of user and password percent-encoded";

/// Parses a URL; or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<RedisConnection, String> {
    let url = Url::parse(text).map_err(|error| format!("{EXPECTED}, got a URL with {error}"))?;
    if url.fragment().is_some() {
        return Err(format!("{EXPECTED}, got a URL with a #"));
    }
    match url.scheme() {
        "redis" | "valkey" => tcp(&url, false),
        "rediss" | "valkeys" => tcp(&url, true),
        "unix" | "redis+unix" => unix(&url),
        _ => Err("expected a URL with redis://, rediss://, valkey://, valkeys:// or unix://, got another scheme".into()),
    }
}

fn tcp(url: &Url, is_tls: bool) -> Result<RedisConnection, String> {
    if url.query().is_some() {
        return Err(format!("{EXPECTED}, got a URL with a ?"));
    }
    // What looks like `redis://host,password=…@…` is a mix of the two syntaxes.
    if url.username().contains(',') {
        return Err(format!("{EXPECTED}, got a user with a comma"));
    }
    let host = host(url).ok_or_else(|| format!("{EXPECTED}, got no valid host"))?;
    let port = url.port().unwrap_or(DEFAULT_PORT);
    if port == 0 {
        return Err(format!("{EXPECTED}, got port 0"));
    }
    let database = match url.path().trim_start_matches('/') {
        "" => None,
        path => Some(parse_database(path)?),
    };
    let defaults = RedisTarget::default();
    let target = RedisTarget {
        endpoints: vec![Endpoint::Tcp(host, port)],
        username: super::non_empty(&decode(url.username())?),
        password: super::secret(&decode(url.password().unwrap_or_default())?),
        tls: is_tls.then(|| super::tls(None)),
        ..defaults
    };
    Ok(connection(target, database))
}

fn unix(url: &Url) -> Result<RedisConnection, String> {
    let has_authority = url.has_host() && url.host_str().is_some_and(|host| !host.is_empty());
    let path = decode(url.path())?;
    if has_authority || !path.starts_with('/') || path == "/" {
        return Err("expected unix:///path?db=N&user=U&pass=P, got another form".into());
    }
    let mut target = RedisTarget {
        endpoints: vec![Endpoint::Unix(PathBuf::from(path))],
        ..RedisTarget::default()
    };
    let mut database = None;
    let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "db" => database = Some(parse_database(value)?),
            "user" => target.username = super::non_empty(&decode(value)?),
            "pass" => target.password = super::secret(&decode(value)?),
            _ => return Err("expected db, user and pass after the ?, got something else".into()),
        }
    }
    Ok(connection(target, database))
}

fn connection(target: RedisTarget, database: Option<i64>) -> RedisConnection {
    let named = database.map_or(NamedDatabase::None, NamedDatabase::ByUrl);
    RedisConnection {
        target: RedisTarget { database: database.unwrap_or(0), ..target },
        database: named,
    }
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => super::is_host(name).then(|| name.to_owned()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn parse_database(text: &str) -> Result<i64, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number: &i32| is_number && *number >= 0);
    number
        .map(i64::from)
        .ok_or_else(|| format!("expected a database from 0 to {}, got something else", i32::MAX))
}

fn decode(text: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|decoded| decoded.into_owned())
        .map_err(|_| "expected percent-encoded UTF-8, got other bytes".into())
}
