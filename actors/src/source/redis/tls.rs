//! TLS to a server: which certificate is believed, for which name, and which one
//! is shown to it. The files are read again for each connection, so that what is
//! rotated needs no restart.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::SourceError;
use super::error::{error, tls_words};
use crate::error_kind::ErrorKind;
use crate::settings::{Endpoint, RedisTarget, TlsSettings};
use crate::trust::{self, Trusted};

/// Shakes hands with the server at `host`, to which `tcp` leads.
pub async fn shake_hands(
    tcp: TcpStream,
    host: &str,
    target: &RedisTarget,
    settings: &TlsSettings,
) -> Result<TlsStream<TcpStream>, SourceError> {
    let names = CertificateNames::of(host, target, settings)?;
    let (asked, settings) = (names.asked.clone(), settings.clone());
    let is_redirected = names.is_redirected;
    let config = tokio::task::spawn_blocking(move || config(&settings, names.accepted))
        .await
        .unwrap_or_else(|cause| Err(cause.to_string()))
        .map_err(|cause| error(ErrorKind::Tls, cause))?;
    TlsConnector::from(Arc::new(config)).connect(asked, tcp).await.map_err(|cause| {
        let mut words = format!("the TLS handshake failed: {}", tls_words(&cause));
        if is_redirected {
            words.push_str(
                " (another server named this one, and its certificate has to fit what \
                 Redis.ConnectionString names, see Redis.TrustRedirects)",
            );
        }
        error(ErrorKind::Tls, words)
    })
}

/// Which names a certificate may bear.
struct CertificateNames {
    asked: ServerName<'static>,
    accepted: Vec<ServerName<'static>>,
    /// Whether the server's own name is not enough.
    is_redirected: bool,
}

impl CertificateNames {
    /// The server that an operator names has to be that one. What a server names
    /// is believed to be part of the same deployment where its certificate fits a
    /// name of the operator's, or is of the operator's own authority.
    fn of(host: &str, target: &RedisTarget, settings: &TlsSettings) -> Result<Self, SourceError> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let asked = ServerName::try_from(name.to_owned()).map_err(|_| {
            error(ErrorKind::Tls, format!("expected a host name or address for TLS, got {name:?}"))
        })?;
        let hosts = target.endpoints.iter().filter_map(|endpoint| match endpoint {
            Endpoint::Tcp(host, _) => Some(host.as_str()),
            Endpoint::Unix(_) => None,
        });
        let hosts: Vec<&str> = hosts.collect();
        let is_named = settings.server_name.is_some()
            || hosts.iter().any(|named| named.eq_ignore_ascii_case(host));
        if is_named {
            return Ok(Self { accepted: vec![asked.clone()], asked, is_redirected: false });
        }
        let is_trusted = settings.ca_file.is_some() || settings.trust_redirects;
        let of_operator = hosts.into_iter().map(|host| ServerName::try_from(host.to_owned()));
        let accepted =
            of_operator.filter_map(Result::ok).chain(is_trusted.then(|| asked.clone())).collect();
        Ok(Self { accepted, asked, is_redirected: !is_trusted })
    }
}

/// What a connection is made with: whom to trust, and what to show.
fn config(
    settings: &TlsSettings,
    accepted: Vec<ServerName<'static>>,
) -> Result<ClientConfig, String> {
    let trusted = match &settings.ca_file {
        Some(path) => Trusted::of_file(path),
        None => Trusted::of_system(),
    };
    let trusted = trusted.map_err(|cause| format!("no root certificates: {cause}"))?;
    trust::client_config(Some(trusted), accepted, settings.identity.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_by_a_server_has_to_fit_what_the_operator_named() {
        let endpoints = ["a.test", "10.0.0.1"].map(|host| Endpoint::Tcp(host.into(), 1)).to_vec();
        let target = RedisTarget { endpoints, ..RedisTarget::default() };
        let check = |host: &str, change: fn(&mut TlsSettings), expected: &[&str]| {
            let mut settings = TlsSettings::default();
            change(&mut settings);
            let names = CertificateNames::of(host, &target, &settings).expect("a name");
            let accepted: Vec<_> = names.accepted.iter().map(ServerName::to_str).collect();
            assert_eq!(accepted, expected, "{host}");
        };
        check("a.test", |_| {}, &["a.test"]);
        check("A.TEST", |_| {}, &["A.TEST"]);
        check("10.0.0.1", |_| {}, &["10.0.0.1"]);
        check("evil.test", |_| {}, &["a.test", "10.0.0.1"]);
        let own = &["a.test", "10.0.0.1", "evil.test"];
        check("evil.test", |tls| tls.trust_redirects = true, own);
        check("evil.test", |tls| tls.ca_file = Some("/ca".into()), own);
        check("evil.test", |tls| tls.server_name = Some("b.test".into()), &["b.test"]);
    }
}
