//! What can be asked of keys: ours is a list, every other one is not there.

use super::super::reply::Reply;
use super::super::session::Session;
use super::super::words::Words;

pub fn llen(session: &Session, words: &Words) -> Reply {
    Reply::Integer(length(session, words.argument(1)))
}

pub fn exists(session: &Session, words: &Words) -> Reply {
    let there = words.from(1).filter(|key| length(session, key) > 0).count();
    Reply::Integer(there as i64)
}

pub fn type_of(session: &Session, words: &Words) -> Reply {
    Reply::Simple(if length(session, words.argument(1)) > 0 { "list" } else { "none" })
}

pub fn get(session: &Session, words: &Words) -> Reply {
    if length(session, words.argument(1)) > 0 {
        return Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value");
    }
    Reply::Nil
}

/// Drops what no reader has taken yet, since that is what was asked for.
pub fn del(session: &Session, words: &Words) -> Reply {
    let service = &session.service;
    if !words.from(1).any(|key| service.is_queue(key, session.profile.database)) {
        return Reply::Integer(0);
    }
    let dropped = service.entry.clear();
    if dropped > 0 {
        service.complaints.deleted(session.profile.peer, dropped);
    }
    Reply::Integer(i64::from(dropped > 0))
}

fn length(session: &Session, key: &[u8]) -> i64 {
    let is_queue = session.service.is_queue(key, session.profile.database);
    if is_queue { session.service.entry.length() } else { 0 }
}
