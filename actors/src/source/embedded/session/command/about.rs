//! What clients ask about the server: INFO, CONFIG GET, COMMAND, ROLE.

use std::process;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};

use super::super::super::arguments::Arguments;
use super::super::super::reply::{Protocol, RespReply};
use super::super::super::service::{REDIS_VERSION, Service};
use super::{COMMANDS, CommandEntry, CommandOutcome, find_entry, unknown_subcommand};

/// The whole table, which takes long to pack.
static ALL: [LazyLock<Bytes>; 2] = [
    LazyLock::new(|| packed_table(Protocol::Resp2)),
    LazyLock::new(|| packed_table(Protocol::Resp3)),
];

pub fn role() -> RespReply {
    RespReply::Array(vec![
        RespReply::bulk("master"),
        RespReply::Integer(0),
        RespReply::Array(Vec::new()),
    ])
}

/// COMMAND and its subcommands. There is no documentation.
pub fn command(protocol: Protocol, arguments: &Arguments) -> CommandOutcome {
    let sub = arguments.argument(1).to_ascii_uppercase();
    CommandOutcome::Reply(match (sub.as_slice(), arguments.len()) {
        (_, 1) | (b"INFO", 2) => {
            let all = match protocol {
                Protocol::Resp2 => &ALL[0],
                Protocol::Resp3 => &ALL[1],
            };
            return CommandOutcome::Packed(Bytes::clone(all));
        }
        (b"COUNT", 2) => RespReply::Integer(COMMANDS.len() as i64),
        (b"LIST", 2) => {
            RespReply::Array(COMMANDS.iter().map(|entry| RespReply::bulk(entry.name)).collect())
        }
        (b"DOCS", _) => RespReply::Map(Vec::new()),
        (b"INFO", _) if arguments.len() > 2 + COMMANDS.len() => {
            RespReply::error("ERR too many names of commands")
        }
        (b"INFO", _) => {
            let one = |name: &[u8]| find_entry(name).map_or(RespReply::Nil, described);
            RespReply::Array(arguments.from(2).map(one).collect())
        }
        _ => unknown_subcommand(arguments),
    })
}

fn packed_table(protocol: Protocol) -> Bytes {
    let mut packed = BytesMut::new();
    RespReply::Array(COMMANDS.iter().map(described).collect()).pack(protocol, &mut packed);
    packed.freeze()
}

fn described(entry: &CommandEntry) -> RespReply {
    let (first, last, step) = entry.keys;
    let none = || RespReply::Array(Vec::new());
    RespReply::Array(vec![
        RespReply::bulk(entry.name),
        RespReply::Integer(entry.arity),
        RespReply::Array(entry.flags.iter().map(|flag| RespReply::Simple(flag)).collect()),
        RespReply::Integer(first),
        RespReply::Integer(last),
        RespReply::Integer(step),
        none(),
        none(),
        none(),
        none(),
    ])
}

/// `CONFIG GET name…`, where `*` is all of them; nothing can be set this way.
pub fn config(service: &Service, arguments: &Arguments) -> RespReply {
    if !arguments.argument(1).eq_ignore_ascii_case(b"GET") {
        return RespReply::error(
            "ERR the embedded queue is configured by the settings of the gateway",
        );
    }
    if arguments.len() == 2 {
        return super::wrong_number(b"config|get");
    }
    let is_asked = |name: &str| {
        let is_it = |one: &[u8]| one == b"*" || one.eq_ignore_ascii_case(name.as_bytes());
        arguments.from(2).any(is_it)
    };
    let known = parameters(service).into_iter().filter(|(name, _)| is_asked(name));
    RespReply::Map(
        known.map(|(name, value)| (RespReply::bulk(name), RespReply::bulk(value))).collect(),
    )
}

/// The parameters of a Redis that is like us.
fn parameters(service: &Service) -> Vec<(&'static str, String)> {
    vec![
        ("appendonly", "no".into()),
        ("cluster-enabled", "no".into()),
        ("databases", service.databases().to_string()),
        ("maxclients", service.clients.max_connections().to_string()),
        ("maxmemory", service.max_queue_bytes.to_string()),
        ("maxmemory-clients", service.clients.max_bytes().to_string()),
        ("maxmemory-policy", "noeviction".into()),
        ("port", service.served.port.to_string()),
        ("proto-max-bulk-len", "536870912".into()),
        ("replica-read-only", "yes".into()),
        ("save", String::new()),
        ("slave-read-only", "yes".into()),
        ("timeout", "0".into()),
    ]
}

/// `INFO [section…]`
pub fn info(service: &Service, arguments: &Arguments) -> RespReply {
    let all: [&[u8]; 3] = [b"ALL", b"DEFAULT", b"EVERYTHING"];
    let asked: Vec<Vec<u8>> = arguments.from(1).map(<[u8]>::to_ascii_uppercase).collect();
    let is_asked = |section: &str| {
        let is_it = |word: &Vec<u8>| {
            all.contains(&word.as_slice()) || word.eq_ignore_ascii_case(section.as_bytes())
        };
        asked.is_empty() || asked.iter().any(is_it)
    };
    let sections = sections(service);
    let shown = sections.iter().filter(|(name, _)| is_asked(name));
    let texts: Vec<String> = shown.map(|(name, lines)| format!("# {name}\r\n{lines}")).collect();
    RespReply::Text(texts.join("\r\n"))
}

fn sections(service: &Service) -> [(&'static str, String); 7] {
    let lines = |fields: &[(&str, String)]| -> String {
        fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect()
    };
    let uptime = service.uptime().as_secs().to_string();
    let length = service.queue.length().max(0);
    let keys = format!("keys={},expires=0,avg_ttl=0", i64::from(length > 0));
    let keyspace = [(format!("db{}", service.served.database), keys)];
    let keyspace = keyspace.iter().filter(|_| length > 0);
    let keyspace: String = keyspace.map(|(name, value)| format!("{name}:{value}\r\n")).collect();
    [
        (
            "Server",
            lines(&[
                ("redis_version", REDIS_VERSION.into()),
                ("redis_mode", "standalone".into()),
                ("server_name", "prom-stream-gateway".into()),
                ("process_id", process::id().to_string()),
                ("tcp_port", service.served.port.to_string()),
                ("uptime_in_seconds", uptime),
            ]),
        ),
        ("Clients", lines(&[("connected_clients", service.clients.count().to_string())])),
        (
            "Memory",
            lines(&[
                ("maxmemory", service.max_queue_bytes.to_string()),
                ("maxmemory_policy", "noeviction".into()),
                ("mem_clients_normal", service.clients.held().to_string()),
            ]),
        ),
        ("Persistence", lines(&[("loading", "0".into()), ("aof_enabled", "0".into())])),
        ("Replication", lines(&[("role", "master".into()), ("connected_slaves", "0".into())])),
        ("Cluster", lines(&[("cluster_enabled", "0".into())])),
        ("Keyspace", keyspace),
    ]
}
