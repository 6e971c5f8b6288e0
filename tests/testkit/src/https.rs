//! An HTTPS client that says who it is, and who it believes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::tls::Identity;

/// A client; each request has a connection of its own.
#[derive(Debug, Clone)]
pub struct Https {
    config: Arc<ClientConfig>,
    port: u16,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line, headers and body.
    pub text: String,
}

impl Https {
    /// One that believes servers of `authority`, and shows `identity`.
    pub fn new(port: u16, authority: &Path, identity: Option<&Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(authority).expect("a certificate");
        roots.add(certificate).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
                let chain = vec![chain.expect("a certificate")];
                builder.with_client_auth_cert(chain, key.expect("a key")).expect("a pair")
            }
        };
        Self { config: Arc::new(config), port }
    }

    /// Version, cipher suite and, where that is known, curve of a handshake.
    pub fn spoken(&self) -> Result<String, String> {
        let mut stream = self.connect()?;
        stream.conn.complete_io(&mut stream.sock).map_err(|e| e.to_string())?;
        let connection = &stream.conn;
        let version = connection.protocol_version().ok_or("no version")?;
        let suite = connection.negotiated_cipher_suite().ok_or("no suite")?.suite();
        let curve = connection.negotiated_key_exchange_group().map(|group| group.name());
        let curve = curve.map(|curve| format!(" {curve:?}")).unwrap_or_default();
        Ok(format!("{version:?} {suite:?}{curve}"))
    }

    fn connect(&self) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.config), name);
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string())?;
        tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out is set");
        Ok(StreamOwned::new(connection.expect("a client"), tcp))
    }

    /// Asks for `path` with these headers, each a line.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Result<Answer, String> {
        let mut stream = self.connect()?;
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).map_err(|e| e.to_string())?;
        let text = String::from_utf8(text).map_err(|e| e.to_string())?;
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Answer { status: status.ok_or_else(|| format!("no answer: {text}"))?, text })
    }

    /// The status of GET.
    pub fn status(&self, path: &str, headers: &[&str]) -> Result<u16, String> {
        self.ask("GET", path, headers).map(|answer| answer.status)
    }
}
