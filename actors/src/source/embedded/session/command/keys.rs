//! What can be asked of keys: ours is a list, every other one is not there.

use super::super::super::arguments::Arguments;
use super::super::super::reply::RespReply;
use super::super::Session;

pub fn llen(session: &Session, arguments: &Arguments) -> RespReply {
    RespReply::Integer(length(session, arguments.argument(1)))
}

pub fn exists(session: &Session, arguments: &Arguments) -> RespReply {
    let there = arguments.from(1).filter(|key| length(session, key) > 0).count();
    RespReply::Integer(there as i64)
}

pub fn type_of(session: &Session, arguments: &Arguments) -> RespReply {
    RespReply::Simple(if length(session, arguments.argument(1)) > 0 { "list" } else { "none" })
}

pub fn get(session: &Session, arguments: &Arguments) -> RespReply {
    if length(session, arguments.argument(1)) > 0 {
        return RespReply::error(
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
    RespReply::Nil
}

/// Drops what no reader has taken yet, since that is what was asked for.
pub fn del(session: &Session, arguments: &Arguments) -> RespReply {
    let service = &session.service;
    if !arguments.from(1).any(|key| service.is_queue(key, session.client.database)) {
        return RespReply::Integer(0);
    }
    let dropped = service.queue.clear();
    if dropped > 0 {
        service.complaints.deleted(session.client.address, dropped);
    }
    RespReply::Integer(i64::from(dropped > 0))
}

fn length(session: &Session, key: &[u8]) -> i64 {
    let is_queue = session.service.is_queue(key, session.client.database);
    if is_queue { session.service.queue.length() } else { 0 }
}
