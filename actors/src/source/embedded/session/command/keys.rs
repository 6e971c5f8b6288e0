//! What can be asked of keys: ours is a list, every other one is not there.

use super::super::super::arguments::Arguments;
use super::super::super::reply::Reply;
use super::super::Session;

pub fn llen(session: &Session, arguments: &Arguments) -> Reply {
    Reply::Integer(length(session, arguments.argument(1)))
}

pub fn exists(session: &Session, arguments: &Arguments) -> Reply {
    let there = arguments.from(1).filter(|key| length(session, key) > 0).count();
    Reply::Integer(there as i64)
}

pub fn type_of(session: &Session, arguments: &Arguments) -> Reply {
    Reply::Simple(if length(session, arguments.argument(1)) > 0 { "list" } else { "none" })
}

pub fn get(session: &Session, arguments: &Arguments) -> Reply {
    if length(session, arguments.argument(1)) > 0 {
        return Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value");
    }
    Reply::Nil
}

/// Drops what no reader has taken yet, since that is what was asked for.
pub fn del(session: &Session, arguments: &Arguments) -> Reply {
    let service = &session.service;
    if !arguments.from(1).any(|key| service.is_queue(key, session.client.database)) {
        return Reply::Integer(0);
    }
    let dropped = service.queue.clear();
    if dropped > 0 {
        service.complaints.deleted(session.client.address, dropped);
    }
    Reply::Integer(i64::from(dropped > 0))
}

fn length(session: &Session, key: &[u8]) -> i64 {
    let is_queue = session.service.is_queue(key, session.client.database);
    if is_queue { session.service.queue.length() } else { 0 }
}
