//! Rights: the one table of the commands that a gateway sends, and whether the
//! user may send them. The ACL rules in `docs/` are compared with it.
//!
//! Each command has a call that passes the server's check of rights and then
//! can't change anything, whatever the keys hold: it has a wrong argument, or
//! names what is not there.

use redis::{Cmd, RedisError, cmd};

use super::super::error::reply_words;
use super::super::once::Keys;
use super::super::{dead_letter_writer, presence};
use super::diagnosis::{Diagnosis, Severity};
use super::visit::{Visit, is_denied, is_unknown, unanswered};
use crate::cluster_key::key_beside;
use crate::settings::QueueSettings;

/// A command that a gateway sends.
#[derive(Debug)]
pub struct Right {
    /// As an ACL rule has it after the `+`.
    pub rule: &'static str,
    /// The harmless call, with keys in braces.
    call: &'static str,
    /// What becomes of a gateway without the right; `None` where it can't do
    /// its work then.
    without: Option<&'static str>,
}

const fn must(rule: &'static str, call: &'static str) -> Right {
    Right { rule, call, without: None }
}

const fn should(rule: &'static str, call: &'static str, without: &'static str) -> Right {
    Right { rule, call, without: Some(without) }
}

const ROLE: Right = should("role", "ROLE", "a replica may be taken for the primary");
const BLMOVE: Right = should(
    "blmove",
    "BLMOVE {queue} {queue} RIGHT RIGHT -1",
    "an idle gateway polls instead of being woken",
);
const SETNAME: Right = should(
    "client|setname",
    "CLIENT SETNAME prom-stream-gateway",
    "CLIENT LIST does not tell which connections are the gateway's",
);

/// What at-most-once delivery does with the queue.
pub static AT_MOST_ONCE: &[Right] = &[
    must("rpop", "RPOP {queue} 0"),
    should("llen", "LLEN {queue}", "redis_queue_pending_size is not known and shows 0"),
    BLMOVE,
    ROLE,
    SETNAME,
];

/// What it does beside the queue, where it may: it looks for elements that
/// exactly-once delivery has left, and shows that it is there.
pub static BESIDE: &[Right] = &[
    must("hmget", "HMGET {owner} tip"),
    must("time", "TIME"),
    must("zadd", "ZADD {consumers} none sign"),
    must("expire", "EXPIRE {consumers} none"),
    must("zremrangebyscore", "ZREMRANGEBYSCORE {consumers} none none"),
    must("zcard", "ZCARD {consumers}"),
    must("zrem", "ZREM {consumers} none"),
    must("info", "INFO memory"),
];

/// What exactly-once delivery does.
pub static EXACTLY_ONCE: &[Right] = &[
    must("eval", "EVAL #!lua 0"),
    must("lrange", "LRANGE {list} 0 0"),
    must("hmget", "HMGET {owner} tip"),
    must("hset", "HSET {owner} none none none"),
    must("hexists", "HEXISTS {state} none"),
    must("hdel", "HDEL {state} none"),
    must("hkeys", "HKEYS {list}"),
    must("exists", "EXISTS {queue}"),
    must("type", "TYPE {queue}"),
    must("llen", "LLEN {queue}"),
    must("persist", "PERSIST {list}"),
    must("renamenx", "RENAMENX {list} {list}"),
    must("ltrim", "LTRIM {list} none none"),
    must("unlink", "UNLINK {list}"),
    must("time", "TIME"),
    must("info", "INFO server"),
    BLMOVE,
    ROLE,
    SETNAME,
];

/// What writing dead letters takes, on their list and on the account beside it.
pub static DEAD_LETTERS: &[Right] = &[
    must("eval", "EVAL #!lua 0"),
    must("llen", "LLEN {letters}"),
    must("lpush", "MAY_PUSH {letters}"),
    must("rpop", "RPOP {letters} 0"),
    must("lrange", "LRANGE {letters} 0 0"),
    must("hset", "HSET {account} none none none"),
    must("hmget", "HMGET {account} none"),
];

