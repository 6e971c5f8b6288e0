//! The way to a gateway: what is believed of its certificate, and who asks.

mod tls;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use psg_actors::settings::Secret;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body, Error};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of what a server says that is no gateway.
const SAID: u64 = 1000;

/// How a gateway is asked.
#[derive(Debug)]
pub struct Way {
    agent: Agent,
    /// The value of the header, where there is a password.
    authorization: Option<Secret>,
}

/// What a [`Way`] is made of.
#[derive(Debug, Default)]
pub struct WayOptions<'a> {
    /// Whether the gateway is on this machine, where no proxy leads to.
    pub is_local: bool,
    /// User and password.
    pub login: Option<(&'a str, Secret)>,
    /// The authorities to believe; `None` are the system's.
    pub ca_file: Option<&'a Path>,
    /// Whether any certificate is believed.
    pub is_insecure: bool,
    /// The files of a certificate to show, and of its key.
    pub identity: Option<(&'a Path, &'a Path)>,
}

impl Way {
    /// On this machine, without TLS and password.
    pub fn plain() -> Self {
        Self { agent: agent(true).build().into(), authorization: None }
    }

    /// One over TLS where the address says so; or what is wrong with a file.
    pub fn new(options: WayOptions<'_>) -> Result<Self, String> {
        let WayOptions { is_local, login, ca_file, is_insecure, identity } = options;
        let tls = tls::Tls(Arc::new(tls::config(ca_file, is_insecure, identity)?));
        let authorization = login.map(|(user, password)| {
            let pair = format!("{user}:{}", password.expose());
            Secret::new(format!("Basic {}", STANDARD.encode(pair)))
        });
        let connector = ConnectProxyConnector::default().chain(TcpConnector::default()).chain(tls);
        let config = agent(is_local).build();
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self { agent, authorization })
    }

    /// GET; or why there is no answer, with what can be done.
    pub fn get(&self, url: &str) -> Result<Body, String> {
        let mut request = self.agent.get(url);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.expose());
        }
        let mut answer = request.call().map_err(|error| format!("{url}: {}", met(url, &error)))?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            401 => Err(format!("{url}: {}", self.unknown())),
            status => {
                let said = answer.body_mut().with_config().limit(SAID).read_to_string();
                let said = said.unwrap_or_default();
                let said = said.lines().next().unwrap_or_default();
                // What a gateway says of the name it was asked by, or of being busy.
                if [421, 429, 503].contains(&status) && !said.is_empty() {
                    return Err(format!("{url}: {said}"));
                }
                Err(format!(
                    "{url}: expected status 200, got {status} ({said}): another server may be there"
                ))
            }
        }
    }

    fn unknown(&self) -> &'static str {
        match self.authorization {
            Some(_) => "the gateway refuses this user or password",
            None => {
                "the gateway asks for a password (--user, and --password-file or the environment)"
            }
        }
    }
}

/// What all ways have in common.
fn agent(is_local: bool) -> ConfigBuilder<AgentScope> {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
    if is_local { config.proxy(None) } else { config }
}

/// Why there is no answer, in words that say what to do.
fn met(url: &str, error: &Error) -> String {
    if is_no_tls(error) {
        return "what answers there speaks no TLS: try http://".to_owned();
    }
    if matches!(error, Error::Protocol(_)) && url.starts_with("http://") {
        return format!(
            "what answers there speaks no HTTP ({error}): a port with TLS needs https://"
        );
    }
    if matches!(error, Error::Io(cause) if is_hang_up(cause.kind())) {
        return format!("hung up without an answer ({error}): another server may be there");
    }
    error.to_string()
}

/// Whether what came was no message of TLS.
fn is_no_tls(error: &Error) -> bool {
    let of = |error: &rustls::Error| matches!(error, rustls::Error::InvalidMessage(_));
    if let Error::Io(cause) = error {
        return cause.get_ref().and_then(|inner| inner.downcast_ref()).is_some_and(of);
    }
    matches!(error, Error::Rustls(error) if of(error))
}

fn is_hang_up(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&kind)
}

/// The password in a file, without the end of its line.
pub fn password_in(file: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}
