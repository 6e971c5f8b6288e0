//! The one table of commands.

use super::{Push, RespCommand};

#[derive(Debug)]
pub struct CommandEntry {
    /// In lower case.
    pub name: &'static str,
    pub(super) command: RespCommand,
    /// How many arguments it has, its name among them; negative: at least that many.
    pub(super) arity: i64,
    pub(super) flags: &'static [&'static str],
    /// Places of the first and the last key, and the step between two.
    pub(super) keys: (i64, i64, i64),
}

const PUSH: RespCommand = RespCommand::Push(Push { only_if_exists: false });
const PUSHX: RespCommand = RespCommand::Push(Push { only_if_exists: true });

const WRITE: &[&str] = &["write", "denyoom", "fast"];
const READ: &[&str] = &["readonly", "fast"];
const PLAIN: &[&str] = &["loading", "stale", "fast"];
const OPEN: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth"];
const ADMIN: &[&str] = &["admin", "noscript", "loading", "stale"];
const PUBSUB: &[&str] = &["pubsub", "noscript", "loading", "stale"];

const NO_KEYS: (i64, i64, i64) = (0, 0, 0);
const ONE_KEY: (i64, i64, i64) = (1, 1, 1);
const ALL_KEYS: (i64, i64, i64) = (1, -1, 1);

const fn entry(
    name: &'static str,
    command: RespCommand,
    arity: i64,
    flags: &'static [&'static str],
    keys: (i64, i64, i64),
) -> CommandEntry {
    CommandEntry { name, command, arity, flags, keys }
}

/// Every command; those that are sent most come first.
pub static COMMANDS: &[CommandEntry] = &[
    entry("lpush", PUSH, -3, WRITE, ONE_KEY),
    entry("rpush", PUSH, -3, WRITE, ONE_KEY),
    entry("ping", RespCommand::Ping, -1, PLAIN, NO_KEYS),
    entry("multi", RespCommand::Multi, 1, PLAIN, NO_KEYS),
    entry("exec", RespCommand::Exec, 1, PLAIN, NO_KEYS),
    entry("select", RespCommand::Select, 2, PLAIN, NO_KEYS),
    entry("auth", RespCommand::Auth, -2, OPEN, NO_KEYS),
    entry("hello", RespCommand::Hello, -1, OPEN, NO_KEYS),
    entry("client", RespCommand::Client, -2, ADMIN, NO_KEYS),
    entry("quit", RespCommand::Quit, -1, OPEN, NO_KEYS),
    entry("lpushx", PUSHX, -3, WRITE, ONE_KEY),
    entry("rpushx", PUSHX, -3, WRITE, ONE_KEY),
    entry("llen", RespCommand::Llen, 2, READ, ONE_KEY),
    entry("del", RespCommand::Del, -2, &["write"], ALL_KEYS),
    entry("unlink", RespCommand::Del, -2, &["write", "fast"], ALL_KEYS),
    entry("exists", RespCommand::Exists, -2, READ, ALL_KEYS),
    entry("type", RespCommand::Type, 2, READ, ONE_KEY),
    entry("get", RespCommand::Get, 2, READ, ONE_KEY),
    entry("echo", RespCommand::Echo, 2, PLAIN, NO_KEYS),
    entry("command", RespCommand::About, -1, PLAIN, NO_KEYS),
    entry("config", RespCommand::Config, -2, ADMIN, NO_KEYS),
    entry("info", RespCommand::Info, -1, PLAIN, NO_KEYS),
    entry("role", RespCommand::Role, 1, PLAIN, NO_KEYS),
    entry("discard", RespCommand::Discard, 1, PLAIN, NO_KEYS),
    entry("unwatch", RespCommand::Unwatch, 1, PLAIN, NO_KEYS),
    entry("subscribe", RespCommand::Subscribe, -2, PUBSUB, NO_KEYS),
    entry("unsubscribe", RespCommand::Unsubscribe, -1, PUBSUB, NO_KEYS),
    entry("psubscribe", RespCommand::Psubscribe, -2, PUBSUB, NO_KEYS),
    entry("punsubscribe", RespCommand::Punsubscribe, -1, PUBSUB, NO_KEYS),
    entry("cluster", RespCommand::Cluster, -2, ADMIN, NO_KEYS),
    entry("reset", RespCommand::Reset, 1, OPEN, NO_KEYS),
];

/// What that name stands for, in any letter case.
pub fn find(name: &[u8]) -> Option<RespCommand> {
    find_entry(name).map(|entry| entry.command)
}

pub(super) fn find_entry(name: &[u8]) -> Option<&'static CommandEntry> {
    COMMANDS.iter().find(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name))
}
