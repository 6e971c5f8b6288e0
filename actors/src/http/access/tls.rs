//! The section `tls_server_config`: how TLS is spoken. Names are Go's, as in
//! every such file; a name of what rustls does not do is refused.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::client_certificates::{self, Policy};
use super::yaml_flag::Flag;
use crate::pem::{self, Pem};

/// The section as it stands in the file.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    cert: String,
    key: String,
    cert_file: String,
    key_file: String,
    client_auth_type: String,
    client_ca: String,
    client_ca_file: String,
    client_allowed_sans: Option<Vec<String>>,
    cipher_suites: Vec<String>,
    curve_preferences: Vec<String>,
    min_version: Option<String>,
    max_version: Option<String>,
    prefer_server_cipher_suites: Option<Flag>,
}

pub struct ServerTls {
    pub config: Arc<ServerConfig>,
    pub certificate: Certificate,
    /// Whether a client has to show a certificate.
    pub wants_certificate: bool,
    pub demands: Vec<&'static str>,
}

/// A certificate, in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// Whose it is, and until when it holds.
    pub fn subject_and_expiry(&self) -> (String, String) {
        match X509Certificate::from_der(&self.0) {
            Ok((_, parsed)) => {
                (parsed.subject().to_string(), parsed.validity().not_after.to_string())
            }
            Err(_) => ("unknown".to_owned(), "unknown".to_owned()),
        }
    }
}

/// Cipher suites by their names, which are Go's too.
macro_rules! suites {
    ($($name:ident),+ $(,)?) => { [$((stringify!($name), ring::cipher_suite::$name)),+] };
}

/// The cipher suites of TLS 1.2 that there are.
const SUITES: [(&str, SupportedCipherSuite); 6] = suites![
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Those of TLS 1.3, which are always on, as in Go.
const SUITES_OF_TLS13: [(&str, SupportedCipherSuite); 3] = {
    use rustls::crypto::ring::cipher_suite::*;
    [
        ("TLS_AES_256_GCM_SHA384", TLS13_AES_256_GCM_SHA384),
        ("TLS_AES_128_GCM_SHA256", TLS13_AES_128_GCM_SHA256),
        ("TLS_CHACHA20_POLY1305_SHA256", TLS13_CHACHA20_POLY1305_SHA256),
    ]
};

const CURVES: [(&str, &dyn SupportedKxGroup); 3] = [
    ("X25519", ring::kx_group::X25519),
    ("CurveP256", ring::kx_group::SECP256R1),
    ("CurveP384", ring::kx_group::SECP384R1),
];

const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS12", &TLS12), ("TLS13", &TLS13)];

impl TlsSection {
    pub fn says_anything(&self) -> bool {
        let texts = [&self.cert, &self.key, &self.cert_file, &self.key_file];
        let of_clients = [&self.client_auth_type, &self.client_ca, &self.client_ca_file];
        texts.into_iter().chain(of_clients).any(|text| !text.is_empty())
            || self.client_allowed_sans.is_some()
            || !self.cipher_suites.is_empty()
            || !self.curve_preferences.is_empty()
            || self.min_version.is_some()
            || self.max_version.is_some()
            || self.prefer_server_cipher_suites.is_some()
    }
}

/// Reads the files that a section names; or the field that is wrong, and how.
pub fn server(
    section: &TlsSection,
    folder: &Path,
    probes_are_free: bool,
) -> Result<ServerTls, String> {
    let certificate = given("cert", &section.cert, &section.cert_file, folder)?;
    let key = given("key", &section.key, &section.key_file, folder)?;
    let missing = |name: &str| format!("{name}: expected {name} or {name}_file, got neither");
    let certificate = certificate.ok_or_else(|| missing("cert"))?;
    let key = key.ok_or_else(|| missing("key"))?;
    let shown = pem::pair(&certificate, &key)?;
    let certificate = shown.cert.first().cloned().map(Certificate);
    let certificate = certificate.ok_or_else(|| missing("cert"))?;

    let policy = Policy::of(&section.client_auth_type)?;
    let provider = Arc::new(provider(section)?);
    let authorities = given("client_ca", &section.client_ca, &section.client_ca_file, folder)?;
    let authorities = authorities.map(|pem| pem.certificates()).transpose()?;
    let clients = client_certificates::verifier(
        policy,
        authorities,
        section.client_allowed_sans.as_deref(),
        probes_are_free,
        &provider,
    )?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(section)?)
        .map_err(|cause| format!("cipher_suites: {cause}"))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order =
        section.prefer_server_cipher_suites.is_none_or(|Flag(prefers)| prefers);
    let names = section.client_allowed_sans.as_ref();
    let demands = [
        policy.is_mandatory().then_some("a client certificate"),
        policy.verifies().then_some("client certificates of known authorities"),
        names.map(|_| "client certificates with allowed names"),
    ];
    Ok(ServerTls {
        config: Arc::new(config),
        certificate,
        wants_certificate: policy.is_mandatory(),
        demands: demands.into_iter().flatten().collect(),
    })
}

/// The text of `name` or of the file of `name_file`; both are one too many.
fn given(name: &str, text: &str, file: &str, folder: &Path) -> Result<Option<Pem>, String> {
    match (text.is_empty(), file.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Ok(Some(Pem::new(name, text))),
        (true, false) => Pem::read(&format!("{name}_file: "), &folder.join(file)).map(Some),
        (false, false) => Err(format!("{name}: expected {name} or {name}_file, got both")),
    }
}

/// The cryptography that the section leaves.
fn provider(section: &TlsSection) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if !section.cipher_suites.is_empty() {
        let all: Vec<_> = SUITES_OF_TLS13.into_iter().chain(SUITES).collect();
        let wanted = named("cipher_suites", &section.cipher_suites, &all)?;
        let of_tls12 = wanted.into_iter().filter(|suite| suite.tls13().is_none());
        provider.cipher_suites =
            SUITES_OF_TLS13.into_iter().map(|(_, suite)| suite).chain(of_tls12).collect();
    }
    if !section.curve_preferences.is_empty() {
        provider.kx_groups = named("curve_preferences", &section.curve_preferences, &CURVES)?;
    }
    Ok(provider)
}

fn versions(section: &TlsSection) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let place = |field, version: &Option<String>, default: usize| match version {
        None => Ok(default),
        Some(name) => one_of(field, name, &VERSIONS).map(|(place, _)| place),
    };
    let least = place("min_version", &section.min_version, 0)?;
    let most = place("max_version", &section.max_version, VERSIONS.len() - 1)?;
    if least > most {
        return Err("max_version: expected at least min_version, got less".to_owned());
    }
    Ok(VERSIONS[least..=most].iter().map(|(_, version)| *version).collect())
}

fn named<T: Copy>(field: &str, names: &[String], all: &[(&str, T)]) -> Result<Vec<T>, String> {
    names.iter().map(|name| one_of(field, name, all).map(|(_, found)| found)).collect()
}

/// What that name stands for, and its place in the list.
fn one_of<T: Copy>(field: &str, name: &str, all: &[(&str, T)]) -> Result<(usize, T), String> {
    let place = all.iter().position(|(known, _)| *known == name);
    place.map(|place| (place, all[place].1)).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        format!("{field}: expected one of {}, got {name:?}", names.join(", "))
    })
}
