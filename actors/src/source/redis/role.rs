//! The role of a server: what ROLE, or the replication section of INFO, says.

use redis::Value;

use super::info::ServerInfo;
use super::redirect::named;
use crate::settings::Endpoint;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Primary,
    /// It copies that server, where it names one.
    Replica(Option<Endpoint>),
    /// It watches servers.
    Sentinel,
}

/// The role in the reply to ROLE; a reply of another shape is a primary's, since
/// a replica would say READONLY.
pub fn role_of_reply(reply: &Value) -> Role {
    let Value::Array(parts) = reply else { return Role::Primary };
    match parts.first().and_then(text).as_deref() {
        Some("slave" | "replica") => Role::Replica(address(parts.get(1), parts.get(2))),
        Some("sentinel") => Role::Sentinel,
        Some(_) | None => Role::Primary,
    }
}

/// The role in the reply to `INFO replication`.
pub fn role_of_info(reply: &Value) -> Role {
    let info = ServerInfo::new(text(reply).unwrap_or_default());
    match info.field("role") {
        "slave" | "replica" => {
            let port = info.field("master_port").parse().unwrap_or_default();
            Role::Replica(named(info.field("master_host"), port))
        }
        _ => Role::Primary,
    }
}

fn address(host: Option<&Value>, port: Option<&Value>) -> Option<Endpoint> {
    let host = text(host?).filter(|host| !host.is_empty())?;
    let port = port?;
    let port = if let Value::Int(number) = port {
        u16::try_from(*number).ok()?
    } else {
        text(port)?.parse().ok()?
    };
    named(&host, port)
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica_of(host: &str, port: u16) -> Role {
        Role::Replica(Some(Endpoint::Tcp(host.into(), port)))
    }

    #[test]
    fn roles_are_read_from_role() {
        let check = |reply: &[u8], expected: Role| {
            let value = redis::parse_redis_value(reply).unwrap();
            assert_eq!(role_of_reply(&value), expected);
        };
        check(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", Role::Primary);
        check(
            b"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6380\r\n$9\r\nconnected\r\n:14\r\n",
            replica_of("127.0.0.1", 6380),
        );
        check(b"*2\r\n$8\r\nsentinel\r\n*0\r\n", Role::Sentinel);
        check(b"*1\r\n$5\r\nslave\r\n", Role::Replica(None));
        check(b"+OK\r\n", Role::Primary);
    }

    #[test]
    fn roles_are_read_from_info() {
        let check = |info: &str, expected: Role| {
            assert_eq!(role_of_info(&Value::BulkString(info.into())), expected, "{info}");
        };
        check("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n", Role::Primary);
        check(
            "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n",
            replica_of("10.0.0.1", 6379),
        );
        check("role:slave\r\n", Role::Replica(None));
        check("", Role::Primary);
    }
}
