//! The byte stream to a server: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::SourceError;
use super::error::{error, io_failed};
use crate::byte_stream::ByteStream;
use crate::error_kind::ErrorKind;
use crate::settings::{Endpoint, RedisTarget, TlsSettings};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long the peer may take to acknowledge what was sent to it, before TCP
/// gives the connection up: else a pop on a path that broke would wait for some
/// fifteen minutes.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// A connected stream, not logged in yet.
pub type RedisStream = ByteStream<TlsStream<TcpStream>>;

impl RedisStream {
    /// Connects to `endpoint`; `tls` is made by [`tls_config`]. Has no time-out
    /// of its own.
    pub async fn open(
        endpoint: &Endpoint,
        target: &RedisTarget,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, SourceError> {
        match endpoint {
            Endpoint::Unix(path) => UnixStream::connect(path)
                .await
                .map(RedisStream::Unix)
                .map_err(|cause| io_failed("connecting", &cause)),
            Endpoint::Tcp(host, port) => {
                let tcp = open_tcp(host, *port, target.keep_alive)
                    .await
                    .map_err(|cause| io_failed("connecting", &cause))?;
                match (tls, &target.tls) {
                    (Some(config), Some(settings)) => {
                        open_tls(tcp, settings.server_name.as_deref().unwrap_or(host), config).await
                    }
                    (None, _) | (_, None) => Ok(RedisStream::Tcp(tcp)),
                }
            }
        }
    }
}

/// What TLS connections are made with: the roots to trust, ring's algorithms.
pub fn tls_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, SourceError> {
    let roots = match &settings.ca_file {
        Some(path) => roots_of_file(path)?,
        None => roots_of_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| error(ErrorKind::Tls, format!("TLS can't be set up: {cause}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn roots_of_file(path: &std::path::Path) -> Result<RootCertStore, SourceError> {
    let failed = |cause: &dyn std::fmt::Display| {
        error(ErrorKind::Tls, format!("no root certificates from {}: {cause}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| failed(&cause))? {
        let certificate = certificate.map_err(|cause| failed(&cause))?;
        roots.add(certificate).map_err(|cause| failed(&cause))?;
    }
    if roots.is_empty() { Err(failed(&"it holds none")) } else { Ok(roots) }
}

fn roots_of_system() -> Result<RootCertStore, SourceError> {
    let mut roots = RootCertStore::empty();
    // Single certificates that rustls can't read are common in system stores.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(error(ErrorKind::Tls, "the system has no root certificates to trust"));
    }
    Ok(roots)
}

async fn open_tcp(host: &str, port: u16, keep_alive: Option<Duration>) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(&tcp).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    if let Some(interval) = keep_alive {
        let keep_alive = TcpKeepalive::new().with_time(interval).with_interval(interval);
        SockRef::from(&tcp).set_tcp_keepalive(&keep_alive)?;
    }
    Ok(tcp)
}

async fn open_tls(
    tcp: TcpStream,
    name: &str,
    config: Arc<ClientConfig>,
) -> Result<RedisStream, SourceError> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| {
        error(ErrorKind::Tls, format!("expected a host name or address for TLS, got {name:?}"))
    })?;
    let stream = TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|cause| error(ErrorKind::Tls, format!("the TLS handshake failed: {cause}")))?;
    Ok(RedisStream::Tls(Box::new(stream)))
}
