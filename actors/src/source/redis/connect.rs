//! Connecting: from the configured endpoints to a stream that is logged in at
//! the server that may be popped from, the *primary*.
//!
//! The way there: the primary of last time and the endpoints in the order given;
//! or, with a service name, what each Sentinel names, until one of them is a
//! primary. All addresses of a name; log in; ask for the role; at a replica try
//! the others, then the master that it names.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::cmd;
use tokio::time::{Instant, timeout};

use super::super::SourceError;
use super::error::{error, keep_clearest, kind_of_reply};
use super::login::{ask_role, ask_sentinel, log_in};
use super::login_session::LoginSession;
use super::progress::{ConnectProgress, ConnectStage};
use super::race::first_to_succeed;
use super::redirect::{Redirect, redirect_of};
use super::role::Role;
use super::stream::{RedisStream, ServerAddress, addresses};
use crate::error_kind::ErrorKind;
use crate::settings::{Endpoint, RedisTarget, Unsent};

/// Servers that one attempt tries at most: replicas may name each other.
const MAX_TRIES: usize = 16;

/// How long one address of a name is tried alone, at most.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long a server that hung up at what only a server of its own knows is
/// spared that.
const SPARED: Duration = Duration::from_secs(600);

/// Opens connections; one for the process, since it remembers the primary.
#[derive(Debug)]
pub struct Connector {
    target: RedisTarget,
    key: String,
    follows_ask: bool,
    known: Mutex<Learnt>,
    /// Rises when what was thought to be the primary turned out not to be.
    detours: AtomicU64,
}

#[derive(Debug, Default)]
struct Learnt {
    primary: Option<Redirect>,
    /// The server is a proxy that hangs up at what it does not know.
    spared_until: Option<Instant>,
    /// Where a node of a cluster pointed last: a line for each attempt while the
    /// owner is away would be one too many.
    moved: Option<Endpoint>,
}

/// A stream that is logged in, and where it leads.
#[derive(Debug)]
pub struct Connected {
    /// The stream; no reply is outstanding.
    pub stream: RedisStream,
    pub endpoint: Endpoint,
    /// Whether each command has to say `ASKING` first.
    pub is_asking: bool,
}

/// One search for the primary.
#[derive(Default)]
struct Search {
    tried: Vec<Endpoint>,
    failure: Option<SourceError>,
}

impl Connector {
    /// Opens nothing yet.
    pub fn new(target: RedisTarget, key: &str) -> Self {
        Self {
            target,
            key: key.to_owned(),
            follows_ask: false,
            known: Mutex::default(),
            detours: AtomicU64::new(0),
        }
    }

    /// Goes where `ASK` points, for who asks for one key at a time. Of several
    /// keys some may be here and some there while a slot is being moved: then
    /// both have to be left alone.
    pub fn following_ask(mut self, follows: bool) -> Self {
        self.follows_ask = follows;
        self
    }

    /// How often a server refused because it is not the primary; a connection
    /// that was opened before the last one may lead to the wrong server.
    pub fn detours(&self) -> u64 {
        self.detours.load(Ordering::Acquire)
    }

    /// Whether that command may be sent, of those that a server may do without.
    pub fn may_send(&self, command: &str) -> bool {
        self.unsent().lets(command)
    }

    fn unsent(&self) -> Unsent {
        match self.known.lock().spared_until {
            Some(until) if Instant::now() < until => Unsent::All,
            Some(_) | None => self.target.unsent.clone(),
        }
    }

    /// Whether the primary was last found at another endpoint.
    pub fn leads_elsewhere(&self, endpoint: &Endpoint) -> bool {
        self.known.lock().primary.as_ref().is_some_and(|primary| primary.endpoint != *endpoint)
    }

    /// Connects to the primary and logs in.
    pub async fn connect(&self) -> Result<Connected, SourceError> {
        let mut search = Search::default();
        let connected = match &self.target.service_name {
            Some(service) => self.by_sentinels(service, &mut search).await,
            None => {
                let primary = self.known.lock().primary.clone();
                let named = self.target.endpoints.iter().cloned().map(Redirect::at);
                self.at_one_of(primary.into_iter().chain(named), &mut search).await
            }
        };
        connected.ok_or_else(|| {
            let nowhere = || error(ErrorKind::Connection, "there is no endpoint to try");
            search.failure.unwrap_or_else(nowhere)
        })
    }

