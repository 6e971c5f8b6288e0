//! CLIENT: what clients say about themselves and ask about their connection.

use super::super::super::arguments::Arguments;
use super::super::super::client_state::ReplyMode;
use super::super::super::reply::RespReply;
use super::super::Session;
use super::{CommandOutcome, unknown_subcommand, wrong_number};

const MAX_NAME_BYTES: usize = 1024;

pub fn answer(session: &mut Session, arguments: &Arguments) -> CommandOutcome {
    let client = &session.client;
    let sub = arguments.argument(1).to_ascii_uppercase();
    CommandOutcome::Reply(match (sub.as_slice(), arguments.len()) {
        (b"ID", 2) => RespReply::Integer(client.id as i64),
        (b"SETNAME", 3) => set_name(session, arguments.argument(2)).err().unwrap_or(RespReply::OK),
        (b"GETNAME", 2) if client.name.is_empty() => RespReply::Nil,
        (b"GETNAME", 2) => RespReply::bulk(&client.name),
        (b"SETINFO", 4) => RespReply::OK,
        (b"NO-EVICT" | b"NO-TOUCH", 3) => switch(arguments.argument(2)),
        (b"INFO", 2) | (b"LIST", 2..) => RespReply::Text(line(session)),
        (b"REPLY", 3) => return reply(session, arguments.argument(2)),
        (
            b"ID" | b"SETNAME" | b"GETNAME" | b"SETINFO" | b"NO-EVICT" | b"NO-TOUCH" | b"INFO"
            | b"REPLY",
            _,
        ) => {
            let name = [b"client|", sub.as_slice()].concat();
            wrong_number(&name)
        }
        _ => unknown_subcommand(arguments),
    })
}

pub fn set_name(session: &mut Session, name: &[u8]) -> Result<(), RespReply> {
    if name.len() > MAX_NAME_BYTES || !name.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(RespReply::error(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    session.client.name = name.to_vec();
    Ok(())
}

fn switch(word: &[u8]) -> RespReply {
    let is_known = word.eq_ignore_ascii_case(b"ON") || word.eq_ignore_ascii_case(b"OFF");
    if is_known { RespReply::OK } else { RespReply::error("ERR syntax error") }
}

fn reply(session: &mut Session, word: &[u8]) -> CommandOutcome {
    match word.to_ascii_uppercase().as_slice() {
        b"ON" => {
            session.client.replies = ReplyMode::On;
            CommandOutcome::Reply(RespReply::OK)
        }
        b"OFF" => {
            session.client.replies = ReplyMode::Off;
            CommandOutcome::Nothing
        }
        b"SKIP" => {
            // After OFF it changes nothing, as in Redis.
            if session.client.replies != ReplyMode::Off {
                session.client.replies = ReplyMode::SkipNext;
            }
            CommandOutcome::Nothing
        }
        _ => CommandOutcome::Reply(RespReply::error("ERR syntax error")),
    }
}

/// The client's own line of CLIENT LIST.
fn line(session: &Session) -> String {
    let client = &session.client;
    let user = session.service.login.as_ref().and_then(|login| login.user.as_deref());
    let resp = if super::is_resp3(session) { 3 } else { 2 };
    let name = String::from_utf8_lossy(&client.name);
    let (id, database) = (client.id, client.database);
    let (channels, patterns) = (client.channels.len(), client.patterns.len());
    let multi = session.transaction.as_ref().map_or(-1, |one| one.len() as i64);
    let user = user.unwrap_or("default");
    format!(
        "id={id} name={name} db={database} sub={channels} psub={patterns} multi={multi} \
         user={user} resp={resp}\n"
    )
}
