//! PEM: certificates and private keys, as operators hand them out, in a file or
//! as a text. Each message names the one that can't be used.

use std::fs;
use std::path::Path;

use rustls::crypto::ring::default_provider;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::CertificateFiles;

const EXPECTED_KEY: &str = "expected an RSA key of 2048 to 4096 bits, an ECDSA key on P-256 or \
                            P-384, or an Ed25519 key, got another";

/// A text in PEM.
pub(crate) struct Pem {
    /// Its place, for messages.
    from: String,
    text: Vec<u8>,
}

impl Pem {
    pub(crate) fn new(from: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self { from: from.into(), text: text.into() }
    }

    /// The text of a file; messages name `field` and its path.
    pub(crate) fn read(field: &str, path: &Path) -> Result<Self, String> {
        let from = format!("{field}{}", path.display());
        match fs::read(path) {
            Ok(text) => Ok(Self { from, text }),
            Err(cause) => Err(format!("{from}: {cause}")),
        }
    }

    /// At least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) | Err(_) => {
                Err(format!("{}: expected certificates in PEM, got something else", self.from))
            }
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|_| {
            format!("{}: expected a private key in PEM, got something else", self.from)
        })
    }
}

/// The certificates in a file, at least one; or what is wrong with it.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    Pem::read("", path)?.certificates()
}

/// A chain of certificates and the key of its first one; or what is wrong with
/// one of the files.
pub fn certified_key(files: &CertificateFiles) -> Result<CertifiedKey, String> {
    pair(&Pem::read("", &files.certificate)?, &Pem::read("", &files.key)?)
}

/// The same, whatever they were read from.
pub(crate) fn pair(certificate: &Pem, key: &Pem) -> Result<CertifiedKey, String> {
    let (chain, private) = (certificate.certificates()?, key.private_key()?);
    let signing = default_provider().key_provider.load_private_key(private);
    let signing = signing.map_err(|_| format!("{}: {EXPECTED_KEY}", key.from))?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        // The public half of some keys is unknown.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(cause) => Err(format!("{}: not the key of {}: {cause}", key.from, certificate.from)),
    }
}
