//! The client of a gateway's HTTP side, here or elsewhere: what is believed of
//! its certificate, and who asks.

mod tls;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use psg_actors::settings::{CertificateFiles, Secret};
use psg_actors::trust::{Trusted, client_config};
use rustls::AlertDescription::{CertificateRequired, HandshakeFailure};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body, Error};

use self::tls::TlsConnector;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of what a server says that is no gateway.
const SAID: u64 = 1000;

#[derive(Debug)]
pub struct GatewayClient {
    agent: Agent,
    /// The value of the header, where there is a password.
    authorization: Option<Secret>,
}

#[derive(Debug, Default)]
pub struct ClientOptions<'a> {
    /// Whether the gateway is on this machine, where no proxy leads to.
    pub is_local: bool,
    pub login: Option<(&'a str, Secret)>,
    /// The authorities to believe; `None` are the system's.
    pub ca_file: Option<&'a Path>,
    /// Whether any certificate is believed.
    pub is_insecure: bool,
    pub identity: Option<CertificateFiles>,
}

impl GatewayClient {
    pub fn new(options: ClientOptions<'_>) -> Result<Self, String> {
        let ClientOptions { is_local, login, ca_file, is_insecure, identity } = options;
        let trusted = match (is_insecure, ca_file) {
            (true, _) => None,
            (false, Some(file)) => Some(Trusted::of_file(file)?),
            (false, None) => Some(Trusted::of_system()?),
        };
        // ureq's own TLS believes authorities alone; ours goes by the rules of the
        // gateway's other connections.
        let tls = TlsConnector(Arc::new(client_config(trusted, vec![], identity.as_ref())?));
        let authorization = login.map(|(user, password)| {
            let pair = format!("{user}:{}", password.expose());
            Secret::new(format!("Basic {}", STANDARD.encode(pair)))
        });
        let connector = ConnectProxyConnector::default().chain(TcpConnector::default()).chain(tls);
        let config =
            Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        let config = if is_local { config.proxy(None) } else { config };
        let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
        Ok(Self { agent, authorization })
    }

    /// For the gateway on this machine. Which certificate it shows does not
    /// matter: nothing secret is sent.
    pub fn local() -> Result<Self, String> {
        Self::new(ClientOptions { is_local: true, is_insecure: true, ..ClientOptions::default() })
    }

    /// The status of the answer to GET, wherever that may lead on to.
    pub fn status(&self, url: &str, patience: Duration) -> Result<u16, Error> {
        let request = self.agent.get(url).config().timeout_global(Some(patience));
        let answer = request.max_redirects(0).max_redirects_will_error(false).build().call()?;
        Ok(answer.status().as_u16())
    }

    /// The status of the answer to a push of nothing.
    pub fn push_nothing(&self, url: &str, patience: Duration) -> Result<u16, Error> {
        let request = self.agent.post(url).config().timeout_global(Some(patience));
        let request = request.max_redirects(0).max_redirects_will_error(false).build();
        Ok(request.content_type("text/plain").send_empty()?.status().as_u16())
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
    matches!(of_rustls(error), Some(rustls::Error::InvalidMessage(_)))
}

/// Whether the gateway broke off for want of a certificate of ours.
pub fn wants_certificate(error: &Error) -> bool {
    let alert = of_rustls(error);
    matches!(alert, Some(rustls::Error::AlertReceived(CertificateRequired | HandshakeFailure)))
}

fn of_rustls(error: &Error) -> Option<&rustls::Error> {
    if let Error::Rustls(error) = error {
        return Some(error);
    }
    let Error::Io(cause) = error else { return None };
    cause.get_ref()?.downcast_ref()
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
