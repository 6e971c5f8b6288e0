//! The arguments of the load tool that need more than a number.

use std::fmt;
use std::time::Duration;

use psg_actors::http::access::go_duration;
use redis::{ConnectionInfo, IntoConnectionInfo};

/// Where Redis is, as written: `redis://`, `rediss://`, `unix://` or
/// `host:port`. It may hold a password, so it is never shown: not by Debug, and
/// not by the argument parser, which repeats what it can't read.
#[derive(Clone)]
pub struct RedisAddress(String);

impl RedisAddress {
    /// What the Redis client needs. The error doesn't repeat the address.
    pub fn connection_info(&self) -> Result<ConnectionInfo, String> {
        let has_scheme = self.0.contains("://");
        let url = if has_scheme { self.0.clone() } else { format!("redis://{}", self.0) };
        url.into_connection_info().map_err(|error| {
            format!(
                "expected where Redis is as redis://host:port or host:port, got neither ({error})"
            )
        })
    }
}

impl From<String> for RedisAddress {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RedisAddress(<redacted>)")
    }
}

/// Reads `30`, `1.5s`, `500ms`, `5m` or `1h30m`; a number alone is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let has_unit = text.contains(|one: char| one.is_ascii_alphabetic());
    let whole = if has_unit { text.replace(' ', "") } else { format!("{text}s") };
    let duration = go_duration::parse(&whole).filter(|duration| !duration.is_zero());
    duration
        .ok_or_else(|| format!("expected a time above 0 such as 30s, 5m or 500ms, got \"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let check = |text: &str, millis: u64| {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        };
        check("30", 30_000);
        check("30s", 30_000);
        check("1.5s", 1_500);
        check("5m", 300_000);
        check("2 h", 7_200_000);
        check("500ms", 500);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "0", "0s", "-1s", "1d", "1 minute", "inf", "NaN", "1e999", "1s1"] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(&format!("got \"{text}\"")), "{error}");
        }
    }

    #[test]
    fn addresses_are_read_with_and_without_a_scheme() {
        let check = |text: &str, expected: &str| {
            let address = RedisAddress::from(text.to_owned());
            assert_eq!(address.connection_info().unwrap().addr().to_string(), expected, "{text}");
        };
        check("redis://127.0.0.1:6379", "127.0.0.1:6379");
        check("localhost:6390", "localhost:6390");
        check("localhost", "localhost:6379");
        check("redis://user:secret@10.0.0.1:1/2", "10.0.0.1:1");
        check("unix:///tmp/redis.sock", "/tmp/redis.sock");
    }

    #[test]
    fn a_password_is_never_repeated() {
        for text in ["http://u:hunter2@host", "redis://u:hunter2@host:99999", "hunter2@ho st"] {
            let address = RedisAddress::from(text.to_owned());
            assert!(!address.connection_info().unwrap_err().contains("hunter2"), "{text}");
            assert!(!format!("{address:?}").contains("hunter2"), "{text}");
        }
    }
}
