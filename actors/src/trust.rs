//! Trust: whom a file of certificates makes believable. Its authorities, and
//! those that it holds themselves: a self-signed certificate that is in the
//! file, byte for byte, needs nobody to vouch for it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

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
        let named = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
        Self::of(certificates(path)?).map_err(|cause| named(&cause))
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

    /// What judges the certificates of servers: one of these names has to be in
    /// it, or without any the name by which the server was asked for.
    pub fn server_verifier(
        self,
        names: Vec<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let builder =
            WebPkiServerVerifier::builder_with_provider(self.authorities(), Arc::clone(provider));
        let chain = builder.build().map_err(|cause| cause.to_string())?;
        Ok(Arc::new(ServerVerifier { chain, trusted: self, names }))
    }
}

/// A verifier that takes any certificate, for those who do not care whom they
/// talk to.
pub fn whichever(provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Whichever(Arc::clone(provider)))
}

/// The certificates in a PEM file, at least one; or what is wrong with it.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(|cause| named(&cause))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|cause| named(&cause))?;
    if all.is_empty() { Err(named(&"no certificate in it")) } else { Ok(all) }
}

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

#[derive(Debug)]
struct ServerVerifier {
    chain: Arc<WebPkiServerVerifier>,
    trusted: Trusted,
    names: Vec<ServerName<'static>>,
}

impl ServerVerifier {
    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = &self.chain;
        let judged = chain.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
        let Err(refusal) = judged else { return judged };
        match self.trusted.holds(certificate, Purpose::Server, now) {
            Some(held) => held?,
            None => return Err(refusal),
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
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
        let judge = |name: &ServerName<'_>| {
            self.judge(certificate, intermediates, name, ocsp_response, now)
        };
        let Some((first, others)) = self.names.split_first() else { return judge(name) };
        others.iter().fold(judge(first), |judged, name| judged.or_else(|_| judge(name)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[derive(Debug)]
struct Whichever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whichever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
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
        let verifier = Trusted::of(file)
            .and_then(|all| all.server_verifier(vec![], &provider))
            .expect("sound");
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
