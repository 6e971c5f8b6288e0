//! The one table of commands.

use super::{Command, Push};

/// A command by its name.
#[derive(Debug)]
pub struct Entry {
    /// In lower case.
    pub name: &'static str,
    pub(super) command: Command,
    /// Words, its name among them; negative: at least so many.
    pub(super) arity: i64,
    pub(super) flags: &'static [&'static str],
    /// Places of the first and the last key, and the step between two.
    pub(super) keys: (i64, i64, i64),
}

const PUSH: Command = Command::Push(Push { only_if_exists: false });
const PUSHX: Command = Command::Push(Push { only_if_exists: true });

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
    command: Command,
    arity: i64,
    flags: &'static [&'static str],
    keys: (i64, i64, i64),
) -> Entry {
    Entry { name, command, arity, flags, keys }
}

/// Every command; those that are sent most come first.
pub static COMMANDS: &[Entry] = &[
    entry("lpush", PUSH, -3, WRITE, ONE_KEY),
    entry("rpush", PUSH, -3, WRITE, ONE_KEY),
    entry("ping", Command::Ping, -1, PLAIN, NO_KEYS),
    entry("multi", Command::Multi, 1, PLAIN, NO_KEYS),
    entry("exec", Command::Exec, 1, PLAIN, NO_KEYS),
    entry("select", Command::Select, 2, PLAIN, NO_KEYS),
    entry("auth", Command::Auth, -2, OPEN, NO_KEYS),
    entry("hello", Command::Hello, -1, OPEN, NO_KEYS),
    entry("client", Command::Client, -2, ADMIN, NO_KEYS),
    entry("quit", Command::Quit, -1, OPEN, NO_KEYS),
    entry("lpushx", PUSHX, -3, WRITE, ONE_KEY),
    entry("rpushx", PUSHX, -3, WRITE, ONE_KEY),
    entry("llen", Command::Llen, 2, READ, ONE_KEY),
    entry("del", Command::Del, -2, &["write"], ALL_KEYS),
    entry("unlink", Command::Del, -2, &["write", "fast"], ALL_KEYS),
    entry("exists", Command::Exists, -2, READ, ALL_KEYS),
    entry("type", Command::Type, 2, READ, ONE_KEY),
    entry("get", Command::Get, 2, READ, ONE_KEY),
    entry("echo", Command::Echo, 2, PLAIN, NO_KEYS),
    entry("command", Command::About, -1, PLAIN, NO_KEYS),
    entry("config", Command::Config, -2, ADMIN, NO_KEYS),
    entry("info", Command::Info, -1, PLAIN, NO_KEYS),
    entry("role", Command::Role, 1, PLAIN, NO_KEYS),
    entry("discard", Command::Discard, 1, PLAIN, NO_KEYS),
    entry("unwatch", Command::Unwatch, 1, PLAIN, NO_KEYS),
    entry("subscribe", Command::Subscribe, -2, PUBSUB, NO_KEYS),
    entry("unsubscribe", Command::Unsubscribe, -1, PUBSUB, NO_KEYS),
    entry("psubscribe", Command::Psubscribe, -2, PUBSUB, NO_KEYS),
    entry("punsubscribe", Command::Punsubscribe, -1, PUBSUB, NO_KEYS),
    entry("cluster", Command::Cluster, -2, ADMIN, NO_KEYS),
    entry("reset", Command::Reset, 1, OPEN, NO_KEYS),
];

/// What that name stands for, in any letter case.
pub fn find(name: &[u8]) -> Option<Command> {
    find_entry(name).map(|entry| entry.command)
}

pub(super) fn find_entry(name: &[u8]) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name))
}
