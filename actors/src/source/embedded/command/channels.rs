//! Channels: subscriptions are confirmed and held; nothing is ever published.

use super::super::profile::{Names, Profile};
use super::super::reply::Reply;
use super::super::session::Session;
use super::super::words::Words;

/// The most subscriptions of one client, and bytes of one name: some clients
/// make one to hear of a failover, which never comes.
const MAX_SUBSCRIPTIONS: usize = 1024;
const MAX_NAME_BYTES: usize = 1024;

/// What is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
}

pub fn subscribe(session: &mut Session, words: &Words, sort: Sort) -> Reply {
    let verb = match sort {
        Sort::Channel => "subscribe",
        Sort::Pattern => "psubscribe",
    };
    let mut replies = Vec::new();
    for name in words.from(1) {
        let profile = &mut session.profile;
        if profile.subscriptions() >= MAX_SUBSCRIPTIONS || name.len() > MAX_NAME_BYTES {
            replies.push(Reply::error("ERR too many subscriptions, or too long a name"));
            break;
        }
        names(profile, sort).insert(name);
        replies.push(confirmation(profile, verb, Reply::bulk(name)));
    }
    Reply::Several(replies)
}

/// Without names: from all.
pub fn unsubscribe(session: &mut Session, words: &Words, sort: Sort) -> Reply {
    let verb = match sort {
        Sort::Channel => "unsubscribe",
        Sort::Pattern => "punsubscribe",
    };
    let profile = &mut session.profile;
    let given: Vec<Vec<u8>> = match words.len() {
        1 => names(profile, sort).iter().map(<[u8]>::to_vec).collect(),
        _ => words.from(1).map(<[u8]>::to_vec).collect(),
    };
    if given.is_empty() {
        return confirmation(profile, verb, Reply::Nil);
    }
    let mut confirm = |name: Vec<u8>| {
        names(profile, sort).remove(&name);
        confirmation(profile, verb, Reply::Bulk(name))
    };
    Reply::Several(given.into_iter().map(&mut confirm).collect())
}

fn names(profile: &mut Profile, sort: Sort) -> &mut Names {
    match sort {
        Sort::Channel => &mut profile.channels,
        Sort::Pattern => &mut profile.patterns,
    }
}

fn confirmation(profile: &Profile, verb: &str, name: Reply) -> Reply {
    let left = Reply::Integer(profile.subscriptions() as i64);
    Reply::Push(vec![Reply::bulk(verb), name, left])
}
