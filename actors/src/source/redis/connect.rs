//! Connecting: from the configured endpoints to a stream that is logged in at
//! the server that may be popped from, the *primary*.
//!
//! The way there: the primary of last time and the endpoints in the order given
//! (or, with a service name, the master that a Sentinel names); log in; ask for
//! the role; at a replica try the others, then the master that it names.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::SourceError;
use super::error::{crate_failed, error, io_failed, reply_words};
use super::role::{Role, role_of_info, role_of_reply};
use super::stream::{RedisStream, tls_config};
use crate::error_kind::ErrorKind;
use crate::settings::{Endpoint, RedisTarget};
use redis::{Cmd, Value, cmd};
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;

/// Servers that one attempt tries at most: replicas may name each other.
const MAX_TRIES: usize = 16;

/// Opens connections; one for the process, since it remembers the primary.
#[derive(Debug)]
pub struct Connector {
    target: RedisTarget,
    tls: Mutex<Option<Arc<ClientConfig>>>,
    primary: Mutex<Option<Endpoint>>,
    /// Where MOVED pointed last.
    moved: Mutex<Option<Endpoint>>,
    /// Rises when what was thought to be the primary turned out not to be.
    detours: AtomicU64,
}

/// A stream that is logged in, and where it leads.
#[derive(Debug)]
pub struct Connected {
    /// The stream; no reply is outstanding.
    pub stream: RedisStream,
    /// The server's address.
    pub endpoint: Endpoint,
}

impl Connector {
    /// Opens nothing yet.
    pub fn new(target: RedisTarget) -> Self {
        Self {
            target,
            tls: Mutex::default(),
            primary: Mutex::default(),
            moved: Mutex::default(),
            detours: AtomicU64::new(0),
        }
    }

    /// How often a server refused because it is not the primary; a connection
    /// that was opened before the last one may lead to the wrong server.
    pub fn detours(&self) -> u64 {
        self.detours.load(Ordering::Acquire)
    }

    /// Whether the primary was last found at another place than `endpoint`.
    pub fn leads_elsewhere(&self, endpoint: &Endpoint) -> bool {
        let primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        primary.as_ref().is_some_and(|primary| primary != endpoint)
    }

    /// Connects to the primary and logs in.
    pub async fn connect(&self) -> Result<Connected, SourceError> {
        let mut candidates = self.candidates().await?;
        let mut masters = VecDeque::new();
        let mut tried: Vec<Endpoint> = Vec::new();
        let mut failure: Option<SourceError> = None;
        while let Some(endpoint) = candidates.pop_front().or_else(|| masters.pop_front()) {
            if tried.contains(&endpoint) || tried.len() == MAX_TRIES {
                continue;
            }
            match self.connect_with_role(&endpoint).await {
                Ok((stream, Role::Primary)) => {
                    self.remember(&endpoint);
                    return Ok(Connected { stream, endpoint });
                }
                Ok((_, Role::Replica(master))) => {
                    let message = format!("{endpoint} is a replica");
                    keep_telling(&mut failure, error(ErrorKind::NotPrimary, message));
                    masters.extend(master);
                }
                Ok((_, Role::Sentinel)) => {
                    let message = format!("{endpoint} is a Sentinel, but no service name is set");
                    keep_telling(&mut failure, error(ErrorKind::Other, message));
                }
                Err(cause) => keep_telling(&mut failure, cause),
            }
            tried.push(endpoint);
        }
        Err(failure.unwrap_or_else(|| error(ErrorKind::Connection, "there is no endpoint to try")))
    }

    /// Connects to that server and logs in, whatever its role.
    pub async fn connect_to(&self, endpoint: &Endpoint) -> Result<Connected, SourceError> {
        let stream = self.in_time(endpoint, self.log_in(endpoint)).await?;
        Ok(Connected { stream, endpoint: endpoint.clone() })
    }

    /// Takes note of an error reply of the server at `from`: the next connection
    /// goes where `MOVED` points, or looks for the primary anew.
    pub fn note_refusal(&self, from: &Endpoint, words: &str) {
        if super::error::kind_of_reply(words) != ErrorKind::NotPrimary {
            return;
        }
        if let Some(owner) = moved_to(from, words) {
            let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            if moved.as_ref() != Some(&owner) {
                tracing::info!(endpoint = %owner, "redis says that this node has the queue: going there");
                *moved = Some(owner.clone());
            }
            *self.primary.lock().unwrap_or_else(PoisonError::into_inner) = Some(owner);
        }
        self.detours.fetch_add(1, Ordering::AcqRel);
    }

    async fn candidates(&self) -> Result<VecDeque<Endpoint>, SourceError> {
        if let Some(service) = &self.target.service_name {
            return Ok(VecDeque::from([self.ask_sentinels(service).await?]));
        }
        let primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(primary.into_iter().chain(self.target.endpoints.iter().cloned()).collect())
    }

    fn remember(&self, endpoint: &Endpoint) {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if primary.as_ref() != Some(endpoint) {
            tracing::debug!(%endpoint, "redis is reached");
            *primary = Some(endpoint.clone());
        }
    }

