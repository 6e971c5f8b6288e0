//! HELLO and AUTH: which version a client speaks, and who it is.

use super::super::super::arguments::Arguments;
use super::super::super::reply::{Protocol, RespReply};
use super::super::super::service::{REDIS_VERSION, Service};
use super::super::Session;
use super::{client, integer, shown};
use crate::error_kind::ErrorKind;

/// The user that a password alone is for.
const DEFAULT_USER: &[u8] = b"default";

pub fn auth(session: &mut Session, arguments: &Arguments) -> RespReply {
    let outcome = match arguments.len() {
        2 => log_in(session, None, arguments.argument(1)),
        3 => log_in(session, Some(arguments.argument(1)), arguments.argument(2)),
        _ => Err(RespReply::error("ERR syntax error")),
    };
    outcome.err().unwrap_or(RespReply::OK)
}

/// `HELLO [version [AUTH user password] [SETNAME name]]`
pub fn hello(session: &mut Session, arguments: &Arguments) -> RespReply {
    let protocol = match (arguments.len(), integer(arguments.argument(1))) {
        (1, _) => session.client.protocol,
        (_, Some(2)) => Protocol::Resp2,
        (_, Some(3)) => Protocol::Resp3,
        (_, Some(_)) => return RespReply::error("NOPROTO unsupported protocol version"),
        (_, None) => {
            return RespReply::error("ERR Protocol version is not an integer or out of range");
        }
    };
    let mut name = None;
    let mut next = 2;
    while next < arguments.len() {
        let (option, given) = (arguments.argument(next), arguments.len() - next - 1);
        if option.eq_ignore_ascii_case(b"AUTH") && given >= 2 {
            let (user, password) = (arguments.argument(next + 1), arguments.argument(next + 2));
            if let Err(refusal) = log_in(session, Some(user), password) {
                return refusal;
            }
            next += 3;
        } else if option.eq_ignore_ascii_case(b"SETNAME") && given >= 1 {
            name = Some(arguments.argument(next + 1).to_vec());
            next += 2;
        } else {
            return RespReply::error(format!(
                "ERR Syntax error in HELLO option '{}'",
                shown(option)
            ));
        }
    }
    if !session.client.is_known {
        return RespReply::error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        );
    }
    if let Some(name) = name
        && let Err(refusal) = client::set_name(session, &name)
    {
        return refusal;
    }
    session.client.protocol = protocol;
    greeting(session)
}

fn greeting(session: &Session) -> RespReply {
    let version = match session.client.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    let pair = |name: &str, value| (RespReply::bulk(name), value);
    RespReply::Map(vec![
        pair("server", RespReply::bulk("redis")),
        pair("version", RespReply::bulk(REDIS_VERSION)),
        pair("proto", RespReply::Integer(version)),
        pair("id", RespReply::Integer(session.client.id as i64)),
        pair("mode", RespReply::bulk("standalone")),
        pair("role", RespReply::bulk("master")),
        pair("modules", RespReply::Array(Vec::new())),
    ])
}

fn log_in(session: &mut Session, user: Option<&[u8]>, password: &[u8]) -> Result<(), RespReply> {
    let outcome = check(&session.service, user, password);
    match outcome {
        Ok(()) => session.client.is_known = true,
        Err(_) => {
            session.service.count(ErrorKind::Auth);
            if session.service.login.is_some() {
                session.client.refused_logins += 1;
            }
        }
    }
    outcome
}

fn check(service: &Service, user: Option<&[u8]>, password: &[u8]) -> Result<(), RespReply> {
    let Some(login) = &service.login else {
        return match user {
            None => Err(RespReply::error(
                "ERR AUTH <password> called without any password configured for the default \
                 user. Are you sure your configuration is correct?",
            )),
            // As in Redis, the default user without a password takes any.
            Some(user) if user == DEFAULT_USER => Ok(()),
            Some(_) => Err(wrong_password()),
        };
    };
    let expected = login.user.as_deref().map_or(DEFAULT_USER, str::as_bytes);
    let is_user = is_same(user.unwrap_or(DEFAULT_USER), expected);
    let is_password = is_same(password, login.password.expose().as_bytes());
    if is_user & is_password { Ok(()) } else { Err(wrong_password()) }
}

fn wrong_password() -> RespReply {
    RespReply::error("WRONGPASS invalid username-password pair or user is disabled.")
}

/// Compares without telling by its time how much is right.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let differing = given.iter().zip(expected).fold(0, |all, (one, other)| all | (one ^ other));
    given.len() == expected.len() && differing == 0
}
