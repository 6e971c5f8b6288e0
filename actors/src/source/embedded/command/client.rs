//! CLIENT: what clients say about themselves and ask about their connection.

use super::super::profile::Replies;
use super::super::reply::Reply;
use super::super::session::Session;
use super::super::words::Words;
use super::{Answer, unknown_subcommand, wrong_number};

/// The longest name that is kept.
const MAX_NAME_BYTES: usize = 1024;

pub fn answer(session: &mut Session, words: &Words) -> Answer {
    let profile = &session.profile;
    let sub = words.argument(1).to_ascii_uppercase();
    Answer::Reply(match (sub.as_slice(), words.len()) {
        (b"ID", 2) => Reply::Integer(profile.id as i64),
        (b"SETNAME", 3) => set_name(session, words.argument(2)).err().unwrap_or(Reply::OK),
        (b"GETNAME", 2) if profile.name.is_empty() => Reply::Nil,
        (b"GETNAME", 2) => Reply::bulk(&profile.name),
        (b"SETINFO", 4) => Reply::OK,
        (b"NO-EVICT" | b"NO-TOUCH", 3) => switch(words.argument(2)),
        (b"INFO", 2) | (b"LIST", 2..) => Reply::Text(line(session)),
        (b"REPLY", 3) => return reply(session, words.argument(2)),
        (
            b"ID" | b"SETNAME" | b"GETNAME" | b"SETINFO" | b"NO-EVICT" | b"NO-TOUCH" | b"INFO"
            | b"REPLY",
            _,
        ) => {
            let name = [b"client|", sub.as_slice()].concat();
            wrong_number(&name)
        }
        _ => unknown_subcommand(words),
    })
}

/// Takes note of a client's name.
pub fn set_name(session: &mut Session, name: &[u8]) -> Result<(), Reply> {
    if name.len() > MAX_NAME_BYTES || !name.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(Reply::error(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    session.profile.name = name.to_vec();
    Ok(())
}

fn switch(word: &[u8]) -> Reply {
    let is_known = word.eq_ignore_ascii_case(b"ON") || word.eq_ignore_ascii_case(b"OFF");
    if is_known { Reply::OK } else { Reply::error("ERR syntax error") }
}

fn reply(session: &mut Session, word: &[u8]) -> Answer {
    match word.to_ascii_uppercase().as_slice() {
        b"ON" => {
            session.profile.replies = Replies::On;
            Answer::Reply(Reply::OK)
        }
        b"OFF" => {
            session.profile.replies = Replies::Off;
            Answer::Nothing
        }
        b"SKIP" => {
            // After OFF it changes nothing, as in Redis.
            if session.profile.replies != Replies::Off {
                session.profile.replies = Replies::SkipNext;
            }
            Answer::Nothing
        }
        _ => Answer::Reply(Reply::error("ERR syntax error")),
    }
}

/// The client's own line of CLIENT LIST.
fn line(session: &Session) -> String {
    let profile = &session.profile;
    let user = session.service.login.as_ref().and_then(|login| login.user.as_deref());
    let resp = if super::is_resp3(session) { 3 } else { 2 };
    let name = String::from_utf8_lossy(&profile.name);
    let (id, database) = (profile.id, profile.database);
    let (channels, patterns) = (profile.channels.len(), profile.patterns.len());
    let multi = session.transaction.as_ref().map_or(-1, |one| one.len() as i64);
    let user = user.unwrap_or("default");
    format!(
        "id={id} name={name} db={database} sub={channels} psub={patterns} multi={multi} \
         user={user} resp={resp}\n"
    )
}
