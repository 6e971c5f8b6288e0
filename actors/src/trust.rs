//! Trust: whom a file of certificates makes believable. Its authorities, and
//! those that it holds themselves: a self-signed certificate that is in the
//! file, byte for byte, needs nobody to vouch for it. What the gateway connects
//! to by TLS is judged here, and so are its own clients' certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pem;
use crate::settings::CertificateFiles;

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// By a server, to its clients.
    Server,
    /// By a client, to a server.
    Client,
}

/// Why a certificate is believed, or may be.
#[derive(Debug, Clone)]
pub struct Trusted {
    known: Vec<CertificateDer<'static>>,
    authorities: Arc<RootCertStore>,
}

impl Trusted {
    /// What a PEM file says; or what is wrong with it.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let known = pem::certificates(path)?;
        Self::of(known).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    /// These certificates; or what is wrong with them.
    pub fn of(known: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let mut authorities = RootCertStore::empty();
        for certificate in &known {
            authorities.add(certificate.clone()).map_err(|cause| cause.to_string())?;
        }
        Ok(Self { known, authorities: Arc::new(authorities) })
    }

    /// The authorities of the system, or those of `SSL_CERT_FILE`.
    pub fn of_system() -> Result<Self, String> {
        let mut authorities = RootCertStore::empty();
        let known = rustls_native_certs::load_native_certs().certs;
        // Single certificates that rustls can't read are common in system stores.
        authorities.add_parsable_certificates(known.iter().cloned());
        if authorities.is_empty() {
            return Err("the system has no root certificates to trust".to_owned());
        }
        Ok(Self { known, authorities: Arc::new(authorities) })
    }

    /// The authorities alone.
    pub fn authorities(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.authorities)
    }

    /// Whether the certificate itself is there, and may be shown for that now;
    /// `None` where it is not there.
    pub fn holds(
        &self,
        certificate: &CertificateDer<'_>,
        purpose: Purpose,
        now: UnixTime,
    ) -> Option<Result<(), Error>> {
        let is_known = self.known.iter().any(|known| known.as_ref() == certificate.as_ref());
        is_known.then(|| may_be_shown(certificate, purpose, now).map_err(Error::InvalidCertificate))
    }
}

/// How a client speaks TLS: which servers it believes, any where `trusted` is
/// `None`, and what it shows them. One of `names` has to be in a server's
/// certificate, or without any the name by which it was asked for.
///
/// # Errors
/// A file or a certificate can't be used, which the message names.
pub fn client_config(
    trusted: Option<Trusted>,
    names: Vec<ServerName<'static>>,
    identity: Option<&CertificateFiles>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = ServerVerifier::new(trusted, names, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS can't be set up: {cause}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(files) = identity else { return Ok(builder.with_no_client_auth()) };
    let shown = SingleCertAndKey::from(pem::certified_key(files)?);
    Ok(builder.with_client_cert_resolver(Arc::new(shown)))
}

/// The half of a verifier that is the same whomever it believes: that the other
/// side has the key of the certificate that it shows. For a type with a field
/// `provider`.
macro_rules! verify_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}
pub(crate) use verify_signatures;

/// What an authority would have to be asked for a known certificate too.
fn may_be_shown(
    certificate: &CertificateDer<'_>,
    purpose: Purpose,
    now: UnixTime,
) -> Result<(), CertificateError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet);
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired);
    }
    let usage = parsed.extended_key_usage().map_err(|_| CertificateError::BadEncoding)?;
    let is_meant = usage.is_none_or(|usage| {
        usage.value.any
            || match purpose {
                Purpose::Server => usage.value.server_auth,
                Purpose::Client => usage.value.client_auth,
            }
    });
    if is_meant { Ok(()) } else { Err(CertificateError::InvalidPurpose) }
}

/// Judges the certificates of servers.
#[derive(Debug)]
struct ServerVerifier {
    /// What is trusted, and what judges chains up to its authorities; `None`
    /// believes any server.
    trust: Option<(Trusted, Arc<WebPkiServerVerifier>)>,
    names: Vec<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerVerifier {
    fn new(
        trusted: Option<Trusted>,
        names: Vec<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let provider = Arc::clone(provider);
        let Some(trusted) = trusted else { return Ok(Self { trust: None, names, provider }) };
        let builder =
            WebPkiServerVerifier::builder_with_provider(trusted.authorities(), provider.clone());
        let chain = builder.build().map_err(|cause| cause.to_string())?;
        Ok(Self { trust: Some((trusted, chain)), names, provider })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((trusted, chain)) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let judge = |name: &ServerName<'_>| {
            let judged =
                chain.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
            let Err(refusal) = judged else { return judged };
            match trusted.holds(certificate, Purpose::Server, now) {
                Some(held) => held?,
                None => return Err(refusal),
            }
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            Ok(ServerCertVerified::assertion())
        };
        let Some((first, others)) = self.names.split_first() else { return judge(name) };
        others.iter().fold(judge(first), |judged, name| judged.or_else(|_| judge(name)))
    }

    verify_signatures!();
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
    };

    use super::*;

    /// Self-signed and its own authority, as `openssl req -x509` makes it.
    fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["redis.test".to_owned()]).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().clone()
    }

    fn judge(
        file: Vec<CertificateDer<'static>>,
        shown: &CertificateDer<'static>,
        name: &str,
    ) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trusted = Trusted::of(file).expect("sound");
        let verifier = ServerVerifier::new(Some(trusted), vec![], &provider).expect("sound");
        let name = ServerName::try_from(name).expect("a name");
        verifier.verify_server_cert(shown, &[], &name, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn a_self_signed_certificate_that_is_its_own_authority_is_good_where_it_is_in_the_file() {
        let (own, other) = (self_signed(|_| {}), self_signed(|_| {}));
        assert_eq!(judge(vec![other.clone(), own.clone()], &own, "redis.test"), Ok(()));
        assert!(judge(vec![other], &own, "redis.test").is_err(), "another key of the same name");
        assert!(judge(vec![own.clone()], &own, "other.test").is_err(), "another name");
        let old = self_signed(|params| params.not_after = date_time_ymd(2020, 1, 1));
        let refusal = judge(vec![old.clone()], &old, "redis.test").expect_err("its time is over");
        assert_eq!(refusal, Error::InvalidCertificate(CertificateError::Expired));
        let early = self_signed(|params| params.not_before = date_time_ymd(4000, 1, 1));
        assert!(judge(vec![early.clone()], &early, "redis.test").is_err(), "its time is to come");
    }

    #[test]
    fn it_is_good_for_what_it_is_made_for() {
        let of_clients = self_signed(|params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        assert!(judge(vec![of_clients.clone()], &of_clients, "redis.test").is_err());
        let trusted = Trusted::of(vec![of_clients.clone()]).expect("sound");
        let held = |purpose| trusted.holds(&of_clients, purpose, UnixTime::now());
        assert_eq!(held(Purpose::Client), Some(Ok(())));
        assert!(matches!(held(Purpose::Server), Some(Err(_))));
        assert_eq!(trusted.holds(&self_signed(|_| {}), Purpose::Client, UnixTime::now()), None);
    }
}
