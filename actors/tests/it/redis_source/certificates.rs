//! Certificates for a test server: an authority, and a server signed by it.

use std::fs;
use std::path::{Path, PathBuf};

use psg_actors::settings::CertificateFiles;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// For a server with those names or addresses.
    pub fn new(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        // Else it has the server's own, and that looks self-signed.
        authority.distinguished_name.push(DnType::CommonName, "an authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let server_key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let server = CertificateParams::new(names)
            .unwrap()
            .signed_by(&server_key, &Issuer::new(authority, authority_key))
            .unwrap();
        let write =
            |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        write("ca.pem", authority_certificate.pem());
        write("server.pem", server.pem());
        write("server.key", server_key.serialize_pem());
        Self { directory }
    }

    /// One that signs itself and is its own authority, as `openssl req -x509`
    /// makes it.
    pub fn self_signed(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        for name in ["ca.pem", "server.pem"] {
            fs::write(directory.path().join(name), &certificate).unwrap();
        }
        fs::write(directory.path().join("server.key"), key.serialize_pem()).unwrap();
        Self { directory }
    }

    /// Its own certificate and key, to be shown by a client.
    pub fn identity(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.path("server.pem"), key: self.path("server.key") }
    }

    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Options of a server that takes TLS on that port.
    pub fn options(&self, tls_port: u16) -> Vec<String> {
        vec![
            format!("tls-port {tls_port}"),
            format!("tls-cert-file {}", self.path("server.pem").display()),
            format!("tls-key-file {}", self.path("server.key").display()),
            format!("tls-ca-cert-file {}", self.authority().display()),
            "tls-auth-clients no".to_owned(),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name)
    }
}
