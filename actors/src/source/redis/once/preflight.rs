//! What only the server can say: whether exactly-once delivery can be had
//! there at all. Pure; the reply to INFO is an argument.

use super::keys::Keys;
use crate::source::redis::info::ServerInfo;

/// The oldest major version whose scripts can run at `maxmemory`.
const OLDEST_MAJOR: u32 = 7;

/// What the operator should know where the queue is popped from.
pub fn warning_of_pops(info: &ServerInfo) -> Option<String> {
    let eviction = info.field("maxmemory_policy");
    let evicts = info.number("maxmemory") > 0 && eviction.starts_with("allkeys-");
    evicts.then(|| {
        format!(
            "maxmemory-policy is {eviction}: redis throws the whole queue away when its \
                 memory is full; set noeviction, or give the queue a redis of its own"
        )
    })
}

/// What the operator should know, where exactly-once delivery can be had.
/// `has_one_slot` says whether a cluster would keep all partitions of the queue in one
/// slot, where there are several.
pub fn check_server(
    info: &ServerInfo,
    keys: &Keys,
    has_one_slot: bool,
) -> Result<Option<String>, String> {
    let version = info.field("redis_version");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < OLDEST_MAJOR) {
        return Err(format!(
            "Redis.Delivery=exactly-once needs Redis {OLDEST_MAJOR}.0 or Valkey, got {version}"
        ));
    }
    if info.is_cluster() {
        keys.check_for_cluster().map_err(|cause| format!("Redis.MetricQueueKey: {cause}"))?;
        if has_one_slot {
            let message = "Redis.MetricQueueKey has a hash tag: all its partitions would lie on \
                           one node of the cluster; give it a name without braces";
            return Err(message.to_owned());
        }
    }
    let eviction = info.field("maxmemory_policy");
    if eviction.starts_with("allkeys-") {
        return Err(format!(
            "Redis.Delivery=exactly-once needs maxmemory-policy noeviction, got {eviction}: \
                 it may throw the queue and its state away"
        ));
    }
    let warning = eviction.starts_with("volatile-").then(|| {
        format!(
            "maxmemory-policy is {eviction}, noeviction is recommended: a queue whose key \
                 bears an expiry may be thrown away before it is claimed"
        )
    });
    Ok(warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refused, or warned of, by a word of the message; or neither.
    fn check(info: &str, queue: &str, refused: Option<&str>, warned: Option<&str>) {
        let outcome = check_server(&ServerInfo::new(info), &Keys::beside(queue), false);
        let (refusal, warning) = match outcome {
            Ok(warning) => (None, warning),
            Err(refusal) => (Some(refusal), None),
        };
        let fits = |message: &Option<String>, word: Option<&str>| match (message, word) {
            (Some(message), Some(word)) => message.contains(word),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(fits(&refusal, refused), "{info}: {refusal:?}");
        assert!(fits(&warning, warned), "{info}: {warning:?}");
    }

    #[test]
    fn a_server_that_may_throw_the_queue_away_is_worth_a_word() {
        let check = |info: &str, warned: bool| {
            assert_eq!(warning_of_pops(&ServerInfo::new(info)).is_some(), warned, "{info}");
        };
        check("maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\n", true);
        check("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", false);
        check("maxmemory:100\r\nmaxmemory_policy:noeviction\r\n", false);
        check("maxmemory:100\r\nmaxmemory_policy:volatile-lru\r\n", false);
        check("", false);
    }

    #[test]
    fn what_the_server_says_decides() {
        let seven = "redis_version:7.0.15\r\nredis_mode:standalone\r\n";
        let with = |policy: &str| format!("{seven}maxmemory_policy:{policy}\r\n");
        check(&with("noeviction"), "q", None, None);
        check(&with("allkeys-lru"), "q", Some("allkeys-lru"), None);
        check(&with("allkeys-random"), "q", Some("allkeys-random"), None);
        check(&with("volatile-ttl"), "q", None, Some("volatile-ttl"));
        check("redis_version:6.2.14\r\n", "q", Some("6.2.14"), None);
        check("redis_version:8.0.1\r\n", "q", None, None);
        check("redis_version:10.0.0\r\n", "q", None, None);
        check(seven, "q{}", None, None);
        check("redis_version:7.2.4\r\ncluster_enabled:1\r\n", "q{}", Some("hash tag"), None);
        check("redis_version:7.2.4\r\nredis_mode:cluster\r\n", "a{q}", None, None);
    }

    #[test]
    fn partitions_in_one_slot_are_of_no_use_in_a_cluster() {
        let check = |mode: &str, has_one_slot: bool, is_refused: bool| {
            let info = ServerInfo::new(format!("redis_version:7.2.4\r\nredis_mode:{mode}\r\n"));
            let outcome = check_server(&info, &Keys::beside("{a}q:1"), has_one_slot);
            assert_eq!(outcome.is_err(), is_refused, "{mode} {has_one_slot}");
        };
        check("cluster", true, true);
        check("cluster", false, false);
        check("standalone", true, false);
    }
}
