//! The server: its version, and what it does with its data when memory is
//! short and when it ends. Pure but for the asking.

use redis::cmd;

use super::super::info::ServerInfo;
use super::super::once::{Keys, check_server};
use super::diagnosis::Diagnosis;
use super::visit::{Visit, unanswered};
use crate::cluster_key::hash_tag;
use crate::settings::QueueSettings;

/// The first version with RPOP of many and BLMOVE.
const FULL_VERSION: (u32, u32) = (6, 2);

/// Used memory in percent of `maxmemory` from where on it is worth a word.
const NEARLY_FULL: u64 = 90;

fn version_of(info: &ServerInfo) -> (u32, u32) {
    let mut parts = info.field("redis_version").split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn name_of(info: &ServerInfo) -> String {
    match info.field("valkey_version") {
        "" => format!("Redis {}", info.field("redis_version")),
        version => format!("Valkey {version}"),
    }
}

/// Asks the server about itself.
pub async fn info(visit: &mut Visit<'_>) -> Result<ServerInfo, redis::RedisError> {
    visit.ask::<String>(&cmd("INFO")).await.map(ServerInfo::new)
}

/// Looks at version, eviction, memory and persistence.
pub async fn look(visit: &mut Visit<'_>) -> Vec<Diagnosis> {
    let endpoint = &visit.link.endpoint;
    let reached = format!("{endpoint} lets this user in");
    let info = match info(visit).await {
        Ok(info) => info,
        Err(cause) => {
            return vec![Diagnosis::ok("redis", reached), unanswered("version", "INFO", &cause)];
        }
    };
    let mut findings = vec![Diagnosis::ok("redis", format!("{reached}: {}", name_of(&info)))];
    if visit.settings.once.is_some() {
        findings.push(exactly_once(&info, visit.settings));
        findings.push(persistence(&info, fsync(visit).await.as_deref()));
    } else {
        findings.push(version(&info));
        findings.push(eviction(&info));
    }
    findings.extend(memory(&info));
    findings.extend(snapshots(&info));
    findings
}

/// How often the append-only file is synced; nothing where it may not be asked,
/// as at most providers.
async fn fsync(visit: &mut Visit<'_>) -> Option<String> {
    let asked = cmd("CONFIG").arg("GET").arg("appendfsync").take();
    let (_, value): (String, String) = visit.ask(&asked).await.ok()?;
    Some(value)
}

/// By the same rules by which the gateway refuses to start.
fn exactly_once(info: &ServerInfo, settings: &QueueSettings) -> Diagnosis {
    let has_one_slot = settings.partitions.is_some() && hash_tag(&settings.key).is_some();
    match check_server(info, &Keys::beside(&settings.key), has_one_slot) {
        Ok(None) => {
            Diagnosis::ok("server", "it has what exactly-once delivery needs: version, noeviction")
        }
        Ok(Some(warning)) => {
            Diagnosis::warn("server", warning, "redis-cli CONFIG SET maxmemory-policy noeviction")
        }
        Err(refusal) => Diagnosis::fail(
            "server",
            refusal,
            "fix that at the server, or set Redis.Delivery=at-most-once: the gateway does not \
             start like this",
        ),
    }
}

fn version(info: &ServerInfo) -> Diagnosis {
    if version_of(info) >= FULL_VERSION {
        return Diagnosis::ok("version", format!("{} has all that is used", name_of(info)));
    }
    Diagnosis::warn(
        "version",
        format!("{} can't pop several elements at once nor wake a waiting gateway", name_of(info)),
        "it works, by single pops and by polling; 6.2 and later do better",
    )
}

fn eviction(info: &ServerInfo) -> Diagnosis {
    let policy = info.field("maxmemory_policy");
    let text = format!("maxmemory-policy is {policy}");
    let advice =
        "redis-cli CONFIG SET maxmemory-policy noeviction, or a Redis of its own for the queue";
    if !policy.starts_with("allkeys-") {
        return Diagnosis::ok("eviction", text);
    }
    if info.number("maxmemory") == 0 {
        let text = format!("{text}: without effect, until somebody sets maxmemory");
        return Diagnosis::warn("eviction", text, advice);
    }
    Diagnosis::fail("eviction", format!("{text}: a full Redis throws the whole queue away"), advice)
}

fn memory(info: &ServerInfo) -> Option<Diagnosis> {
    let (used, most) = (info.number("used_memory"), info.number("maxmemory"));
    if most == 0 || used.saturating_mul(100) / most < NEARLY_FULL {
        return None;
    }
    let percent = used.saturating_mul(100) / most;
    let text = format!("{percent} % of maxmemory are used: what is full refuses LPUSH");
    Some(Diagnosis::warn("memory", text, "raise maxmemory, or find out what takes the room"))
}

fn persistence(info: &ServerInfo, fsync: Option<&str>) -> Diagnosis {
    if info.field("aof_enabled") != "1" {
        return Diagnosis::warn(
            "persistence",
            "there is no append-only file: a crash of Redis loses what came since its last \
             snapshot, samples and totals",
            "redis-cli CONFIG SET appendonly yes, and the same in redis.conf",
        );
    }
    if info.field("aof_last_write_status") != "ok" {
        return Diagnosis::fail(
            "persistence",
            "the append-only file can't be written",
            "see Redis' log: a full disk, most often",
        );
    }
    let fsync = fsync.map(|value| format!(", appendfsync {value}")).unwrap_or_default();
    Diagnosis::ok("persistence", format!("there is an append-only file{fsync}"))
}

fn snapshots(info: &ServerInfo) -> Option<Diagnosis> {
    if info.field("rdb_last_bgsave_status") != "err" {
        return None;
    }
    Some(Diagnosis::warn(
        "snapshots",
        "Redis could not save its last snapshot, and may refuse LPUSH until it can (MISCONF)",
        "see Redis' log; a queue needs no snapshots: redis-cli CONFIG SET save ''",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Severity;
    use super::*;

    fn info(text: &str) -> ServerInfo {
        ServerInfo::new(text.replace(' ', "\r\n") + "\r\n")
    }

    fn check(finding: Option<Diagnosis>, severity: Severity, word: &str) {
        let Some(finding) = finding else { return assert_eq!(severity, Severity::Ok, "{word}") };
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(finding.text.contains(word), "{finding:?}");
        assert_eq!(finding.advice.is_some(), severity > Severity::Skipped, "{finding:?}");
    }

    #[test]
    fn versions() {
        let of = |text: &str| Some(version(&info(text)));
        check(of("redis_version:6.2.0"), Severity::Ok, "Redis 6.2.0");
        check(of("redis_version:10.0.1"), Severity::Ok, "Redis 10.0.1");
        check(of("redis_version:6.0.16"), Severity::Warn, "Redis 6.0.16");
        check(of("redis_version:7.2.4 valkey_version:8.1.0"), Severity::Ok, "Valkey 8.1.0");
    }

    #[test]
    fn evictions() {
        let of = |text: &str| Some(eviction(&info(text)));
        check(of("maxmemory:0 maxmemory_policy:noeviction"), Severity::Ok, "noeviction");
        check(of("maxmemory:9 maxmemory_policy:volatile-lru"), Severity::Ok, "volatile-lru");
        check(of("maxmemory:0 maxmemory_policy:allkeys-lru"), Severity::Warn, "without effect");
        check(of("maxmemory:9 maxmemory_policy:allkeys-lfu"), Severity::Fail, "allkeys-lfu");
    }

    #[test]
    fn what_the_server_keeps() {
        let of = |text: &str| Some(persistence(&info(text), Some("always")));
        check(of("aof_enabled:0"), Severity::Warn, "no append-only file");
        check(of("aof_enabled:1 aof_last_write_status:ok"), Severity::Ok, "appendfsync always");
        check(of("aof_enabled:1 aof_last_write_status:err"), Severity::Fail, "can't be written");
        let save = |status: &str| snapshots(&info(&format!("rdb_last_bgsave_status:{status}")));
        check(save("ok"), Severity::Ok, "");
        check(save("err"), Severity::Warn, "MISCONF");
    }

    #[test]
    fn memory_is_worth_a_word_when_it_is_nearly_full() {
        let of = |text: &str| memory(&info(text));
        check(of("used_memory:950 maxmemory:0"), Severity::Ok, "");
        check(of("used_memory:899 maxmemory:1000"), Severity::Ok, "");
        check(of("used_memory:950 maxmemory:1000"), Severity::Warn, "95 %");
    }
}
