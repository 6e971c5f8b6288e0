//! The server: its version, and what it does with its data when memory is
//! short and when it ends. Pure but for the asking.

use redis::cmd;

use super::super::once::{Keys, Server};
use super::finding::Finding;
use super::visit::{Visit, unanswered};

/// The first version with RPOP of many and BLMOVE.
const FULL_VERSION: (u32, u32) = (6, 2);

/// Used memory in percent of `maxmemory` from where on it is worth a word.
const NEARLY_FULL: u64 = 90;

/// What the server says of itself.
pub struct Info(String);

impl Info {
    /// A field's value; empty where there is none.
    fn field<'a>(&'a self, name: &str) -> &'a str {
        let value = |line: &'a str| line.trim_end().strip_prefix(name)?.strip_prefix(':');
        self.0.lines().find_map(value).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or_default()
    }

    /// Numbers of the databases that hold keys.
    pub fn databases(&self) -> Vec<i64> {
        let number = |line: &str| line.strip_prefix("db")?.split_once(':')?.0.parse().ok();
        self.0.lines().filter_map(number).collect()
    }

    /// Whether other nodes have keys too.
    pub fn is_of_cluster(&self) -> bool {
        self.field("cluster_enabled") == "1" || self.field("redis_mode") == "cluster"
    }

    fn version(&self) -> (u32, u32) {
        let mut parts =
            self.field("redis_version").split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// The server by name.
    fn name(&self) -> String {
        match self.field("valkey_version") {
            "" => format!("Redis {}", self.field("redis_version")),
            version => format!("Valkey {version}"),
        }
    }
}

/// Asks the server about itself.
pub async fn info(visit: &mut Visit<'_>) -> Result<Info, redis::RedisError> {
    visit.ask(&cmd("INFO")).await.map(Info)
}

