//! A certificate authority for one test, and certificates from it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// PEM files in a folder.
#[derive(Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's certificate, for the names asked for.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A client's certificate and key, in PEM.
#[derive(Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Identity {
    /// One that nobody vouches for but itself, as `openssl req -x509` makes it.
    pub fn self_signed(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("no name is bad");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Certificates {
    /// One certificate for `names` that is its own authority, as
    /// `openssl req -x509` makes it, as files in `folder`.
    pub fn self_signed(folder: &Path, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let (authority, key_file) = (folder.join("own.pem"), folder.join("own.key"));
        fs::write(&authority, certificate).expect("the folder can be written");
        fs::write(&key_file, key.serialize_pem()).expect("the folder can be written");
        let (certificate, issuer) = (authority.clone(), Issuer::new(params, key));
        Self { authority, certificate, key: key_file, issuer }
    }

    /// A new authority and a server certificate for `names`, as files in `folder`.
    pub fn create(folder: &Path, names: &[&str]) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no name is bad");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "authority of a test");
        let authority_key = KeyPair::generate().expect("a key");
        let authority_certificate = authority.self_signed(&authority_key).expect("a certificate");

        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let server = CertificateParams::new(names).expect("the names are valid");
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::new(authority, authority_key);
        let certificate = server.signed_by(&key, &issuer).expect("a certificate");

        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).expect("the folder can be written");
            path
        };
        Self {
            authority: write("authority.pem", authority_certificate.pem()),
            certificate: write("server.pem", certificate.pem()),
            key: write("server.key", key.serialize_pem()),
            issuer,
        }
    }

    /// A client of that URI.
    pub fn client(&self, uri: &str) -> Identity {
        let mut client = CertificateParams::new(Vec::new()).expect("no name is bad");
        client.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
        let key = KeyPair::generate().expect("a key");
        let certificate = client.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
