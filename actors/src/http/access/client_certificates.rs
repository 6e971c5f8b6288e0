//! Certificates of clients: whether one is asked for, and which one will do.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::trust::{Purpose, Trusted, verify_signatures};

/// What is asked of clients, by Go's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    No,
    /// A certificate may be shown; any will do.
    Request,
    /// One has to be shown; any will do.
    RequireAny,
    /// One may be shown; it has to be of a known authority.
    VerifyIfGiven,
    /// One of a known authority has to be shown.
    RequireAndVerify,
}

const POLICIES: [(&str, Policy); 6] = [
    ("NoClientCert", Policy::No),
    ("RequestClientCert", Policy::Request),
    ("RequireAnyClientCert", Policy::RequireAny),
    // An older name of it, which the toolkit takes too.
    ("RequireClientCert", Policy::RequireAny),
    ("VerifyClientCertIfGiven", Policy::VerifyIfGiven),
    ("RequireAndVerifyClientCert", Policy::RequireAndVerify),
];

impl Policy {
    /// The policy of that name; nothing is none.
    pub fn of(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Ok(Policy::No);
        }
        let found = POLICIES.iter().find(|(known, _)| *known == name);
        found.map(|(_, policy)| *policy).ok_or_else(|| {
            let names = POLICIES.map(|(name, _)| name).join(", ");
            format!("client_auth_type: expected one of {names}, got {name:?}")
        })
    }

    /// Whether there is no way without a certificate.
    pub fn is_mandatory(self) -> bool {
        matches!(self, Policy::RequireAny | Policy::RequireAndVerify)
    }

    /// Whether certificates have to be of a known authority.
    pub fn verifies(self) -> bool {
        matches!(self, Policy::VerifyIfGiven | Policy::RequireAndVerify)
    }
}

/// What judges the certificates of clients. With `probes_are_free` none is
/// mandatory yet, since who has none may ask for the probes.
pub fn verifier(
    policy: Policy,
    authorities: Option<Vec<CertificateDer<'static>>>,
    names: Option<&[String]>,
    probes_are_free: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if authorities.is_some() && policy == Policy::No {
        let what = "client_auth_type: expected one that asks for certificates, since there is a \
                    client_ca, got none";
        return Err(what.to_owned());
    }
    if names.is_some() && !policy.is_mandatory() {
        let what = "client_allowed_sans: expected the client_auth_type RequireAnyClientCert or \
                    RequireAndVerifyClientCert with it, got another";
        return Err(what.to_owned());
    }
    if policy == Policy::No {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let chain = match (policy.verifies(), authorities) {
        (false, _) => None,
        (true, Some(authorities)) => Some(Chain::of(authorities, provider)?),
        (true, None) => {
            let what = "client_ca: expected client_ca or client_ca_file, by which certificates \
                        are verified, got neither";
            return Err(what.to_owned());
        }
    };
    Ok(Arc::new(Verifier {
        chain,
        is_mandatory: policy.is_mandatory() && !probes_are_free,
        names: names.map(<[_]>::to_vec),
        provider: Arc::clone(provider),
    }))
}

/// Judges who vouches for a certificate.
#[derive(Debug)]
struct Chain {
    trusted: Trusted,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Chain {
    fn of(
        authorities: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let trusted = Trusted::of(authorities).map_err(|cause| format!("client_ca: {cause}"))?;
        let builder = WebPkiClientVerifier::builder_with_provider(
            trusted.authorities(),
            Arc::clone(provider),
        );
        let verifier = builder.build().map_err(|cause| format!("client_ca: {cause}"))?;
        Ok(Self { trusted, verifier })
    }

    /// An authority of the file does, or the file itself.
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let judged = self.verifier.verify_client_cert(certificate, intermediates, now);
        let Err(refusal) = judged else { return Ok(()) };
        self.trusted.holds(certificate, Purpose::Client, now).unwrap_or(Err(refusal))
    }
}

#[derive(Debug)]
struct Verifier {
    /// Judges the chain up to a known authority, where that matters.
    chain: Option<Chain>,
    is_mandatory: bool,
    /// One of these has to be a name in the certificate.
    names: Option<Vec<String>>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.as_ref().map_or(&[], |chain| chain.verifier.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify(certificate, intermediates, now)?;
        }
        let Some(allowed) = &self.names else { return Ok(ClientCertVerified::assertion()) };
        let found = alternative_names(certificate)?;
        if found.iter().any(|name| allowed.contains(name)) {
            return Ok(ClientCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    verify_signatures!();
}

/// The alternative names of a certificate: host names, mail addresses, IP
/// addresses and URIs, as text.
fn alternative_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
    let unreadable = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(unreadable)?;
    let extension = parsed
        .subject_alternative_name()
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let names = extension.into_iter().flat_map(|extension| &extension.value.general_names);
    Ok(names.filter_map(text_of).collect())
}

fn text_of(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) =
        name
    {
        return Some((*text).to_owned());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
    four.or(sixteen).ok().map(|address| address.to_string())
}