/// What a gateway does at homes, beside what it does where it owns them.
pub static AT_HOMES: &[Right] = &[
    must("hget", "HGET {sources} none"),
    should("hgetall", "HGETALL {sources}", "this user can't repartition"),
    must("lpush", "MAY_PUSH {queue}"),
];

/// A call of LPUSH without effect there is not: a script asks for the right,
/// from Redis 7.0 on.
const MAY_PUSH: &str = "return redis.acl_check_cmd('LPUSH', KEYS[1], '') and 1 or 0";

/// Whether a gateway sends that command, in whatever letter case.
pub fn is_sent(command: &str) -> bool {
    let tables = [AT_MOST_ONCE, BESIDE, EXACTLY_ONCE, DEAD_LETTERS, AT_HOMES];
    let tables = tables.into_iter().flatten();
    let mut rules = tables.map(|right| right.rule).chain(["auth", "select", "info"]);
    rules.any(|rule| rule.split('|').next().is_some_and(|name| name.eq_ignore_ascii_case(command)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    Yes,
    No,
    /// The server has no such command.
    Unknown,
}

/// Tries all that the settings in force need.
pub async fn look(visit: &mut Visit<'_>) -> Vec<Diagnosis> {
    let mut findings = Vec::new();
    let settings = visit.settings;
    let delivery = if settings.once.is_some() { EXACTLY_ONCE } else { AT_MOST_ONCE };
    findings.extend(look_at(visit, "rights", delivery).await);
    if !settings.dead_letters.key.is_empty() {
        findings.extend(look_at(visit, "dead letters", DEAD_LETTERS).await);
    }
    findings.extend(beside(visit).await);
    findings
}

/// Tries what one partition needs, at its intake and at its home; nothing where all is
/// given.
pub async fn look_at_partition(intake: &mut Visit<'_>, home: &mut Visit<'_>) -> Vec<Diagnosis> {
    let mut findings = look_at(intake, "rights", EXACTLY_ONCE).await;
    findings.extend(look_at(home, "rights", EXACTLY_ONCE).await);
    findings.extend(look_at(home, "rights", AT_HOMES).await);
    findings.retain(|finding| finding.severity != Severity::Ok);
    findings
}

/// A finding for what must be, one for each that should be, or one that all is
/// well.
async fn look_at(
    visit: &mut Visit<'_>,
    topic: &'static str,
    rights: &'static [Right],
) -> Vec<Diagnosis> {
    let missing = match missing(visit, rights).await {
        Ok(missing) => missing,
        Err(cause) => return vec![unanswered(topic, "trying the rights", &cause)],
    };
    let mut findings = Vec::new();
    let (needed, wanted): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|(right, _)| right.without.is_none());
    for (given, rights) in by_cause(needed) {
        let text = format!("the gateway can't do without {}", rules(&rights));
        findings.push(Diagnosis::fail(topic, text, advice(visit.settings, given, &rights)));
    }
    for (right, given) in wanted {
        let text = format!("without {} {}", rules(&[right]), right.without.unwrap_or_default());
        findings.push(Diagnosis::warn(topic, text, advice(visit.settings, given, &[right])));
    }
    if findings.is_empty() {
        let all: Vec<&Right> = rights.iter().collect();
        findings.push(Diagnosis::ok(topic, format!("all that is used is given: {}", rules(&all))));
    }
    findings
}

/// What nobody needs is no fault where it is missing.
async fn beside(visit: &mut Visit<'_>) -> Option<Diagnosis> {
    let missing = missing(visit, BESIDE).await.ok()?;
    let missing: Vec<&Right> = missing.into_iter().map(|(right, _)| right).collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!(
        "done without {}: then nobody sees how many gateways are on the queue, what exactly-once \
         delivery has left, nor whether a full Redis throws the queue away",
        rules(&missing)
    );
    Some(Diagnosis::skipped("rights", text))
}

async fn missing(
    visit: &mut Visit<'_>,
    rights: &'static [Right],
) -> Result<Vec<(&'static Right, Permission)>, RedisError> {
    let mut missing = Vec::new();
    for right in rights {
        match given(visit, right).await? {
            Permission::Yes => {}
            given @ (Permission::No | Permission::Unknown) => missing.push((right, given)),
        }
    }
    Ok(missing)
}

/// Those that the user lacks, and those that the server does not know.
fn by_cause(missing: Vec<(&Right, Permission)>) -> Vec<(Permission, Vec<&Right>)> {
    let of = |cause: Permission| {
        let of_cause = missing.iter().filter(|(_, given)| *given == cause);
        (cause, of_cause.map(|(right, _)| *right).collect())
    };
    let all: [(Permission, Vec<&Right>); 2] = [of(Permission::No), of(Permission::Unknown)];
    all.into_iter().filter(|(_, rights)| !rights.is_empty()).collect()
}

fn advice(settings: &QueueSettings, given: Permission, rights: &[&Right]) -> String {
    match given {
        Permission::Yes | Permission::No => grant(settings, rights),
        Permission::Unknown => {
            "this server does not know it: see rename-command in its settings, or \
                           whether it is a proxy"
                .to_owned()
        }
    }
}

async fn given(visit: &mut Visit<'_>, right: &Right) -> Result<Permission, RedisError> {
    if let Some(list) = right.call.strip_prefix("MAY_PUSH ") {
        let key = filled(list, visit.settings);
        let ask = cmd("EVAL").arg(MAY_PUSH).arg(1).arg(key).take();
        // An older server, or no right to EVAL, which has a line of its own.
        let may = visit.ask::<i64>(&ask).await.unwrap_or(1);
        return Ok(if may == 1 { Permission::Yes } else { Permission::No });
    }
    let call = call(right, visit.settings);
    match visit.ask::<redis::Value>(&call).await {
        Ok(_) => Ok(Permission::Yes),
        Err(cause) if is_unknown(&cause) => Ok(Permission::Unknown),
        Err(cause) if is_denied(&cause) => Ok(Permission::No),
        // The server has refused the call itself: it had got past the rights.
        Err(cause) if reply_words(&cause).is_some() => Ok(Permission::Yes),
        Err(cause) => Err(cause),
    }
}

fn call(right: &Right, settings: &QueueSettings) -> Cmd {
    let mut words = right.call.split(' ');
    let mut call = cmd(words.next().unwrap_or_default());
    words.for_each(|word| {
        call.arg(filled(word, settings));
    });
    call
}

fn rules(rights: &[&Right]) -> String {
    rights.iter().map(|right| format!("+{}", right.rule)).collect::<Vec<_>>().join(" ")
}

/// What gives those rights to the user in force.
fn grant(settings: &QueueSettings, rights: &[&Right]) -> String {
    let user = settings.redis.username.as_deref().unwrap_or("default");
    let mut keys: Vec<String> = Vec::new();
    let named = rights.iter().flat_map(|right| right.call.split(' '));
    for word in named.filter(|word| word.starts_with('{')) {
        let key = filled(word, settings);
        // Of the claimed lists there are many.
        let pattern = key.strip_suffix(":work:0").map_or(key.clone(), |queue| format!("{queue}:*"));
        if !keys.contains(&pattern) {
            keys.push(pattern);
        }
    }
    let keys: Vec<String> = keys.iter().map(|key| format!("'~{key}' ")).collect();
    let rules: Vec<String> = rights.iter().map(|right| format!("'+{}'", right.rule)).collect();
    format!("redis-cli ACL SETUSER {user} {}{}", keys.concat(), rules.join(" "))
}

/// The key's name as a template in the table of rights may use it.
fn filled(word: &str, settings: &QueueSettings) -> String {
    let keys = Keys::beside(&settings.key);
    match word {
        "{queue}" => keys.queue,
        "{owner}" => keys.owner,
        "{state}" => keys.state,
        "{list}" => keys.list(0),
        "{consumers}" => presence::key_of(&settings.key),
        "{sources}" => key_beside(&keys.queue, "sources"),
        "{letters}" => settings.dead_letters.key.clone(),
        "{account}" => dead_letter_writer::account_of(&settings.dead_letters.key),
        plain => plain.to_owned(),
    }
}