/// Looks at version, eviction, memory and persistence.
pub async fn look(visit: &mut Visit<'_>) -> Vec<Finding> {
    let endpoint = &visit.link.endpoint;
    let reached = format!("{endpoint} lets this user in");
    let info = match info(visit).await {
        Ok(info) => info,
        Err(cause) => {
            return vec![Finding::ok("redis", reached), unanswered("version", "INFO", &cause)];
        }
    };
    let mut findings = vec![Finding::ok("redis", format!("{reached}: {}", info.name()))];
    if visit.settings.once.is_some() {
        findings.push(exactly_once(&info, &visit.settings.key));
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
fn exactly_once(info: &Info, queue: &str) -> Finding {
    match Server::from_info(&info.0).check(&Keys::beside(queue)) {
        Ok(None) => {
            Finding::ok("server", "it has what exactly-once delivery needs: version, noeviction")
        }
        Ok(Some(warning)) => {
            Finding::warn("server", warning, "redis-cli CONFIG SET maxmemory-policy noeviction")
        }
        Err(refusal) => Finding::fail(
            "server",
            refusal,
            "mend that at the server, or set Redis.Delivery=at-most-once: the gateway does not \
             start like this",
        ),
    }
}

fn version(info: &Info) -> Finding {
    if info.version() >= FULL_VERSION {
        return Finding::ok("version", format!("{} has all that is used", info.name()));
    }
    Finding::warn(
        "version",
        format!("{} can't pop several elements at once nor wake a waiting gateway", info.name()),
        "it works, by single pops and by polling; 6.2 and later do better",
    )
}

fn eviction(info: &Info) -> Finding {
    let policy = info.field("maxmemory_policy");
    let text = format!("maxmemory-policy is {policy}");
    let advice =
        "redis-cli CONFIG SET maxmemory-policy noeviction, or a Redis of its own for the queue";
    if !policy.starts_with("allkeys-") {
        return Finding::ok("eviction", text);
    }
    if info.number("maxmemory") == 0 {
        let text = format!("{text}: without effect, until somebody sets maxmemory");
        return Finding::warn("eviction", text, advice);
    }
    Finding::fail("eviction", format!("{text}: a full Redis throws the whole queue away"), advice)
}

fn memory(info: &Info) -> Option<Finding> {
    let (used, most) = (info.number("used_memory"), info.number("maxmemory"));
    if most == 0 || used.saturating_mul(100) / most < NEARLY_FULL {
        return None;
    }
    let percent = used.saturating_mul(100) / most;
    let text = format!("{percent} % of maxmemory are used: what is full refuses LPUSH");
    Some(Finding::warn("memory", text, "raise maxmemory, or find out what takes the room"))
}

fn persistence(info: &Info, fsync: Option<&str>) -> Finding {
    if info.field("aof_enabled") != "1" {
        return Finding::warn(
            "persistence",
            "there is no append-only file: a crash of Redis loses what came since its last \
             snapshot, samples and totals",
            "redis-cli CONFIG SET appendonly yes, and the same in redis.conf",
        );
    }
    if info.field("aof_last_write_status") != "ok" {
        return Finding::fail(
            "persistence",
            "the append-only file can't be written",
            "see Redis' log: a full disk, most often",
        );
    }
    let fsync = fsync.map(|value| format!(", appendfsync {value}")).unwrap_or_default();
    Finding::ok("persistence", format!("there is an append-only file{fsync}"))
}

fn snapshots(info: &Info) -> Option<Finding> {
    if info.field("rdb_last_bgsave_status") != "err" {
        return None;
    }
    Some(Finding::warn(
        "snapshots",
        "Redis could not save its last snapshot, and may refuse LPUSH until it can (MISCONF)",
        "see Redis' log; a queue needs no snapshots: redis-cli CONFIG SET save ''",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn info(text: &str) -> Info {
        Info(text.replace(' ', "\r\n") + "\r\n")
    }

    fn check(finding: Option<Finding>, verdict: Verdict, word: &str) {
        let Some(finding) = finding else { return assert_eq!(verdict, Verdict::Ok, "{word}") };
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.text.contains(word), "{finding:?}");
        assert_eq!(finding.advice.is_some(), verdict > Verdict::Skipped, "{finding:?}");
    }

    #[test]
    fn versions() {
        let of = |text: &str| Some(version(&info(text)));
        check(of("redis_version:6.2.0"), Verdict::Ok, "Redis 6.2.0");
        check(of("redis_version:10.0.1"), Verdict::Ok, "Redis 10.0.1");
        check(of("redis_version:6.0.16"), Verdict::Warn, "Redis 6.0.16");
        check(of("redis_version:7.2.4 valkey_version:8.1.0"), Verdict::Ok, "Valkey 8.1.0");
    }

    #[test]
    fn evictions() {
        let of = |text: &str| Some(eviction(&info(text)));
        check(of("maxmemory:0 maxmemory_policy:noeviction"), Verdict::Ok, "noeviction");
        check(of("maxmemory:9 maxmemory_policy:volatile-lru"), Verdict::Ok, "volatile-lru");
        check(of("maxmemory:0 maxmemory_policy:allkeys-lru"), Verdict::Warn, "without effect");
        check(of("maxmemory:9 maxmemory_policy:allkeys-lfu"), Verdict::Fail, "allkeys-lfu");
    }

    #[test]
    fn what_the_server_keeps() {
        let of = |text: &str| Some(persistence(&info(text), Some("always")));
        check(of("aof_enabled:0"), Verdict::Warn, "no append-only file");
        check(of("aof_enabled:1 aof_last_write_status:ok"), Verdict::Ok, "appendfsync always");
        check(of("aof_enabled:1 aof_last_write_status:err"), Verdict::Fail, "can't be written");
        let save = |status: &str| snapshots(&info(&format!("rdb_last_bgsave_status:{status}")));
        check(save("ok"), Verdict::Ok, "");
        check(save("err"), Verdict::Warn, "MISCONF");
    }

    #[test]
    fn memory_is_worth_a_word_when_it_is_nearly_full() {
        let of = |text: &str| memory(&info(text));
        check(of("used_memory:950 maxmemory:0"), Verdict::Ok, "");
        check(of("used_memory:899 maxmemory:1000"), Verdict::Ok, "");
        check(of("used_memory:950 maxmemory:1000"), Verdict::Warn, "95 %");
    }

    #[test]
    fn databases_are_those_with_keys() {
        let text = "db0:keys=1,expires=0 db12:keys=4,expires=0 dbsize:1";
        assert_eq!(info(text).databases(), [0, 12]);
    }
}
