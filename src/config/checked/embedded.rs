//! The settings of the embedded queue, and those that it can't go with.

use std::time::Duration;

use psg_actors::pem;
use psg_actors::settings::{CertificateFiles, EmbeddedSettings, ListenAddress, Login};

use super::{Checker, unlike};
use crate::config::connection::embedded::EmbeddedLogin;
use crate::config::error::Problem;
use crate::config::listen;
use crate::config::settings::*;

/// Settings that mean nothing to the embedded queue.
const OF_REDIS: [&Setting; 6] = [
    &REDIS_TLS_CA_FILE,
    &REDIS_TLS_CERTIFICATE_FILE,
    &REDIS_TLS_KEY_FILE,
    &REDIS_TRUST_REDIRECTS,
    &REDIS_METRIC_QUEUE_POP_COUNT,
    &REDIS_MAX_BYTES_IN_FLIGHT,
];

impl Checker<'_> {
    /// The settings of the embedded queue; checked too where Redis is the
    /// queue, since a mistake is one also before it matters.
    pub(super) fn embedded(&mut self, embedded: Option<EmbeddedLogin>) -> Option<EmbeddedSettings> {
        let login = embedded.as_ref().and_then(|embedded| self.login(embedded));
        let seconds: u64 = self.count(&EMBEDDED_IDLE_TIMEOUT_SECONDS);
        let settings = EmbeddedSettings {
            listen: self.read(&EMBEDDED_LISTEN_ADDRESS, |kind, text| {
                listen::parse_with_socket(text).ok_or_else(|| unlike(kind, text))
            }),
            max_queue_bytes: self.count(&EMBEDDED_MAX_QUEUE_BYTES),
            max_client_bytes: self.count(&EMBEDDED_MAX_CLIENT_BYTES),
            push_timeout: Duration::from_millis(self.count(&EMBEDDED_PUSH_TIMEOUT_MS)),
            max_connections: self.count(&EMBEDDED_MAX_CONNECTIONS),
            idle_timeout: (seconds > 0).then(|| Duration::from_secs(seconds)),
            tls: self.certificate_files(&EMBEDDED_TLS_CERTIFICATE_FILE, &EMBEDDED_TLS_KEY_FILE),
            login,
        };
        let allow_unauthenticated = self.flag(&EMBEDDED_ALLOW_UNAUTHENTICATED);
        if embedded.is_none() {
            for setting in SETTINGS.iter().filter(|setting| setting.section() == "Embedded") {
                self.warn_if_set(setting, ", since the queue is not embedded");
            }
            return None;
        }
        self.check_access(&settings.listen, settings.login.as_ref(), allow_unauthenticated);
        self.check_company();
        Some(settings)
    }

    /// The login in the connection string, or by the password in a file.
    fn login(&mut self, embedded: &EmbeddedLogin) -> Option<Login> {
        let of_file = self.password_file(embedded.login.is_some());
        let of_file = of_file.map(|(_, password)| Login { user: None, password });
        of_file.or_else(|| embedded.login.clone())
    }

    /// Who may reach it from elsewhere has to say who they are.
    fn check_access(&mut self, listen: &ListenAddress, login: Option<&Login>, allowed: bool) {
        let is_local = match listen {
            ListenAddress::Tcp(address) => address.ip().is_loopback(),
            ListenAddress::Unix(_) => true,
        };
        if !is_local && login.is_none() && !allowed {
            self.problems.push(Problem::new(
                self.sources.given(&EMBEDDED_LISTEN_ADDRESS).name,
                format!(
                    "expected a loopback address, or a password in Redis.ConnectionString \
                     (embedded,user=U,password=P), or Embedded.AllowUnauthenticated=true, got \
                     {listen}"
                ),
            ));
        }
    }

    /// What needs a Redis is refused.
    fn check_company(&mut self) {
        if self.wants_exactly_once() {
            let name = self.sources.given(&REDIS_DELIVERY).name;
            let message = "exactly-once needs a Redis that keeps the queue, \
                           expected at-most-once with the embedded queue";
            self.problems.push(Problem::new(name, message));
        }
        let dead_letters = self.sources.given(&REDIS_DEAD_LETTER_KEY);
        if dead_letters.text.is_some_and(|text| !text.is_empty()) {
            let message = "there is no Redis to write rejected payloads to, \
                           expected an empty value with the embedded queue";
            self.problems.push(Problem::new(dead_letters.name, message));
        }
        for setting in OF_REDIS {
            self.warn_if_set(setting, " on the embedded queue");
        }
    }

    /// Certificate and key, both or none, that belong together.
    pub(super) fn certificate_files(
        &mut self,
        certificate_setting: &'static Setting,
        key_setting: &'static Setting,
    ) -> Option<CertificateFiles> {
        let (certificate, key) = (self.path(certificate_setting), self.path(key_setting));
        let missing = |setting: &Setting| format!("expected {} too, got none", setting.name);
        let (set, problem) = match (certificate, key) {
            (None, None) => return None,
            (Some(certificate), Some(key)) => {
                let files = CertificateFiles { certificate, key };
                match pem::certified_key(&files) {
                    Ok(_) => return Some(files),
                    Err(cause) => (certificate_setting, cause),
                }
            }
            (Some(_), None) => (certificate_setting, missing(key_setting)),
            (None, Some(_)) => (key_setting, missing(certificate_setting)),
        };
        self.problems.push(Problem::new(self.sources.given(set).name, problem));
        None
    }
}