    async fn connect_with_role(
        &self,
        endpoint: &Endpoint,
    ) -> Result<(RedisStream, Role), SourceError> {
        self.in_time(endpoint, async {
            let mut stream = self.log_in(endpoint).await?;
            let role = ask_role(&mut stream).await?;
            Ok((stream, role))
        })
        .await
    }

    async fn log_in(&self, endpoint: &Endpoint) -> Result<RedisStream, SourceError> {
        let mut stream = self.open(endpoint).await?;
        self.authenticate(&mut stream).await?;
        if self.target.database != 0 {
            let select = cmd("SELECT").arg(self.target.database).take();
            call(&mut stream, "SELECT", &select).await?;
        }
        if !self.target.client_name.is_empty() {
            let name = cmd("CLIENT").arg("SETNAME").arg(&self.target.client_name).take();
            ignore_refusal(call(&mut stream, "CLIENT SETNAME", &name).await)?;
        }
        Ok(stream)
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<RedisStream, SourceError> {
        RedisStream::open(endpoint, &self.target, self.tls_config()?).await
    }

    fn tls_config(&self) -> Result<Option<Arc<ClientConfig>>, SourceError> {
        let Some(settings) = &self.target.tls else { return Ok(None) };
        let mut made = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if made.is_none() {
            *made = Some(tls_config(settings)?);
        }
        Ok(made.clone())
    }

    /// AUTH, where there is a user or a password. A server that has none is fine
    /// too, as it is with the clients that the connection string was written for.
    async fn authenticate(&self, stream: &mut RedisStream) -> Result<(), SourceError> {
        let mut auth = cmd("AUTH");
        match (&self.target.username, &self.target.password) {
            (None, None) => return Ok(()),
            (None, Some(password)) => auth.arg(password.expose()),
            (Some(user), password) => {
                auth.arg(user).arg(password.as_ref().map_or("", |password| password.expose()))
            }
        };
        match exchange(stream, &auth).await? {
            Ok(_) => Ok(()),
            Err(words) if is_without_password(&words) => Ok(()),
            Err(words) => Err(auth_refused(&words)),
        }
    }

    /// Where the master of that name is, by the first Sentinel that knows.
    async fn ask_sentinels(&self, service: &str) -> Result<Endpoint, SourceError> {
        let mut failure: Option<SourceError> = None;
        for sentinel in &self.target.endpoints {
            match self.in_time(sentinel, self.ask_sentinel(sentinel, service)).await {
                Ok(Some(master)) => return Ok(master),
                Ok(None) => {
                    let message = format!("Sentinel {sentinel} knows no master named {service:?}");
                    keep_telling(&mut failure, error(ErrorKind::Other, message));
                }
                Err(cause) => keep_telling(&mut failure, cause),
            }
        }
        Err(failure.unwrap_or_else(|| error(ErrorKind::Connection, "there is no Sentinel to ask")))
    }

    async fn ask_sentinel(
        &self,
        sentinel: &Endpoint,
        service: &str,
    ) -> Result<Option<Endpoint>, SourceError> {
        let mut stream = self.open(sentinel).await?;
        // Sentinels often have no password where the servers behind them do.
        if let Err(cause) = self.authenticate(&mut stream).await {
            tracing::debug!(%sentinel, %cause, "going on without a password");
            stream = self.open(sentinel).await?;
        }
        let ask = cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service).take();
        let reply = call(&mut stream, "SENTINEL", &ask).await?;
        let address: Option<(String, u16)> = redis::from_redis_value(reply)
            .map_err(|cause| crate_failed("SENTINEL", &cause.into()))?;
        Ok(address.map(|(host, port)| Endpoint::Tcp(host, port)))
    }

    /// Bounds `work` by the connect time-out, and names the server in its error.
    async fn in_time<T>(
        &self,
        endpoint: &Endpoint,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match tokio::time::timeout(self.target.connect_timeout, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(cause)) => Err(error(cause.kind, format!("{endpoint}: {}", cause.message))),
            Err(_) => {
                let limit = self.target.connect_timeout.as_millis();
                let hint = if self.target.tls.is_some() { " (by TLS)" } else { "" };
                let message = format!("{endpoint}: no answer within {limit} ms{hint}");
                Err(error(ErrorKind::Timeout, message))
            }
        }
    }
}

/// Keeps the failure that says most: that a server answered and refused says
/// more than that another did not answer.
fn keep_telling(kept: &mut Option<SourceError>, new: SourceError) {
    let says_little =
        |failure: &SourceError| matches!(failure.kind, ErrorKind::Connection | ErrorKind::Timeout);
    if kept.as_ref().is_none_or(says_little) {
        *kept = Some(new);
    }
}