    /// Connects to that server and logs in, whatever its role.
    pub async fn connect_to(&self, endpoint: &Endpoint) -> Result<Connected, SourceError> {
        let (progress, unsent) = (&ConnectProgress::default(), &self.unsent());
        let reached = self.reach(endpoint, progress, |mut session: LoginSession| async move {
            log_in(&mut session, &self.target, progress, unsent).await?;
            Ok((session.stream, ()))
        });
        let (stream, ()) = self.in_time(endpoint, progress, reached).await?;
        let primary = self.known.lock().primary.clone();
        let is_asking =
            primary.is_some_and(|redirect| redirect.is_asking && redirect.endpoint == *endpoint);
        Ok(Connected { stream, endpoint: endpoint.clone(), is_asking })
    }

    /// Takes note of an error reply of the server at `from`: the next connection
    /// goes where `MOVED` or `ASK` points, or looks for the primary again. Whether
    /// it is about that.
    pub fn note_refusal(&self, from: &Endpoint, words: &str) -> bool {
        let redirect =
            redirect_of(from, words).filter(|redirect| self.follows_ask || !redirect.is_asking);
        if redirect.is_none() && kind_of_reply(words) != ErrorKind::NotPrimary {
            return false;
        }
        if let Some(redirect) = redirect {
            let mut known = self.known.lock();
            if known.moved.as_ref() != Some(&redirect.endpoint) {
                let owner = &redirect.endpoint;
                tracing::info!(endpoint = %owner, "redis says that this node has the queue: going there");
                known.moved = Some(owner.clone());
            }
            known.primary = Some(redirect);
        }
        self.detours.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// At the master that a Sentinel names. One may know an old master or none:
    /// the next is asked until what is named can be reached and is one.
    async fn by_sentinels(&self, service: &str, search: &mut Search) -> Option<Connected> {
        for sentinel in &self.target.endpoints {
            match self.ask_sentinel(sentinel, service).await {
                Ok(master) => {
                    let connected = self.at_one_of([Redirect::at(master)], search).await;
                    if connected.is_some() {
                        return connected;
                    }
                }
                Err(SourceError { kind, message }) => {
                    let cause = error(kind, format!("Sentinel {message}"));
                    keep_clearest(&mut search.failure, cause);
                }
            }
        }
        None
    }

    async fn ask_sentinel(
        &self,
        sentinel: &Endpoint,
        service: &str,
    ) -> Result<Endpoint, SourceError> {
        let progress = &ConnectProgress::default();
        let asked = self.reach(sentinel, progress, |mut session: LoginSession| async move {
            progress.reach(ConnectStage::LoggingIn);
            let master = ask_sentinel(&mut session, &self.target, service).await?;
            Ok((session.stream, master))
        });
        self.in_time(sentinel, progress, asked).await.map(|(_, master)| master)
    }

    /// At the first of these that is a primary, or at one that replicas name.
    async fn at_one_of(
        &self,
        candidates: impl IntoIterator<Item = Redirect>,
        search: &mut Search,
    ) -> Option<Connected> {
        let mut candidates: VecDeque<Redirect> = candidates.into_iter().collect();
        let mut masters = VecDeque::new();
        while let Some(Redirect { endpoint, is_asking }) =
            candidates.pop_front().or_else(|| masters.pop_front())
        {
            if search.tried.contains(&endpoint) || search.tried.len() == MAX_TRIES {
                continue;
            }
            search.tried.push(endpoint.clone());
            let cause = match self.with_role(&endpoint).await {
                Ok((stream, Role::Primary)) => {
                    let connected = Connected { stream, endpoint, is_asking };
                    self.remember(&connected);
                    return Some(connected);
                }
                Ok((_, Role::Replica(master))) => {
                    masters.extend(master.map(Redirect::at));
                    error(ErrorKind::NotPrimary, format!("{endpoint} is a replica"))
                }
                Ok((_, Role::Sentinel)) => {
                    let message = format!("{endpoint} is a Sentinel, but no service name is set");
                    error(ErrorKind::Other, message)
                }
                Err(cause) => cause,
            };
            keep_clearest(&mut search.failure, cause);
        }
        None
    }

    fn remember(&self, connected: &Connected) {
        let mut known = self.known.lock();
        let Connected { endpoint, is_asking, .. } = connected;
        if known.primary.as_ref().is_none_or(|primary| primary.endpoint != *endpoint) {
            tracing::debug!(%endpoint, "redis is reached");
        }
        known.primary = Some(Redirect { endpoint: endpoint.clone(), is_asking: *is_asking });
    }

    /// A server's role. A proxy may hang up at the question, or at a name for
    /// the connection: who does so twice is asked the one thing that matters.
    async fn with_role(&self, endpoint: &Endpoint) -> Result<(RedisStream, Role), SourceError> {
        let is_spared = self.unsent() == Unsent::All;
        let progress = ConnectProgress::default();
        let first = self.log_in_and_ask(endpoint, &progress).await;
        if is_spared || !hung_up(&first, &progress) {
            return first;
        }
        let progress = ConnectProgress::default();
        let second = self.log_in_and_ask(endpoint, &progress).await;
        if !hung_up(&second, &progress) {
            return second;
        }
        let progress = &ConnectProgress::default();
        let plain = self.reach(endpoint, progress, |mut session: LoginSession| async move {
            log_in(&mut session, &self.target, progress, &Unsent::All).await?;
            // Whatever it says about the length of the queue, it goes on talking.
            let _ = session.exchange(cmd("LLEN").arg(&self.key)).await?;
            Ok((session.stream, ()))
        });
        let Ok((stream, ())) = self.in_time(endpoint, progress, plain).await else {
            return second;
        };
        tracing::info!(
            %endpoint,
            "it hangs up at ROLE or CLIENT SETNAME: taken for a proxy, which proxy=Twemproxy in \
             Redis.ConnectionString would say"
        );
        self.known.lock().spared_until = Some(Instant::now() + SPARED);
        Ok((stream, Role::Primary))
    }

    async fn log_in_and_ask(
        &self,
        endpoint: &Endpoint,
        progress: &ConnectProgress,
    ) -> Result<(RedisStream, Role), SourceError> {
        let unsent = &self.unsent();
        let reached = self.reach(endpoint, progress, |mut session: LoginSession| async move {
            log_in(&mut session, &self.target, progress, unsent).await?;
            let role = ask_role(&mut session, unsent).await?;
            Ok((session.stream, role))
        });
        self.in_time(endpoint, progress, reached).await
    }

    /// Opens a connection to the address of `endpoint` at which `login` is done
    /// first.
    async fn reach<T, F>(
        &self,
        endpoint: &Endpoint,
        progress: &ConnectProgress,
        login: impl Fn(LoginSession) -> F,
    ) -> Result<(RedisStream, T), SourceError>
    where
        F: Future<Output = Result<(RedisStream, T), SourceError>>,
    {
        let addresses = addresses(endpoint).await?;
        // Each has its share of the time, and the last one as much again.
        let share = self.target.connect_timeout / u32::try_from(addresses.len() + 1).unwrap_or(1);
        let login = &login;
        first_to_succeed(addresses, share.min(HEAD_START), |address: ServerAddress| async move {
            let stream = RedisStream::open(&address, endpoint, &self.target, progress).await?;
            login(LoginSession::on(stream)).await
        })
        .await
    }

    /// Bounds `work` by the connect time-out, and names the server in its error.
    async fn in_time<T>(
        &self,
        endpoint: &Endpoint,
        progress: &ConnectProgress,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match timeout(self.target.connect_timeout, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(cause)) => Err(error(cause.kind, format!("{endpoint}: {}", cause.message))),
            Err(_) => {
                let limit = self.target.connect_timeout.as_millis();
                let silence = progress.silence(self.target.tls.is_some());
                let message = format!("{endpoint}: no answer within {limit} ms {silence}");
                Err(error(ErrorKind::Timeout, message))
            }
        }
    }
}

/// Whether the server hung up at what it may do without.
fn hung_up<T>(outcome: &Result<T, SourceError>, progress: &ConnectProgress) -> bool {
    let is_lost = outcome.as_ref().is_err_and(|cause| cause.kind == ErrorKind::Connection);
    is_lost && progress.stage() == ConnectStage::Introducing
}
