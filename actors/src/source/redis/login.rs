//! Logging in: what is said on a new connection before it may be used.

use psg_engine::printable::{SHORT, printable};
use redis::cmd;

use super::super::SourceError;
use super::error::{crate_failed, error, kind_of_reply, refused};
use super::login_session::{LoginReply, LoginSession};
use super::progress::{ConnectProgress, ConnectStage};
use super::redirect::named;
use super::role::{Role, role_of_info, role_of_reply};
use crate::error_kind::ErrorKind;
use crate::secret_file;
use crate::settings::{Endpoint, RedisTarget, Secret, Unsent};

/// Says what `target` has to say; of what a server may do without, what is not
/// in `unsent`.
pub async fn log_in(
    session: &mut LoginSession,
    target: &RedisTarget,
    progress: &ConnectProgress,
    unsent: &Unsent,
) -> Result<(), SourceError> {
    progress.reach(ConnectStage::LoggingIn);
    let password = password(target).await?;
    authenticate(session, target.username.as_deref(), password.as_ref()).await?;
    if target.database != 0 {
        let select = cmd("SELECT").arg(target.database).take();
        session.call("SELECT", &select).await?;
    }
    progress.reach(ConnectStage::Introducing);
    if !target.client_name.is_empty() && unsent.lets("CLIENT") {
        let name = cmd("CLIENT").arg("SETNAME").arg(&target.client_name).take();
        // A server that has no names for its clients is fine too.
        let _ = session.exchange(&name).await?;
    }
    Ok(())
}

/// Asks for the role by ROLE, or by INFO where the user may not; who may
/// neither is believed to be at a primary, and READONLY would show it.
pub async fn ask_role(session: &mut LoginSession, unsent: &Unsent) -> Result<Role, SourceError> {
    if unsent.lets("ROLE") {
        match session.exchange(&cmd("ROLE")).await? {
            LoginReply::Value(reply) => return Ok(role_of_reply(&reply)),
            LoginReply::Refused(words) => fail_if_locked_out("ROLE", &words)?,
        }
    }
    if unsent.lets("INFO")
        && let LoginReply::Value(reply) =
            session.exchange(&cmd("INFO").arg("replication").take()).await?
    {
        return Ok(role_of_info(&reply));
    }
    Ok(Role::Primary)
}

/// Where the master of that name is, by what this Sentinel says.
pub async fn ask_sentinel(
    session: &mut LoginSession,
    target: &RedisTarget,
    service: &str,
) -> Result<Endpoint, SourceError> {
    if let Some(login) = &target.sentinel_login {
        authenticate(session, login.user.as_deref(), Some(&login.password)).await?;
    }
    let ask = cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service).take();
    let mut answer = session.exchange(&ask).await?;
    // Sentinels often have no password where their servers do; those
    // that ask for one mostly have the same.
    if target.sentinel_login.is_none()
        && let LoginReply::Refused(words) = &answer
        && wants_login(words)
    {
        let password = password(target).await?;
        if password.is_some() {
            authenticate(session, target.username.as_deref(), password.as_ref()).await?;
            answer = session.exchange(&ask).await?;
        }
    }
    let reply = match answer {
        LoginReply::Value(reply) => reply,
        LoginReply::Refused(words) => return Err(refused("SENTINEL", &words)),
    };
    let address: Option<(String, u16)> =
        redis::from_redis_value(reply).map_err(|cause| crate_failed("SENTINEL", &cause.into()))?;
    let Some((host, port)) = address else {
        let message = format!("it knows no master named {service:?}");
        return Err(error(ErrorKind::Other, message));
    };
    named(&host, port).ok_or_else(|| {
        let message = format!("it names a master for {service:?} whose address can be none");
        error(ErrorKind::Protocol, message)
    })
}

/// The password that is in force now.
async fn password(target: &RedisTarget) -> Result<Option<Secret>, SourceError> {
    let Some(file) = target.password_file.clone() else { return Ok(target.password.clone()) };
    let read = tokio::task::spawn_blocking(move || secret_file::read(&file)).await;
    let read = read.unwrap_or_else(|cause| Err(cause.to_string()));
    read.map(Some).map_err(|cause| error(ErrorKind::Auth, format!("Redis.PasswordFile: {cause}")))
}

/// AUTH, where there is a user or a password. A server that has none is fine
/// too, as it is with the clients that the connection string was written for.
async fn authenticate(
    session: &mut LoginSession,
    user: Option<&str>,
    password: Option<&Secret>,
) -> Result<(), SourceError> {
    let mut auth = cmd("AUTH");
    match (user, password) {
        (None, None) => return Ok(()),
        (None, Some(password)) => auth.arg(password.expose()),
        (Some(user), password) => auth.arg(user).arg(password.map_or("", Secret::expose)),
    };
    match session.exchange(&auth).await? {
        LoginReply::Value(_) => Ok(()),
        LoginReply::Refused(words) if is_without_password(&words) => Ok(()),
        LoginReply::Refused(words) => Err(auth_refused(&words)),
    }
}

fn wants_login(words: &str) -> bool {
    matches!(kind_of_reply(words), ErrorKind::Auth | ErrorKind::Permission)
}

fn fail_if_locked_out(command: &str, words: &str) -> Result<(), SourceError> {
    let refusal = refused(command, words);
    if refusal.kind == ErrorKind::Auth { Err(refusal) } else { Ok(()) }
}

fn is_without_password(words: &str) -> bool {
    words.contains("without any password configured") || words.contains("no password is set")
}

/// The refusal of AUTH. Servers that do not know the command repeat its
/// arguments, so only words that can't hold the password are passed on.
fn auth_refused(words: &str) -> SourceError {
    let code = words.split_ascii_whitespace().next().unwrap_or_default();
    let kind = kind_of_reply(words);
    if kind == ErrorKind::Auth {
        return refused("AUTH", words);
    }
    let kind = if kind == ErrorKind::Busy { kind } else { ErrorKind::Auth };
    error(kind, format!("AUTH was refused: {}", printable(code, SHORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_auth_never_repeats_the_password() {
        let words = "ERR unknown command `AUTH`, with args beginning with: `hunter2`, ";
        let refusal = auth_refused(words);
        assert_eq!(refusal.kind, ErrorKind::Auth);
        assert!(!refusal.message.contains("hunter2"), "{refusal}");
    }
}