/// Asks for the role by ROLE, or by INFO where the user may not; who may
/// neither is believed to be at a primary, and READONLY would tell.
async fn ask_role(stream: &mut RedisStream) -> Result<Role, SourceError> {
    match exchange(stream, &cmd("ROLE")).await? {
        Ok(reply) => return Ok(role_of_reply(&reply)),
        Err(words) => fail_if_locked_out("ROLE", &words)?,
    }
    match exchange(stream, &cmd("INFO").arg("replication").take()).await? {
        Ok(reply) => Ok(role_of_info(&reply)),
        Err(_) => Ok(Role::Primary),
    }
}

fn fail_if_locked_out(command: &str, words: &str) -> Result<(), SourceError> {
    let refusal = super::error::refused(command, words);
    if refusal.kind == ErrorKind::Auth || words.starts_with("ERR max number of clients") {
        return Err(refusal);
    }
    Ok(())
}

/// Sends a command and takes its reply; the inner error holds the words of an
/// error reply.
async fn exchange(
    stream: &mut RedisStream,
    command: &Cmd,
) -> Result<Result<Value, String>, SourceError> {
    let name = "logging in";
    stream
        .write_all(&command.get_packed_command())
        .await
        .map_err(|cause| io_failed(name, &cause))?;
    stream.flush().await.map_err(|cause| io_failed(name, &cause))?;
    let value = redis::parse_redis_value_async(&mut Default::default(), stream)
        .await
        .map_err(|cause| crate_failed(name, &cause))?;
    match value.extract_error() {
        Ok(value) => Ok(Ok(value)),
        Err(cause) => reply_words(&cause).map(Err).ok_or_else(|| crate_failed(name, &cause)),
    }
}

async fn call(stream: &mut RedisStream, name: &str, command: &Cmd) -> Result<Value, SourceError> {
    exchange(stream, command).await?.map_err(|words| super::error::refused(name, &words))
}

fn ignore_refusal(outcome: Result<Value, SourceError>) -> Result<(), SourceError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(cause) => match cause.kind {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Tls | ErrorKind::Protocol => {
                Err(cause)
            }
            ErrorKind::Auth
            | ErrorKind::Permission
            | ErrorKind::WrongType
            | ErrorKind::NotPrimary
            | ErrorKind::Busy
            | ErrorKind::WrongKey
            | ErrorKind::Other => Ok(()),
        },
    }
}

fn is_without_password(words: &str) -> bool {
    words.contains("without any password configured") || words.contains("no password is set")
}

/// The refusal of AUTH. Servers that do not know the command repeat its
/// arguments, so only words that can't hold the password are passed on.
fn auth_refused(words: &str) -> SourceError {
    let code = words.split_ascii_whitespace().next().unwrap_or_default();
    match super::error::kind_of_reply(words) {
        ErrorKind::Auth => super::error::refused("AUTH", words),
        ErrorKind::Busy => error(ErrorKind::Busy, format!("AUTH was refused: {code}")),
        ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::Tls
        | ErrorKind::Permission
        | ErrorKind::WrongType
        | ErrorKind::WrongKey
        | ErrorKind::NotPrimary
        | ErrorKind::Protocol
        | ErrorKind::Other => error(ErrorKind::Auth, format!("AUTH was refused: {code}")),
    }
}

/// The endpoint in `MOVED <slot> <host>:<port>`; without a host it is `from`'s.
fn moved_to(from: &Endpoint, words: &str) -> Option<Endpoint> {
    let mut parts = words.split_ascii_whitespace();
    parts.next().filter(|code| *code == "MOVED")?;
    let (host, port) = parts.nth(1)?.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match (host.trim_start_matches('[').trim_end_matches(']'), from) {
        ("", Endpoint::Tcp(host, _)) => Some(Endpoint::Tcp(host.clone(), port)),
        ("", Endpoint::Unix(_)) => None,
        (host, _) => Some(Endpoint::Tcp(host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_names_the_owner() {
        let from = Endpoint::Tcp("here".into(), 1);
        let check = |words: &str, expected: Option<(&str, u16)>| {
            let expected = expected.map(|(host, port)| Endpoint::Tcp(host.into(), port));
            assert_eq!(moved_to(&from, words), expected, "{words}");
        };
        check("MOVED 3999 127.0.0.1:6381", Some(("127.0.0.1", 6381)));
        check("MOVED 3999 redis-2.local:6381", Some(("redis-2.local", 6381)));
        check("MOVED 3999 2001:db8::1:6381", Some(("2001:db8::1", 6381)));
        check("MOVED 3999 [2001:db8::1]:6381", Some(("2001:db8::1", 6381)));
        check("MOVED 3999 :6381", Some(("here", 6381)));
        check("MOVED 3999", None);
        check("MOVED 3999 host:port", None);
        check("READONLY You can't write against a read only replica.", None);
    }

    #[test]
    fn a_refused_auth_never_repeats_the_password() {
        let words = "ERR unknown command `AUTH`, with args beginning with: `hunter2`, ";
        let refusal = auth_refused(words);
        assert_eq!(refusal.kind, ErrorKind::Auth);
        assert!(!refusal.message.contains("hunter2"), "{refusal}");
    }
}
