//! Channels: subscriptions are confirmed and held; nothing is ever published.

use super::super::super::arguments::Arguments;
use super::super::super::client_state::{ClientState, Subscriptions};
use super::super::super::reply::RespReply;
use super::super::Session;

/// The most subscriptions of one client, and bytes of one name: some clients
/// make one to hear of a failover, which never comes.
const MAX_SUBSCRIPTIONS: usize = 1024;
const MAX_NAME_BYTES: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionKind {
    Channel,
    Pattern,
}

pub fn subscribe(
    session: &mut Session,
    arguments: &Arguments,
    sort: SubscriptionKind,
) -> RespReply {
    let verb = match sort {
        SubscriptionKind::Channel => "subscribe",
        SubscriptionKind::Pattern => "psubscribe",
    };
    let mut replies = Vec::new();
    for name in arguments.from(1) {
        let client = &mut session.client;
        if client.subscriptions() >= MAX_SUBSCRIPTIONS || name.len() > MAX_NAME_BYTES {
            replies.push(RespReply::error("ERR too many subscriptions, or too long a name"));
            break;
        }
        names(client, sort).insert(name);
        replies.push(confirmation(client, verb, RespReply::bulk(name)));
    }
    RespReply::Several(replies)
}

/// Without names: from all.
pub fn unsubscribe(
    session: &mut Session,
    arguments: &Arguments,
    sort: SubscriptionKind,
) -> RespReply {
    let verb = match sort {
        SubscriptionKind::Channel => "unsubscribe",
        SubscriptionKind::Pattern => "punsubscribe",
    };
    let client = &mut session.client;
    let given: Vec<Vec<u8>> = match arguments.len() {
        1 => names(client, sort).iter().map(<[u8]>::to_vec).collect(),
        _ => arguments.from(1).map(<[u8]>::to_vec).collect(),
    };
    if given.is_empty() {
        return confirmation(client, verb, RespReply::Nil);
    }
    let mut confirm = |name: Vec<u8>| {
        names(client, sort).remove(&name);
        confirmation(client, verb, RespReply::Bulk(name))
    };
    RespReply::Several(given.into_iter().map(&mut confirm).collect())
}

fn names(client: &mut ClientState, sort: SubscriptionKind) -> &mut Subscriptions {
    match sort {
        SubscriptionKind::Channel => &mut client.channels,
        SubscriptionKind::Pattern => &mut client.patterns,
    }
}

fn confirmation(client: &ClientState, verb: &str, name: RespReply) -> RespReply {
    let left = RespReply::Integer(client.subscriptions() as i64);
    RespReply::Push(vec![RespReply::bulk(verb), name, left])
}
